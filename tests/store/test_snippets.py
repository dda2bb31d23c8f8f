"""Texts to begin a message with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tui_chat.domain.failure import StoreError
from tui_chat.store.snippets import MOST, load, names, save


def test_what_is_kept_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "snippets"
    assert names(folder) == []
    path = save(folder, "review", "Review {{file}}.\n\nBe brief.")
    assert path == folder / "review.md"
    assert path.stat().st_mode & 0o077 == 0
    (folder / ".hidden.md").touch()
    (folder / "other.txt").touch()
    (folder / "a b.md").write_bytes(b"\xef\xbb\xbf\r\nby hand\r\ntwo\r\n")
    assert names(folder) == ["a b", "review"]
    assert load(folder, "review") == "Review {{file}}.\n\nBe brief."
    assert load(folder, "a b") == "by hand\ntwo"


def test_a_bad_snippet_is_a_line(tmp_path: Path) -> None:
    (tmp_path / "binary.md").write_bytes(b"\xff\xfe")
    (tmp_path / "empty.md").write_text("\n \n")
    (tmp_path / "long.md").write_text("x" * (MOST + 1))
    (tmp_path / "folder.md").mkdir()
    (tmp_path.parent / "outside.md").write_text("no")
    words = {"binary": "UTF-8", "empty": "empty", "long": "10,000", "folder": "directory", "../outside": "no snippet"}
    for name, word in {**words, "lung": "long", "": "no snippet", "\x1b[2J": "no snippet"}.items():
        with pytest.raises(StoreError) as caught:
            load(tmp_path, name)
        assert word in str(caught.value), name
        assert "\n" not in str(caught.value)
        assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "../x", "a/b", "save", "two words", ".x", "x" * 61])
def test_names_that_are_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match="cannot be called"):
        save(tmp_path, name, "text")
    assert not os.listdir(tmp_path)


def test_nothing_is_overwritten_and_nothing_useless_kept(tmp_path: Path) -> None:
    save(tmp_path, "x", "one")
    for name, text, word in (("x", "two", "exists"), ("y", " \n", "empty"), ("z", "x" * (MOST + 1), "10,000")):
        with pytest.raises(StoreError, match=word):
            save(tmp_path, name, text)
    assert load(tmp_path, "x") == "one"
    assert names(tmp_path) == ["x"]
