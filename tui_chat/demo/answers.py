"""From a conversation to the demo's answer: commands, counts, and the topics of the tour."""

import hashlib
import random
import re
from base64 import b64decode
from collections.abc import Sequence
from itertools import cycle, islice

from msgspec import Struct

from tui_chat.demo import tour
from tui_chat.demo.models import MODELS
from tui_chat.demo.tokens import pieces_of_all
from tui_chat.domain.images import Image, image_of

MAX_COUNT = 100_000
_LONG_WORDS = 100
_QUOTE_LIMIT = 300
_REASONING_QUOTE = 80

_COMMAND = re.compile(r"(count|long)\s+(\d{1,9})\s*", re.IGNORECASE)
_ECHO = re.compile(r"echo\s(.*)", re.IGNORECASE | re.DOTALL)
_WORD = re.compile(r"[\w/]+")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s|(?<=[。！？])|\n\n")


class Answer(Struct, frozen=True):
    """A text and the topic it is about."""

    topic: str
    text: str


def stable_hash(*parts: object) -> int:
    """A number from the `repr` of values, the same in every process."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).digest()[:8])


def answer(message: str, rng: random.Random) -> Answer:
    """Answer the last user message; `rng` chooses among wordings."""
    if echo := _ECHO.fullmatch(message):
        return Answer("echo", echo[1])
    if command := _COMMAND.fullmatch(message):
        number = min(int(command[2]), MAX_COUNT)
        if command[1].lower() == "count":
            return Answer("count", " ".join(map(str, range(1, number + 1))))
        return Answer("long", _long_text(number))
    if "summar" in message.lower() or len(message.split()) > _LONG_WORDS:
        return Answer("summary", _summary(message, rng))
    words = f" {' '.join(_WORD.findall(message.lower()))} "
    if topic := _topic_of(words):
        return Answer(topic.name, _render(topic, rng.choice(topic.openings), rng))
    if _score(words, tour.POEM_KEYWORDS):
        return Answer("haiku", _haiku(rng))
    return Answer("welcome", _render(tour.WELCOME, rng.choice(tour.UNKNOWN_OPENINGS), rng))


def seen(images: Sequence[str]) -> str:
    """What the demo says of images, by their `data:` addresses; others are not looked at."""
    found = (_looked_at(address) for address in images)
    lines = [f"I see an image: {image.kind.upper()}{image.line}." for image in found if image is not None]
    return "\n".join([*lines, "", ""]) if lines else ""


def _looked_at(address: str) -> Image | None:
    head, _, data = address.partition(";base64,")
    try:
        return image_of("", b64decode(data, validate=True)) if head.startswith("data:image/") else None
    except ValueError:
        return None


def reasoning(message: str, topic: str, rng: random.Random) -> str:
    """What `demo-reasoning` thinks before it answers."""
    quote = " ".join(message.split())[:_REASONING_QUOTE] or "(empty)"
    return rng.choice(tour.REASONING).replace("{topic}", topic).replace("{message}", quote)


def models_table() -> str:
    """The demo models as a Markdown table."""
    rows = [f"| `{model.id}` | {model.description} |" for model in MODELS]
    return "\n".join(["| Model | what it does |", "|---|---|", *rows])


def _score(words: str, keywords: Sequence[str]) -> int:
    return sum(f" {keyword} " in words for keyword in keywords)


def _topic_of(words: str) -> tour.Topic | None:
    scores = [(_score(words, topic.keywords), topic) for topic in tour.TOPICS]
    best, topic = max(scores, key=lambda scored: scored[0])
    return topic if best > 0 and best >= _score(words, tour.POEM_KEYWORDS) else None


def _render(topic: tour.Topic, opening: str, rng: random.Random) -> str:
    body = topic.body.replace("{models}", models_table())
    return f"# {topic.title}\n\n{opening}\n\n{body}\n\n{rng.choice(topic.closings)}\n"


def _haiku(rng: random.Random) -> str:
    lines = rng.choice(tour.HAIKU).replace("\n", "  \n> ")
    return f"> {lines}\n\n{rng.choice(tour.HAIKU_CLOSINGS)}\n"


def _summary(message: str, rng: random.Random) -> str:
    body = (
        tour.SUMMARY_BODY.replace("{words}", _plural(len(message.split()), "word"))
        .replace("{characters}", _plural(len(message), "character"))
        .replace("{sentence}", _first_sentence(_without_instruction(message)))
    )
    opening, closing = rng.choice(tour.SUMMARY_OPENINGS), rng.choice(tour.SUMMARY_CLOSINGS)
    return f"# {tour.SUMMARY_TITLE}\n\n{opening}\n\n{body}\n\n{closing}\n"


def _plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _without_instruction(message: str) -> str:
    """The text below a first paragraph that asks for a summary, when there is such a text."""
    instruction, _, rest = message.strip().partition("\n\n")
    return rest if rest.strip() and "summar" in instruction.lower() else message


def _first_sentence(text: str) -> str:
    sentence = " ".join(_SENTENCE_END.split(text.strip(), maxsplit=1)[0].split())
    return sentence if len(sentence) <= _QUOTE_LIMIT else f"{sentence[:_QUOTE_LIMIT].rstrip()}..."


def _long_text(tokens: int) -> str:
    """Tour text of exactly `tokens` tokens, the topics in turn."""
    first = random.Random(0)
    texts = [f"{_render(topic, topic.openings[0], first)}\n" for topic in tour.TOPICS]
    return "".join(islice(pieces_of_all(cycle(texts)), tokens))
