"""What a file is sent as, and what stands for it."""

from __future__ import annotations

import pytest
from markdown_it import MarkdownIt

from tui_chat.domain.attachments import Attachment, file_size


@pytest.mark.parametrize("text", ["x = 1\n", "no end", "```\ncode\n```\n", "a\n``````\nb", "", "~~~\n"])
def test_nothing_in_a_file_closes_its_fence(text: str) -> None:
    tokens = MarkdownIt().parse("before" + Attachment("src/x.py", text, len(text), "python").block + "after")
    fences = [token for token in tokens if token.type == "fence"]
    assert [(fence.info, fence.content) for fence in fences] == [
        ("python", text if text.endswith("\n") else text + "\n")
    ]
    prose = [token.content for token in tokens if token.type == "inline"]
    assert prose == ["before\nsrc/x.py:", "after"]


def test_a_mark_tells_name_size_and_tokens() -> None:
    assert Attachment("src/x.py", "", 12_345).mark(3100.4) == "[file src/x.py: 12.3 KB, ~3,100 tokens]"
    long = Attachment("a/" * 100 + "x.py", "", 1).mark(0)
    assert len(long) < 110
    assert long.endswith("a/x.py: 1 B, ~0 tokens]")
    assert "\x1b" not in Attachment("\x1b[2Jx\ny", "", 1).mark(0)


@pytest.mark.parametrize(
    ("size", "shown"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 KB"), (999_949, "999.9 KB"), (999_950, "1.0 MB"), (1_234_567, "1.2 MB")],
)
def test_sizes(size: int, shown: str) -> None:
    assert file_size(size) == shown
