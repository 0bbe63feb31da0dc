"""Where generated programs run: bubblewrap, and what is missing where it does not work.

With bubblewrap a program has: its own user, process, network, IPC and host name spaces; no
capabilities; a read-only view of the interpreter and its libraries and of nothing else (no home,
no project, no /proc); an empty 16 MiB folder of its own; an empty environment; hard limits on CPU
time, memory, file size and open files; a system-call filter (a compiled BPF program) that refuses
new processes and sockets. The kernel exempts root from the limit on processes, so a fork bomb needs
the filter. Threads stay allowed: the memory limit bounds them. Ending the sandbox ends everything
in it.

It is detected by trying, because containers often have the binary and not the rights. Without it,
nothing runs unless the caller says so.
"""

import functools
import json
import logging
import math
import os
import platform
import shutil
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from manyways.errors import UserError

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


def program(machine: str = "") -> bytes | None:
    """The filter for this processor (or ``machine``), None where it is not known."""
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


OVERHEAD = 60.0
"""Seconds beyond a program's own limit in which its sandbox must have started and ended."""
MEMORY = 1024**3
FOLDER = 16 * 1024**2
HARNESS = Path(__file__).parent / "harness"

_log = logging.getLogger(__name__)
_LIMITS_ONLY = (
    "no separate network, file system, process or user space",
    "no system-call filter (a program can start processes)",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Isolation:
    """What protects this machine. ``missing`` names each protection that is not there."""

    kind: str
    missing: tuple[str, ...] = ()
    why: str = ""


@functools.cache
def detect() -> Isolation:
    """The isolation that works here, found by starting an interpreter in it."""
    binary = shutil.which("bwrap")
    if binary is None:
        return Isolation(kind="none", missing=_LIMITS_ONLY, why="bubblewrap is not installed")
    why = ""
    for filtered in (True, False):
        if filtered and program() is None:
            continue
        why = _try(filtered=filtered)
        if not why:
            missing = () if filtered else (_LIMITS_ONLY[1],)
            return Isolation(kind="bubblewrap", missing=missing)
    return Isolation(kind="none", missing=_LIMITS_ONLY, why=f"bubblewrap does not work: {why}")


def require(*, allow_unsafe_code: bool) -> Isolation:
    """The isolation to use; says loudly, once, what it lacks.

    Raises UserError when there is none and the caller has not allowed running without.
    """
    isolation = detect()
    if isolation.kind == "none" and not allow_unsafe_code:
        raise UserError(
            f"refusing to run generated code without a sandbox: {isolation.why}. Install "
            "bubblewrap (`apt install bubblewrap`) and allow user namespaces, or accept the risk "
            "with --allow-unsafe-code (verify.allow_unsafe_code = true in a recipe)."
        )
    _warn(isolation)
    return isolation


@functools.cache
def _warn(isolation: Isolation) -> None:
    if isolation.missing:
        _log.warning("generated code runs with: %s.", "; ".join(isolation.missing))


def start(
    script: str,
    arguments: list[str],
    *,
    isolation: Isolation,
    pipes: tuple[int, int],
    passed: tuple[int, ...] = (),
) -> subprocess.Popen[bytes]:
    """Start a harness script, its standard input and output being ``pipes``."""
    if isolation.kind == "bubblewrap":
        filtered = not isolation.missing
        command, filter_fd = _bubblewrap(filtered=filtered)
        command += [_interpreter(), "-I", "-S", "-B", f"/harness/{script}", *arguments]
        folder = None
    else:
        command = [sys.executable, "-I", "-S", "-B", str(HARNESS / script), *arguments]
        folder, filter_fd = tempfile.mkdtemp(prefix="manyways-"), None
    try:
        return subprocess.Popen(
            command,
            stdin=pipes[0],
            stdout=pipes[1],
            stderr=subprocess.DEVNULL,
            env={},
            cwd=folder,
            pass_fds=(*passed, filter_fd) if filter_fd is not None else passed,
            start_new_session=True,
        )
    finally:
        if filter_fd is not None:
            os.close(filter_fd)


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


def _interpreter() -> str:
    return str(Path(sys.base_prefix, "bin", f"python{sys.version_info[0]}.{sys.version_info[1]}"))


def _bubblewrap(*, filtered: bool) -> tuple[list[str], int | None]:
    """The command up to the program, and the descriptor of the filter that it names."""
    command = [
        str(shutil.which("bwrap")),
        "--unshare-all", "--die-with-parent", "--new-session", "--clearenv",
        "--uid", "65534", "--gid", "65534", "--hostname", "sandbox", "--cap-drop", "ALL",
    ]  # fmt: skip
    for path in _visible():
        if path.is_symlink() and path.parent == Path("/"):
            command += ["--symlink", str(path.readlink()), str(path)]
        else:
            command += ["--ro-bind", str(path), str(path)]
    for device in ("null", "zero", "urandom"):
        command += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
    command += ["--ro-bind", str(HARNESS), "/harness", "--size", str(FOLDER), "--tmpfs", "/tmp"]
    command += ["--remount-ro", "/", "--chdir", "/tmp"]
    code = program() if filtered else None
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


def _try(*, filtered: bool) -> str:
    """Why an interpreter does not start in the sandbox; empty when it does."""
    command, descriptor = _bubblewrap(filtered=filtered)
    check = "import os, json; print(json.dumps([os.getcwd(), os.path.exists('/proc/self')]))"
    try:
        done = subprocess.run(
            [*command, _interpreter(), "-I", "-S", "-B", "-c", check],
            capture_output=True,
            timeout=60,
            env={},
            check=False,
            pass_fds=() if descriptor is None else (descriptor,),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    finally:
        if descriptor is not None:
            os.close(descriptor)
    if done.returncode == 0 and json.loads(done.stdout or b"null") == ["/tmp", False]:
        return ""
    return done.stderr.decode(errors="replace").strip()[:300] or f"exit code {done.returncode}"
