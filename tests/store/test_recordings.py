"""Recordings as files: private, appended line by line, and never in the place of something else."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tui_chat.domain.failure import RecordingError, StoreError, UsageError
from tui_chat.store import recordings
from tui_chat.store.recordings import RecordingFile
from tui_chat.wire.recording import ChanceLine, EndLine, RequestLine, encode, header

HEADER = header(1_700_000_000.0, "1.2.3")
REQUEST = RequestLine(1, 0.5, "work", "openai-chat", "POST", "https://h/v1/chat", {}, "{}")


@pytest.fixture
def told() -> list[str]:
    return []


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_each_line_is_in_the_file_at_once(tmp_path: Path, told: list[str]) -> None:
    path = tmp_path / "a.rec"
    sink = RecordingFile(path, HEADER, told.append)
    assert path.read_bytes() == encode(HEADER)
    for count, line in enumerate((REQUEST, ChanceLine(0.5), EndLine(1, 1.0, "whole")), 2):
        sink(line)
        assert path.read_bytes().count(b"\n") == count
    sink.close()
    sink(ChanceLine(0.1))
    assert recordings.load(path).others == 1
    assert mode(path) == 0o600
    assert told == []


@pytest.mark.parametrize("before", [b"", encode(HEADER) + encode(REQUEST), encode(HEADER)[:40]])
def test_an_older_recording_gives_way_and_becomes_private(tmp_path: Path, told: list[str], before: bytes) -> None:
    path = tmp_path / "a.rec"
    path.write_bytes(before)
    path.chmod(0o644)
    RecordingFile(path, HEADER, told.append).close()
    assert path.read_bytes() == encode(HEADER)
    assert mode(path) == 0o600


@pytest.mark.parametrize("before", [b"my notes\n", b"\n\n", b"\x00" * 10, b'{"format":"tui-chat"}'])
def test_another_file_is_left_alone(tmp_path: Path, told: list[str], before: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(before)
    path.chmod(0o644)
    with pytest.raises(UsageError, match=r"notes\.txt exists and is no recording"):
        RecordingFile(path, HEADER, told.append)
    assert path.read_bytes() == before
    assert mode(path) == 0o644


def test_a_path_that_cannot_be_opened_is_refused(tmp_path: Path, told: list[str]) -> None:
    with pytest.raises(UsageError, match=r"a\.rec cannot be written: there is no folder .*/no\."):
        RecordingFile(tmp_path / "no" / "a.rec", HEADER, told.append)
    with pytest.raises(UsageError, match="cannot be written: Is a directory"):
        RecordingFile(tmp_path, HEADER, told.append)
    assert told == []


def test_a_full_disk_is_told_once(tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.rec"
    sink = RecordingFile(path, HEADER, told.append)
    sink(REQUEST)
    whole = path.read_bytes()

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        sink(REQUEST)
        sink(REQUEST)
    sink(REQUEST)
    assert path.read_bytes() == whole
    assert len(told) == 1
    assert "No space left" in told[0]


def test_a_write_of_a_part_is_gone_on_with(tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:7]))
    RecordingFile(tmp_path / "a.rec", HEADER, told.append)(REQUEST)
    assert (tmp_path / "a.rec").read_bytes() == encode(HEADER) + encode(REQUEST)


def test_saving_replaces_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.rec"
    recordings.save(path, HEADER, [REQUEST])
    assert path.read_bytes() == encode(HEADER) + encode(REQUEST)
    assert mode(path) == 0o600
    with pytest.raises(StoreError, match="exists already"):
        recordings.save(path, HEADER, [])
    assert path.read_bytes() == encode(HEADER) + encode(REQUEST)


def test_loading_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"none\.rec cannot be read"):
        recordings.load(tmp_path / "none.rec")
    (tmp_path / "x.rec").write_bytes(b"x")
    with pytest.raises(RecordingError, match=r"x\.rec is no recording"):
        recordings.load(tmp_path / "x.rec")
