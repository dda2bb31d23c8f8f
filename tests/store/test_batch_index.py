"""The index of a batch's ids."""

from __future__ import annotations

import subprocess
import sys

from tests.kit.program import ROOT
from tui_chat.store.batch_index import Index

MEASURE = """
import os
from tui_chat.store.batch_index import Index
resident = lambda: int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
index = Index()
before = resident()
for n in range(1_000_000):
    index.put(f"some-longer-name-of-an-item-{n}", n + 1)
print((resident() - before) / 1_000_000)
"""


def test_marks_are_kept_and_replaced() -> None:
    index = Index()
    marks = {f"item-{n}": n + 1 for n in range(50_000)} | {"": 7, "ü\ud800": 8, "x" * 10_000: 2**32 - 1}
    for id, mark in marks.items():
        index.put(id, mark)
    for id in list(marks)[::3]:
        marks[id] = marks[id] ^ 1 or 1
        index.put(id, marks[id])
    assert len(index) == len(marks)
    assert {id: index.get(id) for id in marks} == marks
    assert not any(index.get(f"other-{n}") for n in range(50_000))


def test_sixteen_bytes_a_line() -> None:
    done = subprocess.run([sys.executable, "-c", MEASURE], cwd=ROOT, capture_output=True, check=True, timeout=60)
    assert float(done.stdout) < 16
