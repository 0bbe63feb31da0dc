"""On the path of a process, it notes what that process and its children write to and talk to.

One line each in the file WATCH_LOG: ``write <path>`` or ``talk <address>``.
"""
# ruff: noqa: PTH109, PTH115, PTH118  pathlib would be loaded in every process

import os
import sys

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
PATHS = {
    "os.mkdir": ((0, 2),),
    "os.rename": ((0, 2), (1, 3)),
    "os.remove": ((0, 1),),
    "os.rmdir": ((0, 1),),
    "os.link": ((1, 3),),
    "os.symlink": ((1, 2),),
    "os.truncate": ((0, 0),),
}
"""Event -> where its arguments have a path, and the descriptor of the folder that it is in."""
TALKS = {"socket.connect": 1, "socket.sendto": 1, "socket.getaddrinfo": 0}
_LOG = os.open(os.environ["WATCH_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def watch(event: str, args: tuple[object, ...]) -> None:
    if event == "open" and isinstance(args[2], int) and args[2] & WRITING:
        note("write", args[0], -1)
    elif event in PATHS:
        for path, folder in PATHS[event]:
            note("write", args[path], args[folder])
    elif event in TALKS:
        note("talk", repr(args[TALKS[event]]), -1)


def note(what: str, path: object, folder: object) -> None:
    if isinstance(path, str | bytes | os.PathLike):
        name = os.fsdecode(path)
        if what == "write":
            inside = isinstance(folder, int) and folder >= 0
            above = os.readlink(f"/proc/self/fd/{folder}") if inside else os.getcwd()
            name = os.path.normpath(os.path.join(above, name))
        os.write(_LOG, f"{what} {name}\n".encode())


sys.addaudithook(watch)
