"""verl as a process: one at a time, gone when we are gone, its last words kept."""

import contextlib
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from manyways.errors import RunDirError
from manyways.train.launch import end

LOOK_SECONDS = 10.0
"""Between two looks at what verl has logged."""
GRACE_SECONDS = 30.0
"""For verl to end its Ray cluster."""
WAIT_SECONDS = 60.0
"""For the verl of a killed command to end."""
TAIL, TAIL_BYTES = 15, 1 << 16
"""Lines of verl's own words in an error, and where at most they are looked for."""
TOLD_TO_END = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("started by a command that is gone")
os.execvp(sys.argv[2], sys.argv[2:])
"""
"""Becomes the command after asking Linux for a SIGTERM at its parent's death (prctl's
PR_SET_PDEATHSIG, which survives exec)."""


def run(words: list[str], console: Path, *, look: Callable[[], None]) -> int:
    """Run ``words`` to their end; returns the exit code.

    console: gets what it writes, after what is there. look: called every ``LOOK_SECONDS``, and
    at the end. The process ends with this one, however that ends (on Linux).

    Raises RunDirError when an earlier one still runs in the folder of ``console``.
    """
    starter = [sys.executable, "-c", TOLD_TO_END, str(os.getpid())]
    with _alone(console.parent) as lock, console.open("ab") as stream:
        process = subprocess.Popen(
            [*starter, *words],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            # Held for as long as it lives, also when this process is killed.
            pass_fds=(lock,),
        )
        try:
            while True:
                try:
                    return process.wait(LOOK_SECONDS)
                except subprocess.TimeoutExpired:
                    look()
        finally:
            end(process, GRACE_SECONDS)
            look()


def tail(console: Path, begin: int) -> str:
    """The last lines of ``console`` behind byte ``begin``, indented."""
    begin = max(begin, console.stat().st_size - TAIL_BYTES)
    with console.open("rb") as stream:
        stream.seek(begin)
        text = stream.read().decode("utf-8", errors="replace")
    lines = [line.rstrip() for line in text.replace("\r", "\n").split("\n") if line.strip()]
    return "\n".join(f"  {line}" for line in lines[-TAIL:]) or "  (not a word)"


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[int]:
    """The descriptor of the folder's lock, held."""
    with (folder / ".lock").open("a") as lock:
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if time.monotonic() > deadline:
                    raise RunDirError(
                        f"verl, started by an earlier command, still runs in '{folder}': wait for "
                        "it, or end it."
                    ) from error
                time.sleep(0.2)
        yield lock.fileno()
