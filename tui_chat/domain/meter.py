"""Figures of a run, moving as it runs.

TTFT: request sent to the first non-empty token of either kind; a role-only chunk does not stop the clock, and time
to connect (`connect_s`), in a queue or in a back-off (`wait_s`) is not in it. The first answer token stands beside it.
Decode tok/s = (output tokens - 1) / (last - first token); reasoning that was billed and not sent came before the first
and is left out. End-to-end tok/s = output tokens / total.
The rate "now" covers the last 2 s. Gaps are between chunks with text; a chunk is not a token.
Until the provider reports usage, tokens are estimated (`domain.tokens`), and `exact` is False; `exact` says that
every token received is in a count of the provider's, so it may hold in mid-stream and after a cancellation.
An answer that was broken off and taken up again is counted in parts: their usage is added, since each was billed, and
the pause between them is in no gap and no rate.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tui_chat.domain.events import (
    Attempt,
    Connected,
    Ended,
    Progress,
    Queued,
    Stopped,
    Text,
    Thinking,
    Timings,
    Usage,
    Waiting,
)
from tui_chat.domain.tempo import Tempo
from tui_chat.domain.tokens import TokenCounter

if TYPE_CHECKING:
    from tui_chat.domain.events import Stamped
    from tui_chat.domain.tokens import Lesson, Ratios

WINDOW_S = 2.0
"""What the rate "now" covers."""


class Stats(Struct, frozen=True):
    """One snapshot; seconds and tokens; None is unknown."""

    elapsed_s: float
    attempts: int
    usage: Usage
    """Reported where the provider did, estimated elsewhere."""
    exact: bool
    ttft_s: float | None
    ttft_answer_s: float | None
    wait_s: float
    connect_s: float | None
    warm: bool
    tok_per_s: float | None
    """Decode rate over the whole reply."""
    now_per_s: float | None
    """Decode rate over the last 2 s."""
    total_per_s: float | None
    gap_p50_s: float | None
    gap_p95_s: float | None
    gap_max_s: float | None
    silence_s: float | None
    """Since the last data of a run still going."""
    decode_s: float = 0.0
    """From the first token of each part of the answer to its last, added up."""
    estimate: float | None = None
    """What the tokens of the answer were estimated to be, as a share of what the provider counted: 1.04 is 4 % more."""
    pace: tuple[float, ...] = ()
    """Estimated tokens per second from the beginning of the run to its end, in steps of one length."""
    timings: Timings | None = None
    """The server's own measurements."""


