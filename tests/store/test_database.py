"""The file and its writer: order, faults, full disks, locks, newer files, several programs."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from tests.kit.desk import Desk, eventually, rows, small_disk, sound, until
from tests.kit.program import ROOT
from tui_chat.domain.failure import StoreError
from tui_chat.store import writer
from tui_chat.store.database import Database, Newer
from tui_chat.store.migrations import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BIG = "x" * 100_000
"""More than the pages that may be free in a new file."""


def note(name: str, value: str = "") -> Callable[[sqlite3.Connection], Any]:
    return lambda c: c.execute("INSERT INTO facts VALUES (?, ?)", (name, value))


def names(path: Path) -> list[str]:
    return [name for (name,) in rows(path, "SELECT name FROM facts WHERE name <> 'folding' ORDER BY name")]


def fill(c: sqlite3.Connection) -> None:
    """From now on the disk is full, as this connection sees it."""
    (pages,) = c.execute("PRAGMA page_count").fetchone()
    c.execute(f"PRAGMA max_page_count = {pages + 2}")


def make_room(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA max_page_count = 1000000")


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "RETRY_S", 0.05)


@pytest.fixture
def full(desk: Desk, hasty: None) -> Callable[[], object]:
    """The disk has no room; call it to make some."""
    connections: list[sqlite3.Connection] = []

    def op(c: sqlite3.Connection) -> None:
        connections.append(c)
        fill(c)

    desk.do(op)
    return lambda: make_room(connections[0])


# order and faults


def test_writes_are_done_in_their_order(desk):
    order: list[int] = []
    futures = [desk.database.write(lambda _, n=n: order.append(n)) for n in range(500)]
    desk.flush()
    assert order == list(range(500))
    assert all(future.done() for future in futures)


def test_what_waits_is_written_in_one_transaction(desk):
    held, go = threading.Event(), threading.Event()
    desk.database.write(lambda _: (held.set(), go.wait(5)))
    held.wait(5)
    states: list[int] = []
    for n in range(3):
        desk.database.write(note(f"a{n}"))
        desk.database.write(lambda c: states.append(c.total_changes))
    go.set()
    desk.flush()
    with closing(sqlite3.connect(desk.path)) as other:
        assert other.execute("SELECT count(*) FROM facts WHERE name <> 'folding'").fetchone() == (3,)
    assert states == [states[0], states[0] + 1, states[0] + 2]


def test_the_result_is_there_once_it_is_on_the_disk(desk):
    assert desk.do(lambda c: c.execute("SELECT 6 * 7").fetchone()) == (42,)
    desk.do(note("here"))
    assert names(desk.path) == ["here"]


@pytest.mark.parametrize("error", [ValueError("mine"), None])
def test_a_write_that_breaks_breaks_alone(desk, error):
    def broken(c: sqlite3.Connection) -> None:
        c.execute("INSERT INTO facts VALUES ('half', '')")
        if error is not None:
            raise error
        c.execute("INSERT INTO nowhere VALUES (1)")

    held = threading.Event()
    desk.database.write(lambda _: held.wait(5))
    futures = [desk.database.write(op) for op in (note("before"), broken, note("after"))]
    held.set()
    desk.flush()
    assert names(desk.path) == ["after", "before"]
    assert isinstance(futures[1].exception(), type(error) if error else sqlite3.OperationalError)
    assert (futures[0].exception(), futures[2].exception(), desk.told) == (None, None, [])


def test_a_write_nobody_waits_for_any_more_harms_no_other(desk):
    held = threading.Event()
    desk.database.write(lambda _: held.wait(5))
    futures = [desk.database.write(note(name)) for name in "abc"]
    futures[1].cancel()
    held.set()
    desk.flush()
    assert names(desk.path) == ["a", "b", "c"]
    assert [future.cancelled() for future in futures] == [False, True, False]


def test_many_threads_may_write(desk):
    def work(name: str) -> None:
        for n in range(50):
            desk.database.write(note(f"{name}{n:02}"))

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    desk.flush()
    assert names(desk.path) == [f"{name}{n:02}" for name in "abcd" for n in range(50)]


def test_a_listener_that_breaks_does_not_end_the_thread(desk, full):
    def broken(text: str) -> None:
        raise RuntimeError(text)

    desk.database.tell = broken
    future = desk.database.write(note("big", BIG))
    until(lambda: desk.database.behind)
    full()
    future.result(5)


# pieces


def test_pieces_are_gathered(desk):
    calls: list[int] = []
    pieces: list[int] = []

    def collect() -> Callable[[sqlite3.Connection], Any]:
        taken, pieces[:] = pieces[:], []
        calls.append(len(taken))
        return lambda c: c.executemany("INSERT INTO facts VALUES (?, '')", [(str(n),) for n in taken])

    began = time.monotonic()
    for n in range(1000):
        pieces.append(n)
        desk.database.write_soon(collect)
    spent = time.monotonic() - began
    until(lambda: len(names(desk.path)) == 1000)
    assert calls == [1000] or spent > writer.GATHER_S


def test_a_collector_with_nothing_and_one_that_breaks(desk):
    def broken() -> None:
        raise RuntimeError("mine")

    desk.database.write_soon(lambda: None)
    desk.database.write_soon(broken)
    time.sleep(2 * writer.GATHER_S)
    desk.do(note("alive"))
    assert names(desk.path) == ["alive"]


def test_no_piece_is_ahead_of_what_it_belongs_to(desk):
    """A run begins, and its first piece comes, while the writer is gathering the pieces of others."""
    pieces: list[str] = []
    orphans: list[str] = []

    def begin() -> None:
        desk.database.write(note("run"))
        pieces.append("run")
        desk.database.write_soon(collect)

    def meanwhile() -> None:
        thread = threading.Thread(target=begin)
        thread.start()
        thread.join(0.2)

    def collect() -> Callable[[sqlite3.Connection], Any]:
        taken, pieces[:] = pieces[:], []

        def op(c: sqlite3.Connection) -> None:
            orphans.extend(
                set(taken) - {name for (name,) in c.execute("SELECT name FROM facts WHERE name <> 'folding'")}
            )

        return op

    desk.database.write_soon(meanwhile)
    desk.database.write_soon(collect)
    until(lambda: names(desk.path) == ["run"])
    time.sleep(2 * writer.GATHER_S)
    desk.flush()
    assert (orphans, pieces) == ([], [])


def test_the_last_pieces_are_written_on_closing(desk):
    desk.database.write_soon(lambda: note("last"))
    assert desk.database.close()
    assert names(desk.path) == ["last"]


# a full disk


def test_a_full_disk_is_told_once_and_made_good(desk, full):
    desk.database.write(note("big", BIG))
    until(lambda: desk.database.behind)
    for n in range(20):
        desk.database.write(note(f"n{n:02}"))
        time.sleep(0.01)
    (told,) = desk.told
    assert "full" in told
    assert names(desk.path) == []
    assert not desk.database.flush(0.1)
    full()
    desk.flush()
    assert len(names(desk.path)) == 21
    assert [told, desk.told[1]] == desk.told
    assert not desk.database.behind


def test_what_has_been_made_good_is_behind_for_nobody_who_waits(desk, full):
    seen: list[bool] = []
    future = desk.database.write(note("big", BIG))
    future.add_done_callback(lambda _: seen.append(desk.database.behind))
    until(lambda: desk.database.behind)
    full()
    future.result(5)
    until(lambda: seen)
    assert seen == [False]


async def test_the_loop_never_waits_for_a_full_disk(desk, full):
    longest = 0.0
    for n in range(60):
        began = time.perf_counter()
        desk.database.write(note(f"{n}", BIG))
        desk.database.write_soon(lambda n=n: note(f"p{n}"))
        longest = max(longest, time.perf_counter() - began)
        await asyncio.sleep(0.005)
    assert desk.database.behind
    assert longest < 0.1
    full()
    await eventually(lambda: len(names(desk.path)) == 120)


def test_closing_with_a_full_disk_ends(desk, full):
    futures = [desk.database.write(note(f"{n}", BIG)) for n in range(5)]
    until(lambda: desk.database.behind)
    began = time.monotonic()
    assert not desk.database.close(0.3)
    assert time.monotonic() - began < 3
    assert all(future.cancelled() for future in futures)
    assert len(desk.told) == 1
    assert desk.database.write(note("late")).cancelled()
    assert not desk.database.flush(0.1)


def test_closing_twice_is_closing_once(desk):
    desk.do(note("a"))
    assert desk.database.close()
    assert desk.database.close()


def test_a_disk_of_one_mebibyte(tmp_path, hasty):
    with small_disk(tmp_path / "disk", "1m") as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(b"x" * 600_000)
        desk = Desk(disk / "data").open()
        for n in range(40):
            desk.database.write(note(f"{n:02}", BIG[:10_000]))
            time.sleep(0.005)
        until(lambda: desk.database.behind)
        assert len(desk.told) == 1
        ballast.unlink()
        desk.flush()
        assert len(names(desk.path)) == 40
        assert len(desk.told) == 2
        desk.close()
        assert sound(desk.path)


# other programs

HOLD = """
import sqlite3, sys, time
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
c.execute("COMMIT")
"""


def test_a_file_locked_by_another_program(desk):
    desk.do(note("first"))
    holder = subprocess.Popen([sys.executable, "-c", HOLD, desk.path, "4"], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    holder.stdout.readline()
    future = desk.database.write(note("second"))
    with desk.database.reading() as c:
        assert c.execute("SELECT name FROM facts WHERE name <> 'folding'").fetchall() == [("first",)]
    future.result(20)
    holder.wait()
    holder.stdout.close()
    assert names(desk.path) == ["first", "second"]
    assert len(desk.told) == 2
    assert "locked" in desk.told[0]


OPEN = """
import sys
from pathlib import Path
from tui_chat.store.database import Database
database = Database(Path(sys.argv[1]))
database.open()
database.write(lambda c: c.execute("INSERT INTO facts VALUES (?, '')", (sys.argv[2],))).result(20)
sys.exit(not database.close())
"""


def test_several_programs_may_make_the_file_at_once(tmp_path):
    path = tmp_path / "data" / "tui-chat.db"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    programs = [
        subprocess.Popen([sys.executable, "-c", OPEN, path, name], env=environment, stderr=subprocess.PIPE)
        for name in "abcdef"
    ]
    assert [(program.communicate()[1], program.returncode) for program in programs] == [(b"", 0)] * 6
    assert names(path) == list("abcdef")
    assert sound(path)


def test_a_reader_sees_one_state(desk):
    desk.do(note("a"))
    with desk.database.reading() as c:
        assert len(c.execute("SELECT * FROM facts WHERE name <> 'folding'").fetchall()) == 1
        desk.do(note("b"))
        assert len(c.execute("SELECT * FROM facts WHERE name <> 'folding'").fetchall()) == 1
    with desk.database.reading() as c:
        assert len(c.execute("SELECT * FROM facts WHERE name <> 'folding'").fetchall()) == 2


def test_reading_within_reading_sees_the_same(desk):
    desk.do(note("a"))
    with desk.database.reading() as c:
        c.execute("SELECT * FROM facts WHERE name <> 'folding'").fetchall()
        desk.do(note("b"))
        with desk.database.reading() as inner:
            assert len(inner.execute("SELECT * FROM facts WHERE name <> 'folding'").fetchall()) == 1
        assert len(c.execute("SELECT * FROM facts WHERE name <> 'folding'").fetchall()) == 1
    with desk.database.reading() as c:
        assert len(c.execute("SELECT * FROM facts WHERE name <> 'folding'").fetchall()) == 2


def test_a_reader_cannot_write(desk):
    with pytest.raises(StoreError, match="readonly"):
        with desk.database.reading() as c:
            c.execute("INSERT INTO facts VALUES ('x', '')")


def test_a_file_that_is_taken_away_is_made_anew(desk):
    desk.do(note("a"))
    for file in desk.path.parent.glob("tui-chat.db*"):
        file.unlink()
    desk.do(note("b"))
    assert names(desk.path) == ["b"]


# where and how it stands


def test_only_the_owner_may_read_it(tmp_path):
    before = os.umask(0)
    try:
        desk = Desk(tmp_path / "a" / "data").open()
        desk.do(note("a"))
        modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "a").rglob("*")}
    finally:
        os.umask(before)
    desk.close()
    folders = {"data": 0o700, "instances": 0o700}
    assert {name: mode for name, mode in modes.items() if name in folders} == folders
    files = {name: mode for name, mode in modes.items() if name not in folders}
    assert {"tui-chat.db", "tui-chat.db-wal", "tui-chat.db-shm"} <= set(files)
    assert set(files.values()) == {0o600}


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path):
    path = tmp_path / "tui-chat.db"
    path.touch(0o644)
    path.chmod(0o644)
    Database(path).open()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be written"):
        Database(tmp_path / "file" / "data" / "tui-chat.db").open()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="Permission denied"):
        Database(tmp_path / "tui-chat.db").open()
    assert list(tmp_path.iterdir()) == []


def test_a_read_only_disk(tmp_path):
    with small_disk(tmp_path / "disk", "1m") as disk:
        Desk(disk / "data").open().close()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        with pytest.raises(StoreError, match="cannot be written"):
            Database(disk / "data" / "tui-chat.db").open()


# a newer file


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.suffix in (".db", ".db-wal")}


@pytest.mark.parametrize("in_the_log_alone", [False, True])
def test_a_newer_file_is_refused_and_left_as_it_is(tmp_path, in_the_log_alone):
    path = tmp_path / "tui-chat.db"
    other = sqlite3.connect(path)
    other.execute("PRAGMA journal_mode = WAL")
    other.execute(f"PRAGMA user_version = {VERSION + 1}")
    other.execute("CREATE TABLE conversations (anything)")
    other.commit()
    kept = contents(tmp_path)
    if in_the_log_alone:
        assert len(path.read_bytes()) < len(path.with_name("tui-chat.db-wal").read_bytes())
    other.close()
    if in_the_log_alone:
        # As a kill leaves it: nothing has been taken over from the log.
        for name, content in kept.items():
            (tmp_path / name).write_bytes(content)
    before = contents(tmp_path)
    database = Database(path)
    with pytest.raises(Newer, match=f"schema {VERSION + 1}, this one knows {VERSION}"):
        database.open()
    assert contents(tmp_path) == before
    with pytest.raises(Newer), database.reading():
        pass


def test_a_file_that_became_newer_meanwhile_is_not_written(desk, hasty):
    desk.do(note("a"))
    with closing(sqlite3.connect(desk.path)) as other:
        other.execute(f"PRAGMA user_version = {VERSION + 1}")
    desk.database.write(note("b"))
    until(lambda: desk.told)
    assert "newer" in desk.told[0]
    assert not desk.database.close(0.2)
    assert names(desk.path) == ["a"]


def test_the_end_leaves_a_reader_alone_that_is_at_work(tmp_path: Path) -> None:
    """A connection that is closed under another thread takes the program down."""
    database = Database(tmp_path / "store.db")
    reading, closed = threading.Event(), threading.Event()
    found: list[int] = []

    def read() -> None:
        with database.reading() as c:
            reading.set()
            closed.wait(20)
            found.extend(row[0] for row in c.execute("SELECT 42"))

    thread = threading.Thread(target=read)
    thread.start()
    reading.wait(20)
    database.close()
    closed.set()
    thread.join(20)
    assert found == [42]


def test_what_is_read_after_the_end_is_a_fault_in_a_line(tmp_path: Path) -> None:
    database = Database(tmp_path / "store.db")
    with database.reading():
        pass
    database.close()
    with pytest.raises(StoreError), database.reading():
        pass
