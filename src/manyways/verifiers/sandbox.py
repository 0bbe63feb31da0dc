"""Where generated programs run: the isolation that works here, and what it lacks.

There are three kinds of isolation: bubblewrap, a container (podman, docker), and any place where a
function of the user's own starts the program. Whether one works is found out by trying, because a
machine may have the program without the rights to use it. Under each of them, and without any, the
harness sets hard limits on CPU time, memory, file size and open files before it reads the program.
Without isolation nothing runs unless the caller allows it. docs/verifiers.md says what each kind
keeps away from a program.

Bubblewrap gives a program its own user, process, network, IPC and host name spaces; no
capabilities; a read-only view of the interpreter and its libraries and of nothing else (no home, no
project, no /proc); an empty folder of 16 MiB; an empty environment; and a system-call filter (a
compiled BPF program) that refuses new processes and sockets. The filter is needed against fork
bombs, because the kernel exempts root from the limit on processes. Threads stay allowed: the memory
limit bounds them. When the sandbox ends, everything in it ends.

A container has no network, no capabilities and cannot gain any; it runs as nobody, with a read-only
view of its image, an empty folder of 16 MiB, limits on memory and on the number of processes, and
the runtime's own system-call filter. Nothing of this machine is mounted, so the daemon may be on
another machine. An image is never downloaded unasked. A container also ends by its own clock,
because killing the client that started it does not end it.
"""

import contextlib
import functools
import json
import logging
import math
import os
import platform
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from manyways.errors import NoIsolation, UserError
from manyways.plugins import resolve
from manyways.verifiers import AUTO

RUNTIMES = ("podman", "docker")
IMAGE = "docker.io/library/python:3.12-slim"
PROCESSES = 64
"""The most processes of a container."""
OVERHEAD = 60.0
"""Seconds beyond a program's own limit in which its sandbox must have started and ended."""
MEMORY = 1024**3
"""Bytes that a program may use."""
FOLDER = 16 * 1024**2
"""Bytes of the folder that a program may write to."""
HARNESS = Path(__file__).parent / "harness"
_FLAGS = ("-I", "-S", "-B")
_CLEANUP_SECONDS = 30.0

_log = logging.getLogger(__name__)
_LIMITS_ONLY = (
    "no separate network, file system, process or user space",
    "no system-call filter (a program can start processes)",
)
_SOME_PROCESSES = (
    f"the container's own system-call filter (a program can start {PROCESSES} processes)"
)
_LOADER = """\
import sys, types
for name, source in {modules!r}:
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(source, name + ".py", "exec"), module.__dict__)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Isolation:
    """What protects this machine.

    kind:    ``bubblewrap``, ``podman``, ``docker``, ``module:function`` or ``none``.
    missing: each protection that it does not give, in words.
    why:     if ``none``: why no other kind works.
    """

    kind: str
    missing: tuple[str, ...] = ()
    why: str = ""
    image: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """A command to run elsewhere with its standard input, output and error connected to ours.

    words:   Python and its arguments. Python 3.10 or newer is all that the other place needs.
    name:    a name that no other order has.
    seconds: time after which the command must have ended, even if its starter was killed.
    """

    words: tuple[str, ...]
    name: str
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Sandbox:
    """A sandbox that was started.

    ending: a command that ends what ``process`` started elsewhere.
    folder: the folder that a program without isolation runs in.
    """

    process: subprocess.Popen[bytes]
    ending: tuple[str, ...] = ()
    folder: str | None = None

    def end(self) -> None:
        """Kill it and everything inside."""
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
    """Find the isolation that works here, by starting an interpreter in it.

    wanted: the only kind to try; ``auto`` tries all and takes the first that works.

    Raises Untrusted for a ``module:function`` that nobody trusts, UserError for one that does not
    exist.
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
    """(the isolation of this kind, "") if it works, else (None, why not)."""
    if kind == "bubblewrap":
        for missing in ((), (_LIMITS_ONLY[1],)):
            why = _why_no_bubblewrap(filtered=not missing)
            if not why:
                return Isolation(kind=kind, missing=missing), ""
        return None, why
    order = _new_order([*_FLAGS, "-c", _VERSION], _START_SECONDS)
    if kind in RUNTIMES:
        start = container_command(kind, image, order)
        missing = (_SOME_PROCESSES,)
    else:
        start, missing = remote_command(kind, order), (f"what '{kind}' does not keep away",)
    why = _why_not_started(start, kind)
    return (None, why) if why else (Isolation(kind=kind, missing=missing, image=image), "")


