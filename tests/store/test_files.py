"""Files written whole or not at all, for their owner only."""

import errno
import os
import stat
import threading
import time
from pathlib import Path

import pytest

from tui_chat.domain.failure import StoreError
from tui_chat.store.files import Damaged, locked, open_to_others, read_toml, write_private


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def failing(code: int):
    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


def test_file_and_new_folders_are_private(tmp_path: Path):
    path = tmp_path / "a" / "b" / "file"
    write_private(path, "täxt")
    assert path.read_bytes() == "täxt".encode()
    assert [mode(path), mode(path.parent), mode(path.parent.parent)] == [0o600, 0o700, 0o700]


def test_a_readable_file_becomes_private_and_its_folder_is_left_alone(tmp_path: Path):
    folder = tmp_path / "shared"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    path = folder / "file"
    path.write_bytes(b"old")
    path.chmod(0o644)
    write_private(path, b"new")
    assert (path.read_bytes(), mode(path), mode(folder)) == (b"new", 0o600, 0o755)


def test_a_link_is_followed(tmp_path: Path):
    target = tmp_path / "real"
    target.write_bytes(b"old")
    link = tmp_path / "link"
    link.symlink_to(target)
    write_private(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_text_that_utf8_cannot_express_is_no_crash(tmp_path: Path):
    write_private(tmp_path / "file", "a\udc80b")
    assert (tmp_path / "file").read_bytes() == b"a?b"


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_failed_write_leaves_the_old_content_and_no_litter(tmp_path: Path, monkeypatch, step: str, code: int):
    path = tmp_path / "file"
    write_private(path, b"old")
    monkeypatch.setattr(os, step, failing(code))
    with pytest.raises(StoreError) as caught:
        write_private(path, b"new")
    assert str(caught.value) == f"{path} cannot be written: {os.strerror(code)}."
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_an_interrupt_leaves_no_litter_either(tmp_path: Path, monkeypatch):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_private(tmp_path / "file", b"new")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_is_one_clear_line(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    path = tmp_path / "file" / "below"
    with pytest.raises(StoreError, match="cannot be written") as caught:
        write_private(path, b"")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


DAMAGED = [
    (b"a = 1\nb = = 2\n", "line 2: Invalid value"),
    (b"a = 1\nb = \xff\n", "line 2: not UTF-8"),
    (b'a = """never closed', "end"),
    (b"a = " + b"9" * 5000, "too large"),
    (b"a = " + b"[" * 5000, "too deep"),
]


@pytest.mark.parametrize(("content", "says"), DAMAGED)
def test_damage_is_named_with_its_line(tmp_path: Path, content: bytes, says: str):
    path = tmp_path / "file.toml"
    path.write_bytes(content)
    with pytest.raises(Damaged, match=says) as caught:
        read_toml(path)
    assert str(path) in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_no_file_is_empty_and_a_folder_cannot_be_read(tmp_path: Path):
    assert read_toml(tmp_path / "none.toml") == {}
    with pytest.raises(StoreError, match="cannot be read: Is a directory"):
        read_toml(tmp_path)


def test_a_byte_order_mark_is_no_damage(tmp_path: Path):
    path = tmp_path / "file.toml"
    path.write_bytes(b"\xef\xbb\xbfa = 1\n")
    assert read_toml(path) == {"a": 1}


@pytest.mark.parametrize(("bits", "expected"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True)])
def test_open_to_others(tmp_path: Path, bits: int, expected: bool):
    path = tmp_path / "file"
    path.touch()
    path.chmod(bits)
    assert open_to_others(path) is expected


def test_what_cannot_be_looked_at_counts_as_open(tmp_path: Path):
    assert open_to_others(tmp_path / "none")


def test_one_holder_of_a_lock_at_a_time(tmp_path: Path):
    path = tmp_path / "file"
    inside: list[int] = []
    most: list[int] = []

    def hold() -> None:
        with locked(path):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.02)
            inside.pop()

    threads = [threading.Thread(target=hold) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1


def test_a_lock_that_never_comes_free_is_done_without(tmp_path: Path):
    path = tmp_path / "file"
    with locked(path):
        begun = time.monotonic()
        with locked(path):
            assert 0.4 < time.monotonic() - begun < 5


def test_a_folder_without_room_for_a_lock_is_no_error(tmp_path: Path):
    (tmp_path / "file").touch()
    with locked(tmp_path / "file" / "below"):
        pass
