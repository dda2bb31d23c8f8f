"""What holds for all tests."""

from __future__ import annotations

import os


def pytest_xdist_auto_num_workers() -> int:
    """`-n auto`: two tests a core, for most of them wait for a socket, a process or a clock."""
    return 2 * (os.cpu_count() or 1)