class Meter:
    """Folds stamped events in O(1) (gaps: a binary insertion) and gives `Stats` on demand."""

    def __init__(self, prompt_tokens: float = 0.0, ratios: Ratios | None = None) -> None:
        """`prompt_tokens` is what the prompt is estimated to have, `ratios` what estimates of the answer go by."""
        self._prompt_tokens = prompt_tokens
        self._ratios = ratios
        self._attempts = 0
        self._accepted = False
        """An answer began, so that the prompt was read."""
        self._sent = 0.0
        self._data_at = 0.0
        self._pause: float | None = None
        self._wait = 0.0
        self._ttft: float | None = None
        self._ttft_answer: float | None = None
        self._first: float | None = None
        """First and last token of the part of the answer under way."""
        self._last: float | None = None
        self._span = 0.0
        """Seconds between first and last token of the parts before it."""
        self._past = Usage()
        """Usage of the parts before it, and whether all of it was counted by the provider."""
        self._past_exact = True
        self._thinks = False
        self._ended: float | None = None
        self._connect_s: float | None = None
        self._warm = False
        self._answer = TokenCounter(ratios)
        self._thoughts = TokenCounter(ratios)
        self._usage: Usage | None = None
        self._usage_at = 0.0
        """Tokens estimated when the usage came: what follows it is estimated on top."""
        self._gaps: list[float] = []
        self._recent: deque[tuple[float, float]] = deque()
        """(when, estimated tokens)"""
        self._pace = Tempo()
        self._timings: Timings | None = None

    def fold(self, stamped: Stamped) -> None:
        at, event = stamped.at, stamped.event
        match event:
            case Text(text):
                self._token(at, self._answer.feed(text))
                if self._ttft_answer is None:
                    self._ttft_answer = at - self._sent
            case Thinking(text):
                self._token(at, self._thoughts.feed(text))
                self._thinks = True
            case Usage():
                self._usage = event
                self._usage_at = self._answer.tokens + self._thoughts.tokens
                self._data_at = at
            case Attempt(n):
                self._resume_clock(at)
                self._close_part()
                self._attempts, self._sent, self._data_at = n, at, at
            case Queued() | Waiting():
                self._pause = at
            case Connected(status, _, connect_s):
                self._connect_s, self._warm, self._data_at = connect_s, connect_s is None, at
                self._sent = min(at, self._sent + (connect_s or 0.0))
                self._accepted = self._accepted or status == 200
            case Timings():
                self._timings, self._data_at = event, at
            case Progress(phase="loading" | "prompt") | Stopped():
                self._data_at = at
            case Ended():
                self._resume_clock(at)
                self._ended = at
            case _:
                pass

    def stats(self, at: float) -> Stats:
        """The figures at `at` seconds of the run; frozen at its end once it ended."""
        end = at if self._ended is None else self._ended
        usage, exact = self.counted()
        output = usage.output or 0
        sent = output if self._thinks else output - (usage.reasoning or 0)
        span = self._span + (self._last or 0.0) - (self._first or 0.0)
        pause = 0.0 if self._pause is None else max(0.0, end - self._pause)
        return Stats(
            elapsed_s=end,
            attempts=self._attempts,
            usage=usage,
            exact=exact,
            ttft_s=self._ttft,
            ttft_answer_s=self._ttft_answer,
            wait_s=self._wait + pause,
            connect_s=self._connect_s,
            warm=self._warm,
            tok_per_s=(sent - 1) / span if span > 0 and sent > 1 else None,
            now_per_s=self._rate(end),
            total_per_s=output / end if output and end > 0 else None,
            gap_p50_s=self._gap(50),
            gap_p95_s=self._gap(95),
            gap_max_s=self._gaps[-1] if self._gaps else None,
            silence_s=None if self._ended is not None or self._pause is not None else max(0.0, at - self._data_at),
            decode_s=max(0.0, span),
            estimate=self._estimate(),
            pace=self._pace.rates(end),
            timings=self._timings,
        )

    def counted(self) -> tuple[Usage, bool]:
        """The usage of all parts, and whether the provider counted all of it."""
        usage, exact = self._counted_part()
        return added(self._past, usage), exact and self._past_exact

    @property
    def answer_tokens(self) -> float:
        """What the part of the answer under way is estimated to have, without its reasoning."""
        return self._answer.tokens

    def lesson(self) -> Lesson | None:
        """What a reply that came in one piece teaches about the tokens of its model; None when that is nothing."""
        counted = self._answer_counted()
        return None if counted is None else self._answer.lesson(counted)

    def _token(self, at: float, tokens: float) -> None:
        if self._ttft is None:
            self._ttft = at - self._sent
        if self._first is None:
            self._first = at
        if self._last is not None:
            insort(self._gaps, at - self._last)
        self._last = self._data_at = at
        self._recent.append((at, tokens))
        self._pace.add(at, tokens)
        while self._recent[0][0] < at - WINDOW_S:
            self._recent.popleft()

    def _estimate(self) -> float | None:
        """How far the estimate of the answer was from what the provider counted at its end."""
        counted = self._answer_counted() if self._ended is not None else None
        return self._answer.tokens / counted if counted and self._answer.tokens else None

    def _answer_counted(self) -> int | None:
        """The tokens of an answer that came in one piece, as the provider counted them, its reasoning left out."""
        usage = self._usage
        if usage is None or usage.output is None or self._past != Usage():
            return None
        if self._thinks and usage.reasoning is None:
            return None
        return usage.output - (usage.reasoning or 0)

    def _resume_clock(self, at: float) -> None:
        if self._pause is not None:
            self._wait += at - self._pause
            self._pause = None

    def _close_part(self) -> None:
        """Put what came so far behind: the next attempt goes on from it, and is billed for itself."""
        if self._first is None or self._last is None:
            return
        self._past, self._past_exact = self.counted()
        self._span += self._last - self._first
        self._prompt_tokens += self._answer.tokens
        self._first = self._last = self._usage = None
        self._answer, self._thoughts, self._usage_at = TokenCounter(self._ratios), TokenCounter(self._ratios), 0.0
        self._accepted = False

    def _counted_part(self) -> tuple[Usage, bool]:
        """What the provider counted, estimates where it did not, and whether there are none of these."""
        received = self._answer.tokens + self._thoughts.tokens
        if self._usage is None and not received and not self._accepted:
            return Usage(), False
        usage = self._usage or Usage(reasoning=round(self._thoughts.tokens) or None)
        since = received if usage.output is None else received - self._usage_at
        estimated = replace(
            usage,
            input=round(self._prompt_tokens) or None if usage.input is None else usage.input,
            output=(usage.output or 0) + round(since),
        )
        return estimated, not since and None not in (usage.input, usage.output)

    def _rate(self, at: float) -> float | None:
        """Estimated tokens of the window by its length; the chunk that opens it began before."""
        if self._first is None or self._ended is not None:
            return None
        start = max(self._first, at - WINDOW_S)
        if at - start < 0.2:
            return None
        return sum(tokens for when, tokens in self._recent if when > start) / (at - start)

    def _gap(self, percent: int) -> float | None:
        """Nearest-rank percentile."""
        return self._gaps[-(-percent * len(self._gaps) // 100) - 1] if self._gaps else None


def added(one: Usage, other: Usage) -> Usage:
    """The sum of two usages; a counter that neither has stays unknown."""
    sums = {
        name: getattr(one, name) if b is None else (getattr(one, name) or 0) + b
        for name in Usage.__struct_fields__
        for b in (getattr(other, name),)
    }
    return Usage(**sums)
