"""The output of a batch as a file."""

from __future__ import annotations

import errno
import json
import os
import stat
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tui_chat.domain.failure import StoreError, UsageError
from tui_chat.store.batch_output import BatchOutput, Standing, Watch, is_output, line_of, peek

HASH, OTHER = "00000000000000aa", "00000000000000bb"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


def line(id: str, state: str = "completed", **more: Any) -> dict[str, Any]:
    return {"id": id, "hash": HASH, "state": state, **more}


def write(output: BatchOutput, id: str, state: str = "completed", **more: Any) -> None:
    output.append(id, HASH, state, line(id, state, **more))


def ids(path: Path) -> list[str]:
    return [json.loads(text)["id"] for text in path.read_text().splitlines()]


def test_what_was_written_is_known_to_the_next_run(path: Path) -> None:
    output = BatchOutput(path)
    write(output, "a", cost={"usd": Decimal("0.10"), "source": "computed"})
    write(output, "b", "failed", cost={"usd": None, "source": "unknown"})
    output.close()
    assert path.read_bytes().count(b"\n") == 2
    again = BatchOutput(path)
    known = again.standings
    assert known.standing("a", HASH) is Standing.DONE
    assert known.standing("a", OTHER) is Standing.CHANGED
    assert known.standing("b", HASH) is Standing.FAILED
    assert known.standing("c", HASH) is Standing.NEW
    assert (again.spent, again.before, again.mended) == (Decimal("0.10"), 2, False)
    again.close()


def test_the_later_line_stands_and_compaction_leaves_it(path: Path) -> None:
    output = BatchOutput(path)
    write(output, "a", "failed")
    write(output, "b")
    write(output, "a", text="new")
    assert output.standings.standing("a", HASH) is Standing.DONE
    path.chmod(0o640)
    assert output.compact() == 1
    assert output.compact() == 0
    assert ids(path) == ["b", "a"]
    assert json.loads(path.read_text().splitlines()[1])["text"] == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    with pytest.raises(UsageError, match="Another run"):
        BatchOutput(path)
    output.close()
    BatchOutput(path).close()


