"""Files that are found as their paths are typed, and read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tui_chat.domain.attachments import MOST_BYTES
from tui_chat.domain.failure import StoreError
from tui_chat.store.attachments import MOST, entries, read


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("src/ui", "notes", ".git"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("README.md", "src/x.py", "src/y.py", "src/ui/app.py", ".hidden", "two words.txt", "srcless.txt"):
        (tmp_path / name).write_text("text\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("", ["notes/", "src/", "README.md", "srcless.txt", "two words.txt"]),
        ("s", ["src/", "srcless.txt", "notes/", "two words.txt"]),
        ("SRC", ["src/", "srcless.txt"]),
        ("src/", ["src/ui/", "src/x.py", "src/y.py"]),
        ("src/y.", ["src/y.py"]),
        ("./src/ui/", ["./src/ui/app.py"]),
        ("~/src/x", ["~/src/x.py"]),
        (".", [".git/", ".hidden"]),
        ("nowhere/", []),
        ("~nobody-here/", []),
        ("a\0b/", []),
    ],
)
def test_paths_as_they_are_typed(folder: Path, typed: str, expected: list[str]) -> None:
    assert [entry.path for entry in entries(typed)] == expected


def test_an_absolute_path(folder: Path) -> None:
    assert [entry.path for entry in entries(f"{folder}/src/x")] == [f"{folder}/src/x.py"]


def test_a_large_folder_is_offered_in_part(folder: Path) -> None:
    for n in range(MOST + 50):
        (folder / "notes" / f"{n}.txt").touch()
    assert len(entries("notes/")) == MOST


def test_a_file_with_its_language(folder: Path) -> None:
    file = read("~/src/x.py")
    assert (file.name, file.text, file.size, file.language) == ("~/src/x.py", "text\n", 5, "python")
    assert read("two words.txt").language == "text"
    (folder / "bom").write_bytes(b"\xef\xbb\xbfhi\r\n")
    assert (read("bom").text, read("bom").language) == ("hi\r\n", "")


def test_what_is_refused_says_why(folder: Path) -> None:
    (folder / "binary").write_bytes(b"\x89PNG\r\n\xff")
    (folder / "zeros").write_bytes(b"a\0b")
    (folder / "large").write_bytes(b"x" * (MOST_BYTES + 1))
    (folder / "limit").write_bytes(b"x" * MOST_BYTES)
    os.mkfifo(folder / "pipe")
    words = {"binary": "UTF-8", "zeros": "UTF-8", "large": "1.0 MB is the limit", "pipe": "no file", "src": "no file"}
    words |= {"gone": "gone", "a\0b": "null byte", "src/x.py/z": "src/x.py/z"}
    for name, word in words.items():
        with pytest.raises(StoreError) as caught:
            read(name)
        assert word in str(caught.value), name
        assert "\n" not in str(caught.value)
    assert read("limit").size == MOST_BYTES
