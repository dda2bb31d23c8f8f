"""What holds for all tests."""

from __future__ import annotations

import os


def pytest_xdist_auto_num_workers() -> int:
    """`-n auto`: one test more than cores, for many wait for a socket, a process or a clock."""
    return 1 + (os.cpu_count() or 1)
