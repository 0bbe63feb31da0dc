"""Runs the command line as a user does: in a process of its own, or in this one."""

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROOT = TESTS.parent


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """One thread, no network, and the tests' own modules importable."""
    return {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(TESTS), os.environ.get("PYTHONPATH")))),
        "COLUMNS": "200",
        **(extra or {}),
    }


def start(*args: str | Path, cwd: Path = ROOT) -> "subprocess.Popen[str]":
    """Start a command and return at once."""
    command = [sys.executable, "-m", "manyways", *map(str, args)]
    return subprocess.Popen(
        command,
        cwd=cwd,
        env=environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


DYING = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from dying import die_at; die_at(sys.argv[1], by=int(sys.argv[2]), after=sys.argv[3] == '1'); "
    "del sys.argv[1:4]; from manyways.cli.app import main; main()"
)
"""A shell's background job ignores Ctrl-C, and its children inherit that: undone first."""


def dying(*args: str | Path, at: str, by: int = signal.SIGKILL, after: bool = False) -> Outcome:
    """Run a command in a process that sends itself ``by`` as ``die_at`` says."""
    done = subprocess.run(
        [sys.executable, "-c", DYING, at, str(int(by)), str(int(after)), *map(str, args)],
        cwd=ROOT, env=environment(), text=True, capture_output=True, check=False,
    )  # fmt: skip
    return Outcome(done.returncode, done.stdout, done.stderr)


def in_a_process(*args: str | Path, cwd: Path = ROOT) -> Outcome:
    """Run a command to its end in a process of its own."""
    with start(*args, cwd=cwd) as process:
        out, err = process.communicate()
    return Outcome(process.returncode, out, err)


CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07")


def in_a_terminal(
    *args: str | Path,
    columns: int = 80,
    extra: Mapping[str, str] | None = None,
    into: Path = Path(os.devnull),
) -> Outcome:
    """Run a command on a pseudo-terminal; ``out`` is all that was ever shown, in order.

    extra: further variables of its environment. into: a file that gets standard output instead.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    wide = environment({"TERM": "xterm-256color", **(extra or {})})
    del wide["COLUMNS"]
    with into.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "manyways", *map(str, args)], cwd=ROOT, env=wide,
            stdin=theirs, stdout=theirs if into == Path(os.devnull) else file, stderr=theirs,
        )  # fmt: skip
    os.close(theirs)
    shown = bytearray()
    with contextlib.suppress(OSError):  # how a terminal says that nobody holds its other end
        while block := os.read(ours, 65536):
            shown += block
    os.close(ours)
    text = CONTROLS.sub("", shown.decode()).replace("\r\n", "\n").replace("\r", "\n")
    return Outcome(process.wait(), text, "")


def in_this_process(capsys: pytest.CaptureFixture[str], *args: str | Path) -> Outcome:
    """Run a command to its end in this process: no start-up cost."""
    from manyways.cli import app as cli

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["manyways", *map(str, args)])
        patch.setenv("COLUMNS", "200")
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main()
    captured = capsys.readouterr()
    return Outcome(int(end.value.code or 0), captured.out, captured.err)


def listed(
    capsys: pytest.CaptureFixture[str], config: pytest.Config, page: str, *facts: str
) -> None:
    """Print one command of a page and what came of it, where pytest was asked to show (``-s``)."""
    if config.getoption("capture") == "no":
        with capsys.disabled():
            print("\n" + " | ".join((page, *facts)))
