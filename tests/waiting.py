"""For what another process does in its own time: asked again and again, and given up late."""

import time
from collections.abc import Callable

import psutil

PATIENCE = 120.0
"""Seconds; only a test that fails anyway waits so long."""


def eventually(condition: Callable[[], object]) -> bool:
    """Whether ``condition`` comes true."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def runs(pid: int) -> bool:
    """Whether this process has not ended; one that nobody waited for has."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
