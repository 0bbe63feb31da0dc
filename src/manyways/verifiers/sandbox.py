"""Where generated programs run: the isolation that works here, and what is missing without one.

Bubblewrap, a container (podman, docker), or wherever a function of the user's own starts them.
Whether one works is found by trying, because containers often have a binary and not the rights.
Everywhere a program also has hard limits on CPU time, memory, file size and open files, which the
harness sets before it reads the program. Without any isolation nothing runs unless the caller says
so. docs/verifiers.md says what each of them keeps away from a program.
"""

import contextlib
import functools
import logging
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from manyways.errors import NoIsolation
from manyways.verifiers import AUTO, bubblewrap, containers
from manyways.verifiers.containers import IMAGE, RUNTIMES, Order

OVERHEAD = 60.0
"""Seconds beyond a program's own limit in which its sandbox must have started and ended."""
MEMORY = 1024**3
FOLDER = 16 * 1024**2
HARNESS = Path(__file__).parent / "harness"
_FLAGS = ("-I", "-S", "-B")
_CLEANUP_SECONDS = 30.0

_log = logging.getLogger(__name__)
_LIMITS_ONLY = (
    "no separate network, file system, process or user space",
    "no system-call filter (a program can start processes)",
)
_SOME_PROCESSES = (
    f"the container's own system-call filter (a program can start {containers.PROCESSES} processes)"
)
_LOADER = """\
import sys, types
for name, source in {modules!r}:
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(source, name + ".py", "exec"), module.__dict__)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Isolation:
    """What protects this machine. ``missing`` names each protection that is not there.

    kind: ``bubblewrap``, ``podman``, ``docker``, ``module:function`` or ``none``.
    """

    kind: str
    missing: tuple[str, ...] = ()
    why: str = ""
    image: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Sandbox:
    """One that was started.

    ending: a command that ends what ``process`` has started elsewhere.
    folder: of a program without isolation.
    """

    process: subprocess.Popen[bytes]
    ending: tuple[str, ...] = ()
    folder: str | None = None

    def end(self) -> None:
        """Kill it and with it everything inside."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self.ending:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                subprocess.run(
                    self.ending,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    timeout=_CLEANUP_SECONDS,
                    check=False,
                )
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)


@functools.cache
def detect(wanted: str = AUTO, image: str | None = None) -> Isolation:
    """The isolation that works here, found by starting an interpreter in it.

    wanted: the only one that will do; ``auto`` for the first that works.

    Raises Untrusted for a ``module:function`` that nobody trusts, UserError when there is none.
    """
    tried = ("bubblewrap", *RUNTIMES) if wanted == AUTO else (wanted,)
    reasons = []
    for kind in tried:
        found, why = _look(kind, image)
        if found is not None:
            return found
        reasons.append(why)
    return Isolation(kind="none", missing=_LIMITS_ONLY, why="; ".join(reasons))


def _look(kind: str, image: str | None) -> tuple[Isolation | None, str]:
    """The isolation of this kind if it works, else why not."""
    if kind == "bubblewrap":
        for missing in ((), (_LIMITS_ONLY[1],)):
            why = bubblewrap.why_not(_FLAGS, folder=FOLDER, filtered=not missing)
            if not why:
                return Isolation(kind=kind, missing=missing), ""
        return None, why
    wish = containers.check(_FLAGS)
    if kind in RUNTIMES:
        start = containers.command(kind, image, wish, memory=MEMORY, folder=FOLDER)
        missing = (_SOME_PROCESSES,)
    else:
        start, missing = containers.remote(kind, wish), (f"what '{kind}' does not keep away",)
    why = containers.why_not(start, kind)
    return (None, why) if why else (Isolation(kind=kind, missing=missing, image=image), "")


def require(
    *, allow_unsafe_code: bool, isolation: str = AUTO, image: str | None = None
) -> Isolation:
    """The isolation to use; says loudly, once, what it lacks.

    Raises NoIsolation when there is none and the caller has not allowed running without.
    """
    found = detect(isolation, image)
    if found.kind == "none" and not allow_unsafe_code:
        raise NoIsolation(
            found.why,
            "Install bubblewrap (`apt install bubblewrap`) and allow user namespaces, or fetch the "
            f"image of a container (`podman pull {image or IMAGE}`, or docker), or name another "
            "place in verify.isolation (docs/verifiers.md), or accept the risk with "
            "--allow-unsafe-code (verify.allow_unsafe_code = true in a recipe).",
        )
    _warn(found)
    return found


@functools.cache
def _warn(isolation: Isolation) -> None:
    if isolation.missing:
        _log.warning("generated code runs with: %s.", "; ".join(isolation.missing))


def start(
    script: str,
    *,
    isolation: Isolation,
    pipes: tuple[int, int],
    report: int = subprocess.DEVNULL,
    seconds: float,
) -> Sandbox:
    """Start a harness script, its standard input and output being ``pipes``.

    report:  its standard error. seconds: after which it is gone wherever no kill reaches it.
    """
    words = [*_FLAGS, "-c", _source(script)]
    passed: tuple[int, ...] = ()
    environment: dict[str, str] | None = {}
    ending: list[str] = []
    folder = None
    if isolation.kind == "bubblewrap":
        filtered = not isolation.missing
        command, passed = bubblewrap.command(words, folder=FOLDER, filtered=filtered)
    elif isolation.kind == "none":
        command, folder = [sys.executable, *words], tempfile.mkdtemp(prefix="manyways-")
    else:
        command, ending = _elsewhere(isolation, containers.order(words, seconds))
        environment = None  # the client's own: where its daemon is, which server it asks
    try:
        process = subprocess.Popen(
            command,
            stdin=pipes[0],
            stdout=pipes[1],
            stderr=report,
            env=environment,
            cwd=folder,
            pass_fds=passed,
            start_new_session=True,
        )
    finally:
        for descriptor in passed:
            os.close(descriptor)
    return Sandbox(process=process, ending=tuple(ending), folder=folder)


def _elsewhere(isolation: Isolation, wish: Order) -> tuple[list[str], list[str]]:
    """What starts ``wish``, and what ends it."""
    if isolation.kind not in RUNTIMES:
        return containers.remote(isolation.kind, wish), []
    start = containers.command(isolation.kind, isolation.image, wish, memory=MEMORY, folder=FOLDER)
    return start, containers.ending(isolation.kind, wish)


def limits(seconds: float) -> dict[str, int]:
    """The hard limits that the harness sets on itself before it reads a program."""
    return {
        "CPU": math.ceil(seconds),
        "AS": MEMORY,
        "FSIZE": FOLDER,
        "NOFILE": 64,
        "CORE": 0,
        "NPROC": 256,
    }


@functools.cache
def _source(script: str) -> str:
    """A script of the harness with the module that it needs, as one text: no file is needed."""
    files = (("wire", "wire.py"), ("__main__", script))
    modules = [(name, (HARNESS / file).read_text(encoding="utf-8")) for name, file in files]
    return _LOADER.format(modules=modules)
