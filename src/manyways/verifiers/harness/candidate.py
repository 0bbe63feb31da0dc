"""The untrusted side: loads the generated program and answers calls to its functions.

Nothing that is written here decides anything. The program may patch, exit or forge as it likes:
all it can hand over is return values, and the examiner compares those in another process.
"""

import os
import sys
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - stdlib only
import wire  # type: ignore[import-not-found,unused-ignore]


def main() -> None:
    """Serve calls until the examiner closes its end."""
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    limit(wire.receive(requests)["limits"])
    wire.send(replies, {"hello": True})
    program = wire.receive(requests)["program"]
    names: dict[str, Any] = {"__name__": "__main__"}
    try:
        exec(compile(program, "<program>", "exec"), names)
    except BaseException as error:  # noqa: BLE001 - whatever the program raises is its outcome
        wire.send(replies, {"raised": describe(error)})
        return
    wire.send(replies, {"loaded": True})
    while True:
        request = wire.receive(requests)
        wire.send(replies, answer(names, request))


def limit(limits: dict[str, int]) -> None:
    """Set hard limits before anything of the program is read."""
    import resource

    for name, value in limits.items():
        which = getattr(resource, f"RLIMIT_{name}", None)
        if which is not None:
            resource.setrlimit(which, (value, value))


def answer(names: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    """The outcome of one call, or the value of one name."""
    try:
        if "defined" in request:
            value = names.get(request["defined"])
            return {"callable": callable(value), "value": wire.encode(value)}
        arguments = wire.decode(request["arguments"])
        named = wire.decode(request["named"])
        result = names[request["call"]](*arguments, **named)
        reply = {"value": wire.encode(result)}
        if result is None:
            reply["arguments"] = wire.encode(arguments)
        return reply
    except BaseException as error:  # noqa: BLE001 - whatever the program raises is its outcome
        return {"raised": describe(error)}


def describe(error: BaseException) -> list[str]:
    """The error's type and words; its own ``__str__`` may fail too."""
    try:
        return [type(error).__name__, str(error)[:300]]
    except BaseException:  # noqa: BLE001
        return [type(error).__name__, ""]


if __name__ == "__main__":
    main()