def test_writing_goes_on_after_a_compaction(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = BatchOutput(path)
    for id in "aab":
        write(output, id)
    output.compact()
    write(output, "c")
    monkeypatch.setattr(os, "write", _full)
    with pytest.raises(StoreError):
        write(output, "d")
    monkeypatch.undo()
    assert ids(path) == ["a", "b", "c"]
    write(output, "c", text="new")
    assert ids(path) == ["a", "b", "c", "c"]
    assert output.compact() == 1
    assert ids(path) == ["a", "b", "c"]
    output.close()


def test_merged_outputs_are_compacted_by_the_next_run(path: Path) -> None:
    lines = [json.dumps(line(id, text=text)) for id, text in [("a", "1"), ("b", "2"), ("a", "3")]]
    path.write_text("\n".join(lines) + "\n")
    output = BatchOutput(path)
    assert output.before == 2
    assert output.compact() == 1
    assert ids(path) == ["b", "a"]
    output.close()


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_torn_line_goes(path: Path, cut: int) -> None:
    whole = json.dumps(line("a")).encode() + b"\n"
    path.write_bytes(whole + whole[:cut])
    output = BatchOutput(path)
    assert output.mended
    assert path.read_bytes() == whole
    write(output, "b")
    output.close()
    assert ids(path) == ["a", "b"]


def test_a_line_that_lacks_its_end_alone_stays(path: Path) -> None:
    path.write_text(json.dumps(line("a")))
    output = BatchOutput(path)
    assert output.standings.standing("a", HASH) is Standing.DONE
    write(output, "b")
    output.close()
    assert ids(path) == ["a", "b"]


def test_a_disk_that_takes_half_a_line(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = BatchOutput(path)
    write(output, "a")
    real = os.write
    calls = iter([lambda fd, data: real(fd, data[:10]), _full])
    monkeypatch.setattr(os, "write", lambda fd, data: next(calls)(fd, data))
    with pytest.raises(StoreError, match=r"takes no more: No space left"):
        write(output, "b")
    monkeypatch.undo()
    assert ids(path) == ["a"]
    assert output.standings.standing("b", HASH) is Standing.NEW
    write(output, "b")
    output.close()
    assert ids(path) == ["a", "b"]


def _full(fd: int, data: bytes) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_file_of_another_kind_is_left_alone(path: Path) -> None:
    path.write_text('{"id": "a", "state": "completed"}\nnotes of mine\n')
    before = path.read_bytes()
    with pytest.raises(UsageError, match=":2 is no line of a batch"):
        BatchOutput(path)
    assert path.read_bytes() == before
    with pytest.raises(UsageError):
        peek(path)


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_no_regular_file_is_not_even_read(tmp_path: Path, kind: str) -> None:
    path = {"pipe": tmp_path / "pipe", "device": Path("/dev/null"), "folder": tmp_path}[kind]
    if kind == "pipe":
        os.mkfifo(path)
    assert not Watch(path).running
    with pytest.raises(UsageError, match="no regular file"):
        peek(path)


def test_a_removed_output_is_begun_anew(path: Path) -> None:
    output = BatchOutput(path)
    path.unlink()
    other = BatchOutput(path)
    write(other, "a")
    other.close()
    output.close()
    assert ids(path) == ["a"]


def test_watching_from_outside(path: Path) -> None:
    output = BatchOutput(path)
    watch = Watch(path)
    assert watch.running
    write(output, "a", "failed")
    assert [found["id"] for found in watch.poll()] == ["a"]
    with path.open("ab") as file:
        file.write(b'{"id": "half')
    assert watch.poll() == []
    with path.open("ab") as file:
        file.write(b'", "state": "completed"}\n')
    assert [found["id"] for found in watch.poll()] == ["half"]
    write(output, "a")
    output.standings.enter("half", None, "completed")
    output.compact()
    assert [found["id"] for found in watch.poll()] == ["half", "a"]
    assert watch.poll() == []
    output.close()
    assert not watch.running
    watch.close()


def test_watching_what_is_not_there(path: Path) -> None:
    assert not Watch(path).running
    with pytest.raises(StoreError):
        Watch(path).poll()
    path.write_text("nonsense\n")
    with pytest.raises(StoreError, match="no output"):
        Watch(path).poll()


def test_watching_a_few_lines_at_a_time(path: Path) -> None:
    output, watch = BatchOutput(path), Watch(path)
    for id in "abc":
        write(output, id)
    assert [[line["id"] for line in watch.poll(2)] for _ in range(3)] == [["a", "b"], ["c"], []]
    write(output, "d")
    assert [line["id"] for line in watch.poll(2)] == ["d"]
    watch.close()
    output.close()


def test_the_newest_line_of_an_item_is_read_back(path: Path) -> None:
    path.write_text(
        '{"id":"a","hash":"0","state":"failed","text":"old"}\n'
        '{"id":7,"hash":"0","state":"completed","text":"number"}\n'
        '{"hash":"0","state":"completed","text":"new","id":"a"}\n'
        '{"id":"ab","hash":"0","state":"completed","text":"another"}\n'
    )
    assert {id: (line_of(path, id) or {}).get("text") for id in ("a", "7", "ab", "b")} == {
        "a": "new",
        "7": "number",
        "ab": "another",
        "b": None,
    }
    with pytest.raises(StoreError):
        line_of(path.with_name("none"), "a")


def test_what_an_output_is(path: Path, tmp_path: Path) -> None:
    path.write_text('{"id": "a", "prompt": "p"}\n')
    assert not is_output(path)
    assert not is_output(tmp_path)
    path.write_text('{"id": "a", "hash": "0", "state": "completed"}\n')
    assert is_output(path)
