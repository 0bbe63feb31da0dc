"""Bubblewrap: a program in name spaces of its own, under a system-call filter.

It has: its own user, process, network, IPC and host name spaces; no capabilities; a read-only view
of the interpreter and its libraries and of nothing else (no home, no project, no /proc); an empty
16 MiB folder of its own; an empty environment; a system-call filter (a compiled BPF program) that
refuses new processes and sockets. The kernel exempts root from the limit on processes, so a fork
bomb needs the filter. Threads stay allowed: the memory limit bounds them. Ending the sandbox ends
everything in it.
"""

import json
import os
import platform
import shutil
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

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


_CHECK = "import os, json; print(json.dumps([os.getcwd(), os.path.exists('/proc/self')]))"


def _interpreter() -> str:
    return str(Path(sys.base_prefix, "bin", f"python{sys.version_info[0]}.{sys.version_info[1]}"))


def command(
    words: Sequence[str], *, folder: int, filtered: bool
) -> tuple[list[str], tuple[int, ...]]:
    """A command that runs Python with ``words``, and the descriptors that it has to inherit.

    folder: bytes of the folder that the program may write to.
    """
    start, descriptor = _namespaces(folder, filtered=filtered)
    passed = () if descriptor is None else (descriptor,)
    return [*start, _interpreter(), *words], passed


def why_not(words: Sequence[str], *, folder: int, filtered: bool) -> str:
    """Why Python does not start in the sandbox; empty when it does."""
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed"
    if filtered and program() is None:
        return "no system-call filter is known for this processor"
    start, passed = command([*words, "-c", _CHECK], folder=folder, filtered=filtered)
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
    words_of = done.stderr.decode(errors="replace").strip()[:300]
    return f"bubblewrap does not work: {words_of or f'exit code {done.returncode}'}"


def _namespaces(folder: int, *, filtered: bool) -> tuple[list[str], int | None]:
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
    command += ["--size", str(folder), "--tmpfs", "/tmp"]
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
