"""SIGTERM and SIGHUP raise an exception as Ctrl-C does, so that child processes are ended too."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


class Signalled(BaseException):
    """A signal told this process to end. Only the command line may catch it, so no Exception."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@dataclass
class _State:
    """``number``: the first signal that came, or 0. ``held``: signals wait for a block to end."""

    number: int = 0
    held: bool = False


_state = _State()


@contextmanager
def unwind() -> Iterator[None]:
    """In this context the first signal raises Signalled; a second one ends the process at once.

    A signal that this process was started to ignore (nohup, a shell's background job) stays
    ignored. A process that is forked from this one ends at once.
    """
    mine, _state.number = os.getpid(), 0

    def stop(number: int, _: FrameType | None) -> None:
        if _state.number or os.getpid() != mine:
            os._exit(128 + number)
        _state.number = number
        if not _state.held:
            raise Signalled(number)

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    heard = [number for number, handler in before.items() if handler == signal.SIG_DFL]
    for number in heard:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, before[number])


@contextmanager
def held() -> Iterator[None]:
    """A signal that comes in this context raises Signalled at its end."""
    _state.held = True
    try:
        yield
    finally:
        _state.held = False
    if _state.number:
        raise Signalled(_state.number)
