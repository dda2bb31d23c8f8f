"""The reply as it stands, folded from the events of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_chat.domain.draft import Draft, Phase
from tui_chat.domain.events import (
    Attempt,
    Cancelled,
    Completed,
    Connected,
    Ended,
    Failed,
    Faulted,
    Learned,
    Progress,
    Queued,
    Seam,
    Skipped,
    Stamped,
    Stopped,
    Text,
    Thinking,
    Timings,
    Usage,
    Waiting,
)
from tui_chat.domain.failure import Kind, failure

if TYPE_CHECKING:
    from tui_chat.domain.events import RunEvent

BUSY = failure(Kind.OVERLOADED, "busy")
LOADING = failure(Kind.LOADING, "loading")
OPENED = Connected(200, "req-1", 0.1, None)


def folded(*events: RunEvent) -> Draft:
    draft = Draft()
    for at, event in enumerate(events):
        draft.fold(Stamped("main", float(at), event))
    return draft


CASES: dict[str, tuple[tuple[RunEvent, ...], dict[str, Any]]] = {
    "new": ((), {"phase": Phase.QUEUED, "text": "", "reasoning": "", "received": False, "attempts": 0}),
    "queued": ((Queued(),), {"phase": Phase.QUEUED}),
    "connecting": ((Attempt(1),), {"phase": Phase.CONNECTING, "attempts": 1}),
    "processing": ((Attempt(1), OPENED), {"phase": Phase.PROCESSING, "request_id": "req-1", "received": False}),
    "queued at the server": ((Attempt(1), OPENED, Progress("queued")), {"phase": Phase.QUEUED}),
    "loading": ((Attempt(1), OPENED, Progress("loading")), {"phase": Phase.LOADING}),
    "reading the prompt": ((Attempt(1), OPENED, Progress("prompt", 1, 2)), {"phase": Phase.PROCESSING}),
    "thinking": (
        (Attempt(1), OPENED, Thinking("h"), Thinking("m")),
        {"phase": Phase.THINKING, "reasoning": "hm", "text": "", "received": True},
    ),
    "streaming": (
        (Attempt(1), OPENED, Thinking("hm"), Text("a"), Text("b")),
        {"phase": Phase.STREAMING, "reasoning": "hm", "text": "ab", "received": True},
    ),
    "figures do not change the phase": (
        (Attempt(1), Text("a"), Usage(output=1), Usage(output=2), Timings(1.0), Skipped("x", "y"), Skipped("x", "y")),
        {"phase": Phase.STREAMING, "usage": Usage(output=2), "timings": Timings(1.0), "skipped": 2},
    ),
    "waiting": (
        (Attempt(1), Waiting(7.0, BUSY)),
        {"phase": Phase.WAITING, "waiting": (8.0, 7.0), "failure": BUSY},
    ),
    "trying again, the reason being kept": (
        (Attempt(1), Waiting(7.0, BUSY), Attempt(2)),
        {"phase": Phase.CONNECTING, "waiting": None, "attempts": 2, "failure": BUSY},
    ),
    "loading, however often it is looked at": (
        (Attempt(1), Waiting(2.0, LOADING), Attempt(2), Connected(503, None, None, None)),
        {"phase": Phase.LOADING, "waiting": None, "attempts": 2, "failure": LOADING},
    ),
    "loaded": ((Attempt(1), Waiting(2.0, LOADING), Attempt(2), OPENED), {"phase": Phase.PROCESSING}),
    "another trouble than loading": (
        (Attempt(1), Waiting(2.0, LOADING), Attempt(2), Waiting(2.0, BUSY), Attempt(3)),
        {"phase": Phase.CONNECTING},
    ),
    "learned and seam": ((Attempt(1), Learned("e", "m", "p"), Seam(3)), {"phase": Phase.CONNECTING}),
    "completed after a failed try": (
        (Attempt(1), Waiting(7.0, BUSY), Attempt(2), Text("a"), Stopped("stop"), Ended(Completed("stop"))),
        {"phase": Phase.COMPLETED, "failure": None, "finish_reason": "stop", "text": "a", "waiting": None},
    ),
    "cancelled in a back-off": (
        (Attempt(1), Waiting(7.0, BUSY), Ended(Cancelled())),
        {"phase": Phase.CANCELLED, "failure": None, "waiting": None},
    ),
    "cancelled with text": ((Attempt(1), Text("a"), Ended(Cancelled())), {"phase": Phase.CANCELLED, "text": "a"}),
    "failed with text": (
        (Attempt(1), Text("a"), Faulted(BUSY), Ended(Failed(BUSY))),
        {"phase": Phase.FAILED, "text": "a", "failure": BUSY, "finish_reason": None},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_draft(name: str) -> None:
    events, expected = CASES[name]
    draft = folded(*events)
    assert {key: getattr(draft, key) for key in expected} == expected
    assert draft.phase.ended is any(isinstance(e, Ended) for e in events)


PIECES = st.lists(st.builds(Text, st.text(min_size=1)) | st.builds(Thinking, st.text(min_size=1)), max_size=20)


@given(PIECES, st.sets(st.integers(0, 20)))
def test_the_text_is_the_joined_pieces_whenever_it_is_looked_at(pieces: list[Text | Thinking], looks: set[int]) -> None:
    draft = Draft()
    for n, piece in enumerate(pieces):
        draft.fold(Stamped("main", 0.0, piece))
        if n in looks:
            assert draft.text == "".join(p.text for p in pieces[: n + 1] if isinstance(p, Text))
    assert draft.text == draft.text == "".join(p.text for p in pieces if isinstance(p, Text))
    assert draft.reasoning == "".join(p.text for p in pieces if isinstance(p, Thinking))
    assert draft.received is bool(pieces)
