"""What the server remembers of each request, for tests and for curious people."""

import time
from dataclasses import dataclass, field

TEXT_LIMIT = 262_144
_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "x-api-key", "api-key", "cookie"})


@dataclass(slots=True)
class RequestLog:
    """One request. Times are `time.monotonic()` seconds; `status` is None until an answer begins.

    An entry is ended just before the last bytes go out, so that whoever has the answer finds it complete.
    `tokens_sent` counts reasoning and answer tokens; `text_sent` and `reasoning_sent` keep the first
    `TEXT_LIMIT` characters of each. `aborted` means that the answer was cut short because the client left
    or the server closed, not by a fault the model makes on purpose. Of a header that carries a secret only
    the word "present" is kept.
    """

    method: str
    path: str
    headers: dict[str, str]
    model: str | None = None
    status: int | None = None
    started: float = field(default_factory=time.monotonic)
    ended: float | None = None
    tokens_sent: int = 0
    aborted: bool = False
    _content: list[str] = field(default_factory=list[str], repr=False)
    _reasoning: list[str] = field(default_factory=list[str], repr=False)
    _characters: int = field(default=0, repr=False)

    @property
    def text_sent(self) -> str:
        return "".join(self._content)[:TEXT_LIMIT]

    @property
    def reasoning_sent(self) -> str:
        return "".join(self._reasoning)[:TEXT_LIMIT]

    def sent(self, piece: str, *, reasoning: bool) -> None:
        """Count one token that was written to the client."""
        self.tokens_sent += 1
        if self._characters < 2 * TEXT_LIMIT:
            self._characters += len(piece)
            (self._reasoning if reasoning else self._content).append(piece)

    def end(self) -> None:
        """Close the entry, once, and give back the memory of the single pieces."""
        if self.ended is not None:
            return
        self.ended = time.monotonic()
        self._content = [self.text_sent]
        self._reasoning = [self.reasoning_sent]


def without_secrets(headers: dict[str, str]) -> dict[str, str]:
    """A copy of `headers` that is safe to keep."""
    return {name: "present" if name in _SECRET_HEADERS else value for name, value in headers.items()}
