"""What holds for all tests."""

from __future__ import annotations

import os

import pytest


def pytest_xdist_auto_num_workers() -> int:
    """`-n auto`: one test more than cores, for many wait for a socket, a process or a clock."""
    return 1 + (os.cpu_count() or 1)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """A worker that is done takes tests from another: some take a hundred times as long as most."""
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log)
