"""The untrusted side: it loads the generated program and answers calls of its functions.

Nothing in this process decides about the verdict. The program may patch, exit or lie: it can only
send return values, and the examiner compares them in another process.
"""

import io
import os
import sys
import types
from typing import Any

import wire  # type: ignore[import-not-found,unused-ignore]

MODULE = "program"
"""The program's ``__name__``. It is imported, so code under its main guard does not run."""
MAX_PRINTED = 100_000
"""The most characters of a call's output that the tests can see."""


def main() -> None:
    """Serve requests until the examiner closes its end."""
    peer = Program(os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb"))
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    while True:
        peer.send(peer.serve(peer.receive()))


class Program(wire.Peer):  # type: ignore[misc,unused-ignore]
    """Answers for the program: names, calls, and operations on its objects."""

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The reply to one request of the examiner."""
        asked, value = request["ask"], None
        if asked == "limits":
            wire.limit(request["limits"])
        elif asked == "load":
            self.objects = request["objects"]
            self.names = load(request["program"])
        elif asked == "name":
            value = self.names.get(request["name"])
        elif asked == "get":
            value = getattr(self.lent(request["of"]), request["name"])
        elif asked == "set":
            setattr(self.lent(request["of"]), request["name"], self.decode(request["value"]))
        elif asked == "call":
            return self.called(request)
        else:
            operands = self.decode(request["arguments"])
            value = wire.OPERATIONS[asked](self.lent(request["of"]), *operands)
        return {"value": self.encode(value)}

    def called(self, request: dict[str, Any]) -> dict[str, Any]:
        """A call's return value and output; its changed arguments, too, if it returns None."""
        function: Any = self.lent(request["of"])
        arguments = self.decode(request["arguments"])
        printed = sys.stdout = Printed()
        result = function(*arguments, **self.decode(request["named"]))
        reply = {"value": self.encode(result), "printed": printed.getvalue()}
        if result is None:
            reply["arguments"] = self.encode(arguments)
        return reply

    def refer(self, value: object) -> Any:  # noqa: ANN401 - JSON
        """The program's classes and their objects are sent by reference if tests need them."""
        kind = value if isinstance(value, type) else type(value)
        if self.objects and kind.__module__ == MODULE:
            return ["X", self.lend(value)]
        return super().refer(value)


class Printed(io.StringIO):
    """Standard output of one call, up to ``MAX_PRINTED`` characters."""

    def write(self, text: str) -> int:
        """Keep only the beginning."""
        super().write(text[: max(MAX_PRINTED - self.tell(), 0)])
        return len(text)


def load(source: str) -> dict[str, Any]:
    """Run the program as a module; returns its names."""
    module = sys.modules[MODULE] = types.ModuleType(MODULE)
    sys.stdout = Printed()
    exec(compile(source, "<program>", "exec"), module.__dict__)
    return module.__dict__


if __name__ == "__main__":
    main()
