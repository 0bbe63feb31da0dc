"""Does something to a process at a moment that is told by what it does, not by a clock."""

import os
import signal
import sys
from collections.abc import Callable
from fnmatch import fnmatch
from typing import Any

TOUCHES = ("open", "os.rename", "os.mkdir", "os.listdir", "os.scandir")


def at_rename(
    pattern: str, act: Callable[[], object], *, count: int = 1, after: bool = False
) -> None:
    """Call ``act`` once, before the ``count``-th file is renamed to ``pattern``.

    after: not before it is renamed but at the next file that this process touches.
    """
    left, due = count, False

    def hook(event: str, args: tuple[Any, ...]) -> None:
        nonlocal left, due
        if due and event in TOUCHES:
            due = False
            act()
        if left and event == "os.rename" and fnmatch(os.fsdecode(args[1]), pattern):
            left -= 1
            if left == 0:
                due = after
                if not after:
                    act()

    sys.addaudithook(hook)


def die_at(pattern: str, *, count: int = 1, by: int = signal.SIGKILL, after: bool = False) -> None:
    """Send this process ``by`` at that moment."""
    at_rename(pattern, lambda: os.kill(os.getpid(), by), count=count, after=after)