def require(
    *, allow_unsafe_code: bool, isolation: str = AUTO, image: str | None = None
) -> Isolation:
    """The isolation to use. Warns once about what it lacks.

    Raises NoIsolation when there is none and the caller does not allow running without.
    """
    found = detect(isolation, image)
    if found.kind == "none" and not allow_unsafe_code:
        raise NoIsolation(
            found.why,
            f"To have one, {bubblewrap_fix()}, or fetch the image of a container (`podman pull "
            f"{image or IMAGE}`, or docker), or name another place in verify.isolation "
            "(docs/verifiers.md), or accept the risk with --allow-unsafe-code "
            "(verify.allow_unsafe_code = true in a recipe).",
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
    """Start a script of the harness.

    pipes:   descriptors of its standard input and output.
    report:  descriptor of its standard error.
    seconds: time after which it ends by itself where a kill from here would not reach it.
    """
    words = [*_FLAGS, "-c", _source(script)]
    passed: tuple[int, ...] = ()
    environment: dict[str, str] | None = {}
    ending: list[str] = []
    folder = None
    if isolation.kind == "bubblewrap":
        command, passed = _bubblewrap_command(words, filtered=not isolation.missing)
    elif isolation.kind == "none":
        command, folder = [sys.executable, *words], tempfile.mkdtemp(prefix="manyways-")
    else:
        command, ending = _elsewhere(isolation, _new_order(words, seconds))
        environment = None  # the client reads from its variables where its daemon is
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


def _elsewhere(isolation: Isolation, order: Order) -> tuple[list[str], list[str]]:
    """The command that starts ``order``, and the command that ends it."""
    if isolation.kind not in RUNTIMES:
        return remote_command(isolation.kind, order), []
    start = container_command(isolation.kind, isolation.image, order)
    return start, [isolation.kind, "rm", "--force", order.name]


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
    """A script of the harness together with its module ``wire``, as one text that needs no file."""
    files = (("wire", "wire.py"), ("__main__", script))
    modules = [(name, (HARNESS / file).read_text(encoding="utf-8")) for name, file in files]
    return _LOADER.format(modules=modules)


_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_EPERM, _ENOSYS = 0x00050000 | 1, 0x00050000 | 38
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_CLONE_THREAD = 0x10000

# audit architecture, clone, clone3, then the calls that are refused
_CALLS: dict[str, tuple[int, int, int, tuple[int, ...]]] = {
    # fork, vfork, ptrace, socket, unshare, setns, mount, umount2, add_key, request_key, keyctl,
    # bpf, perf_event_open, userfaultfd, io_uring_setup, process_vm_readv, process_vm_writev
    "x86_64": (
        0xC000003E, 56, 435,
        (57, 58, 101, 41, 272, 308, 165, 166, 248, 249, 250, 321, 298, 323, 425, 310, 311),
    ),
    "aarch64": (
        0xC00000B7, 220, 435,
        (117, 198, 97, 268, 40, 39, 217, 218, 219, 280, 241, 282, 425, 270, 271),
    ),
}  # fmt: skip


def system_call_filter(machine: str = "") -> bytes | None:
    """The BPF program for this processor (or ``machine``); None for an unknown processor."""
    calls = _CALLS.get(machine or platform.machine())
    if calls is None:
        return None
    architecture, clone, clone3, refused = calls
    steps = [
        _step(_LOAD, value=_ARCHITECTURE),
        _step(_EQUAL, 1, 0, value=architecture),
        _step(_RETURN, value=_KILL),
        _step(_LOAD, value=_NUMBER),
        _step(_AT_LEAST, 0, 1, value=0x40000000),  # the x32 calls, which would slip past
        _step(_RETURN, value=_EPERM),
    ]
    for call in refused:
        steps += [_step(_EQUAL, 0, 1, value=call), _step(_RETURN, value=_EPERM)]
    steps += [
        _step(_EQUAL, 0, 1, value=clone3),  # its flags lie in memory, out of a filter's sight;
        _step(_RETURN, value=_ENOSYS),  # the C library then falls back to clone
        _step(_EQUAL, 0, 3, value=clone),
        _step(_LOAD, value=_FIRST_ARGUMENT),
        _step(_ANY_BIT, 1, 0, value=_CLONE_THREAD),
        _step(_RETURN, value=_EPERM),
        _step(_RETURN, value=_ALLOW),
    ]
    return b"".join(steps)


def _step(code: int, if_true: int = 0, if_false: int = 0, *, value: int) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


_PROBE = "import os, json; print(json.dumps([os.getcwd(), os.path.exists('/proc/self')]))"


def _interpreter() -> str:
    return str(Path(sys.base_prefix, "bin", f"python{sys.version_info[0]}.{sys.version_info[1]}"))


def _bubblewrap_command(
    words: Sequence[str], *, filtered: bool
) -> tuple[list[str], tuple[int, ...]]:
    """A command that runs Python with ``words``, and the descriptors that it has to inherit."""
    start, descriptor = _namespaces(filtered=filtered)
    passed = () if descriptor is None else (descriptor,)
    return [*start, _interpreter(), *words], passed


def _why_no_bubblewrap(*, filtered: bool) -> str:
    """Why Python does not start in bubblewrap; empty when it does."""
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed"
    if filtered and system_call_filter() is None:
        return "no system-call filter is known for this processor"
    start, passed = _bubblewrap_command([*_FLAGS, "-c", _PROBE], filtered=filtered)
    try:
        done = subprocess.run(
            start, capture_output=True, timeout=60, env={}, check=False, pass_fds=passed
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not work: {error}"
    finally:
        for descriptor in passed:
            os.close(descriptor)
    if done.returncode == 0 and json.loads(done.stdout or b"null") == ["/tmp", False]:
        return ""
    words = done.stderr.decode(errors="replace").strip()[:300]
    return f"bubblewrap does not work: {words or f'exit code {done.returncode}'}"


_SWITCHES = {
    "user.max_user_namespaces": ("0", "15000"),
    "kernel.unprivileged_userns_clone": ("0", "1"),
    "kernel.apparmor_restrict_unprivileged_userns": ("1", "0"),
}
"""Setting of the kernel -> the value that refuses user namespaces, a value that allows them."""


def bubblewrap_fix() -> str:
    """What would make bubblewrap work here, in words."""
    if shutil.which("bwrap") is None:
        return "`apt install bubblewrap`"
    closed = [
        f"`sysctl {name}={on}`" for name, (off, on) in _SWITCHES.items() if _setting(name) == off
    ]
    if closed:
        return f"allow user namespaces: as root {' and '.join(closed)}"
    return (
        "allow user namespaces: start the container with `--security-opt seccomp=unconfined` or "
        "`--privileged`, and leave a chroot, which has none"
    )


def _setting(name: str) -> str:
    try:
        return Path("/proc/sys", *name.split(".")).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _namespaces(*, filtered: bool) -> tuple[list[str], int | None]:
    """The command up to the program, and the descriptor of the filter that it names."""
    command = [
        str(shutil.which("bwrap")),
        "--unshare-all", "--unshare-user", "--die-with-parent", "--new-session", "--clearenv",
        "--uid", "65534", "--gid", "65534", "--hostname", "sandbox", "--cap-drop", "ALL",
    ]  # fmt: skip
    for path in _visible():
        if path.is_symlink() and path.parent == Path("/"):
            command += ["--symlink", str(path.readlink()), str(path)]
        else:
            command += ["--ro-bind", str(path), str(path)]
    for device in ("null", "zero", "urandom"):
        command += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
    command += ["--size", str(FOLDER), "--tmpfs", "/tmp"]
    command += ["--remount-ro", "/", "--chdir", "/tmp"]
    code = system_call_filter() if filtered else None
    if code is None:
        return [*command, "--"], None
    descriptor = os.memfd_create("filter")
    os.write(descriptor, code)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return [*command, "--seccomp", str(descriptor), "--"], descriptor


def _visible() -> list[Path]:
    """The interpreter, its standard library, and the system's shared libraries."""
    base = Path(sys.base_prefix)
    paths = [Path("/lib"), Path("/lib64"), Path("/lib32"), Path("/usr/lib"), Path("/usr/lib64")]
    if base == Path("/usr"):
        paths.append(Path(os.path.realpath(_interpreter())))
        paths.append(Path(_interpreter()))
    else:
        paths += [Path(_interpreter()).resolve(), Path(_interpreter()), base / "lib"]
    return [path for path in dict.fromkeys(paths) if path.exists()]


_PYTHON = (3, 10)
"""The oldest version that the harness runs on."""
_VERSION = "import sys; print(*sys.version_info[:2])"
_START_SECONDS = 120.0


def _new_order(words: Sequence[str], seconds: float) -> Order:
    """An order with a new name."""
    name = f"manyways-{uuid.uuid4().hex}"
    return Order(words=("python3", *words), name=name, seconds=seconds)


def container_command(runtime: str, image: str | None, order: Order) -> list[str]:
    """The command that carries out ``order`` in a container of ``image`` (None: ``IMAGE``)."""
    return [
        runtime, "run", "--rm", "--interactive", "--pull", "never", "--name", order.name,
        "--network", "none", "--ipc", "none", "--read-only", "--cap-drop", "ALL",
        "--security-opt", "no-new-privileges", "--user", "65534:65534",
        "--pids-limit", str(PROCESSES), "--memory", str(MEMORY), "--memory-swap", str(MEMORY),
        "--ulimit", "nofile=64:64", "--ulimit", "nproc=256:256",
        "--tmpfs", f"/tmp:rw,size={FOLDER},mode=1777", "--workdir", "/tmp",
        "--entrypoint", "timeout", image or IMAGE, "-s", "KILL", f"{order.seconds:.0f}",
        *order.words,
    ]  # fmt: skip


def remote_command(name: str, order: Order) -> list[str]:
    """The command that the user's function ``module:function`` makes of ``order``.

    Raises UserError when it does not return a list of words, Untrusted when nobody trusts it.
    """
    function = cast(Callable[[Order], list[str]], resolve(name, {}, "isolation"))
    words = function(order)
    if not isinstance(words, list) or not all(isinstance(one, str) for one in words) or not words:
        raise UserError(f"verify.isolation = '{name}' must return a list of words, not {words!r}.")
    return words


def _why_not_started(start: Sequence[str], what: str) -> str:
    """Why the command ``start`` does not print a recent Python's version; empty when it does."""
    if shutil.which(start[0]) is None:
        return f"{what} is not installed" if what == start[0] else f"{what}: no '{start[0]}' here"
    try:
        done = subprocess.run(start, capture_output=True, timeout=_START_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{what} does not work: {error}"
    said = done.stdout.decode(errors="replace").split()
    if done.returncode != 0 or len(said) != 2 or not all(part.isdigit() for part in said):
        words = " ".join(done.stderr.decode(errors="replace").split())[:300]
        return f"{what} does not work: {words or f'exit code {done.returncode}'}"
    if tuple(map(int, said)) < _PYTHON:
        return f"{what} has Python {'.'.join(said)}; 3.10 or newer is needed"
    return ""
