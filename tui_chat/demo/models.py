"""The demo models: how fast each one is, and what it does wrong on purpose.

A behaviour is a script, a sequence of steps on a time line; the server plays it onto a connection.
"""

import random
from collections.abc import Iterator
from enum import Enum, auto

from msgspec import Struct

from tui_chat.demo.tokens import pieces

DROP_AFTER = 40
STALL_AFTER = 30
GARBAGE_EVERY = 9
KEEP_ALIVE_SECONDS = 0.5
STALL_SECONDS = 1.0


class Fault(Enum):
    """What a model does wrong."""

    NONE = auto()
    FLAKY = auto()
    DROP = auto()
    STALL = auto()
    GARBAGE = auto()


class DemoModel(Struct, frozen=True):
    """One entry of the model list. Speeds are those of a server with `speed=1`."""

    id: str
    name: str
    description: str
    tokens_per_second: float
    first_token_seconds: float = 0.2
    context_length: int = 1_000_000
    thinks: bool = False
    vision: bool = True
    fault: Fault = Fault.NONE


MODELS = (
    DemoModel("demo-fast", "Demo fast", "Answers at about 120 tokens a second.", 120),
    DemoModel(
        "demo-slow",
        "Demo slow",
        "Waits a second and a half, then writes about 8 tokens a second; takes no images.",
        8,
        vision=False,
        first_token_seconds=1.5,
        context_length=32_768,
    ),
    DemoModel("demo-reasoning", "Demo reasoning", "Thinks first, then answers.", 60, thinks=True),
    DemoModel("demo-flaky", "Demo flaky", "Refuses twice (429, then 503), then answers.", 120, fault=Fault.FLAKY),
    DemoModel("demo-drop", "Demo drop", "Breaks the connection in the middle of a word.", 60, fault=Fault.DROP),
    DemoModel(
        "demo-stall", "Demo stall", "Stops after a few lines and only keeps the line open.", 60, fault=Fault.STALL
    ),
    DemoModel(
        "demo-garbage",
        "Demo garbage",
        "Sends broken events and hostile control codes, then a harmless sentence.",
        60,
        fault=Fault.GARBAGE,
    ),
)
MODELS_BY_ID = {model.id: model for model in MODELS}


class Reply(Struct, frozen=True):
    """What a model is going to say, in tokens, and why it ends."""

    reasoning: tuple[str, ...]
    content: tuple[str, ...]
    finish_reason: str = "stop"

    @property
    def tokens(self) -> int:
        return len(self.reasoning) + len(self.content)

    def limited(self, max_tokens: int | None) -> "Reply":
        """At most `max_tokens` tokens; reasoning counts, as it does where it is billed."""
        if max_tokens is None or self.tokens <= max_tokens:
            return self
        left = max(0, max_tokens - len(self.reasoning))
        return Reply(self.reasoning[:max_tokens], self.content[:left], "length")


class KeepAlive(Struct, frozen=True):
    """A comment that carries nothing."""


class Begin(Struct, frozen=True):
    """The chunk that only names the role."""


class Token(Struct, frozen=True):
    text: str
    reasoning: bool = False


class Malformed(Struct, frozen=True):
    """An event whose data is no JSON."""

    data: str


class Reset(Struct, frozen=True):
    """The connection breaks, after these characters of an unfinished token."""

    text: str


class Stall(Struct, frozen=True):
    """From here on only keep-alives."""


class Finish(Struct, frozen=True):
    reason: str


Action = KeepAlive | Begin | Token | Malformed | Reset | Stall | Finish


class Step(Struct, frozen=True):
    """An action and its time, in seconds since the start at `speed=1`."""

    at: float
    action: Action


MALFORMED = (
    '{"id":"chatcmpl-demo","choices":[{"index":0,"delta":{"content":"cut',
    "this is not JSON",
    '{"choices": [}',
    "[1, 2",
)

# Each sample travels as one token, so that a client which cleans chunk by chunk sees it whole.
HOSTILE = (
    ("OSC 52, clipboard write ended by ST", "\x1b]52;c;ZGVtbw==\x1b\\"),
    ("OSC 52, clipboard write ended by BEL", "\x1b]52;c;ZGVtbw==\x07"),
    ("CSI 2J, clear the screen", "\x1b[2J"),
    ("OSC 0, window title", "\x1b]0;owned\x07"),
    ("ESC c, reset", "\x1bc"),
    ("C1 CSI", "\u009b2J"),
    ("C1 OSC", "\u009d0;owned\u009c"),
    ("DEL and BEL", "\x7f\x07"),
    ("carriage return and backspace", "seen\rhidden\b\b"),
    ("bidi override", "\u202egnp.exe\u202c"),
    ("markup", "[/foo] [@click=app.quit]x[/] [bold red on white]"),
)
SPLIT_HOSTILE = ("\x1b", "]52;c;", "ZGVtbw==", "\x1b", "\\")
HARMLESS = "\nThat was the worst of it: this sentence is harmless, and nothing above may have changed your terminal."


def hostile_content() -> tuple[str, ...]:
    """The answer of `demo-garbage`, in tokens."""
    content: list[str] = [*pieces("# Hostile text, on purpose\n\n")]
    for label, sample in HOSTILE:
        content += [*pieces(f"- {label}: "), sample, "\n"]
    content += [*pieces("- OSC 52 in five tokens: "), *SPLIT_HOSTILE, "\n"]
    return (*content, *pieces(HARMLESS))


def script(model: DemoModel, reply: Reply, rng: random.Random) -> Iterator[Step]:
    """The steps of one answer; the last is Finish, Reset or Stall.

    Token i is due at some moment of its slot, which begins at `first_token_seconds + i / tokens_per_second`:
    gaps vary as they do in life, and the average rate is exact.
    """
    first = model.first_token_seconds
    waits = int(first / KEEP_ALIVE_SECONDS - 0.01)
    for wait in range(1, waits + 1):
        yield Step(wait * KEEP_ALIVE_SECONDS, KeepAlive())
    yield Step(first, Begin())
    tokens = [*(Token(text, reasoning=True) for text in reply.reasoning), *map(Token, reply.content)]
    end = _break_point(model, tokens)
    at = first
    for i, token in enumerate(tokens[:end]):
        at = first + (i + rng.uniform(0, 0.9)) / model.tokens_per_second
        yield Step(at, token)
        if model.fault is Fault.GARBAGE and i % GARBAGE_EVERY == GARBAGE_EVERY - 1:
            yield Step(at, Malformed(MALFORMED[i // GARBAGE_EVERY % len(MALFORMED)]))
    at = first + len(tokens[:end]) / model.tokens_per_second
    yield Step(at, _last_action(model, reply, tokens[end:]))


def _break_point(model: DemoModel, tokens: list[Token]) -> int:
    """How many tokens are sent whole: all, or about 40 or 30, or half of a short answer."""
    if model.fault is Fault.STALL:
        return min(STALL_AFTER, len(tokens) // 2)
    if model.fault is not Fault.DROP:
        return len(tokens)
    start = min(DROP_AFTER, len(tokens) // 2)
    return next((i for i in range(start, len(tokens)) if _is_word(tokens[i])), start)


def _is_word(token: Token) -> bool:
    word = token.text.strip()
    return word.isalpha() and len(word) > 2


def _last_action(model: DemoModel, reply: Reply, unsent: list[Token]) -> Action:
    match model.fault:
        case Fault.STALL:
            return Stall()
        case Fault.DROP:
            text = unsent[0].text if unsent else ""
            return Reset(text[: (len(text) + 1) // 2])
        case _:
            return Finish(reply.finish_reason)
