"""A system-call filter for the sandbox: no new processes, no sockets, no kernel toys.

bubblewrap takes a compiled BPF program. The kernel exempts root from the limit on processes, so a
fork bomb needs a filter. Threads stay allowed: the memory limit bounds them.
"""

import platform
import struct

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
