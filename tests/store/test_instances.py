"""Which programs are at work on the data folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.kit.desk import until
from tests.kit.program import ROOT
from tui_chat.store.instances import Instance

REGISTER = """
import sys, time
from pathlib import Path
from tui_chat.store.instances import Instance
print(Instance(Path(sys.argv[1])).register(), flush=True)
time.sleep(60)
"""


def program(folder: Path) -> tuple[subprocess.Popen[str], str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", REGISTER, folder], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_one_sees_the_other_until_it_ends(tmp_path):
    one, other = Instance(tmp_path / "i"), Instance(tmp_path / "i")
    assert not one.alive(one.uid)
    assert one.register() == one.uid != other.register()
    assert one.alive(other.uid)
    assert other.alive(one.uid)
    assert one.alive(one.uid)
    other.close()
    assert not one.alive(other.uid)
    one.close()
    one.close()
    assert files(tmp_path / "i") == []


def test_a_kill_leaves_nothing_that_seems_to_live(tmp_path):
    here = Instance(tmp_path)
    here.register()
    process, uid = program(tmp_path)
    try:
        assert here.alive(uid)
    finally:
        end(process)
    assert files(tmp_path) == sorted([f"{uid}.lock", f"{here.uid}.lock"])
    assert not here.alive(uid)
    assert files(tmp_path) == [f"{here.uid}.lock"]
    here.close()


def test_a_frozen_program_is_at_work(tmp_path):
    here = Instance(tmp_path)
    process, uid = program(tmp_path)
    try:
        process.send_signal(19)
        assert here.alive(uid)
        process.send_signal(18)
    finally:
        end(process)
    until(lambda: not here.alive(uid))


def test_a_program_that_it_starts_does_not_hold_its_lock(tmp_path):
    instance = Instance(tmp_path)
    uid = instance.register()
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], close_fds=False)
    try:
        instance.close()
        (tmp_path / f"{uid}.lock").touch()
        assert not Instance(tmp_path).alive(uid)
    finally:
        child.kill()
        child.wait()


def test_sweeping_spares_those_at_work(tmp_path):
    here, other = Instance(tmp_path), Instance(tmp_path)
    here.register()
    other.register()
    for name in "abc":
        (tmp_path / f"{name}.lock").touch()
    here.sweep()
    assert files(tmp_path) == sorted([f"{here.uid}.lock", f"{other.uid}.lock"])
    here.close()
    other.close()


def test_a_lock_swept_away_while_it_is_taken_is_taken_again(tmp_path, monkeypatch):
    import fcntl

    here = Instance(tmp_path)
    taken = fcntl.flock
    swept: list[str] = []

    def flock(descriptor: int, how: int) -> None:
        taken(descriptor, how)
        if not swept:
            swept.append(here.uid)
            (tmp_path / f"{here.uid}.lock").unlink()

    monkeypatch.setattr(fcntl, "flock", flock)
    here.register()
    assert swept
    assert Instance(tmp_path).alive(here.uid)
    here.close()


def test_what_cannot_be_looked_at_is_not_taken_for_gone(tmp_path):
    (tmp_path / "odd.lock").mkdir()
    assert Instance(tmp_path).alive("odd")


def test_a_number_of_a_process_means_nothing(tmp_path):
    """The name is drawn by lot; another process with the number of a dead one is not taken for it."""
    process, uid = program(tmp_path)
    end(process)
    assert str(process.pid) not in uid
    assert not Instance(tmp_path).alive(uid)
