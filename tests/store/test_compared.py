"""What a comparison is written as, where a server said something that a terminal would obey."""

from __future__ import annotations

from tui_chat.domain.ask import Settings
from tui_chat.domain.comparing import Compared, ComparedLane, ComparedRun
from tui_chat.domain.conversation import Node, Result
from tui_chat.domain.draft import Phase
from tui_chat.domain.failure import Failure, Kind
from tui_chat.domain.meter import Meter
from tui_chat.domain.pricing import UNKNOWN
from tui_chat.store.compared import compared_markdown


def test_what_a_server_says_of_a_failure_is_made_visible() -> None:
    failure = Failure(Kind.AUTH, "wrong key \x1b]52;c;ZGVtbw==\x07", "Check it.")
    result = Result(Phase.FAILED, None, failure, 0, Meter().stats(1.0), UNKNOWN)
    run = ComparedRun(1, Node("n", None, "assistant", "", result=result))
    text = compared_markdown(Compared("q", (ComparedLane("A", "e", "m", Settings(), (run,)),)))
    assert "wrong key ␛" in text
    assert "\x1b" not in text
