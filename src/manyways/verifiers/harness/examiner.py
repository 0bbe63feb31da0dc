"""The trusted side: it runs the tests and calls the candidate's functions over the wire.

Its standard input is the task, a line of JSON, and then the candidate's messages. It reports on
standard error, which only this process has: first that it started, then the outcome.
"""

import ast
import builtins
import json
import os
import sys
from typing import Any

import wire  # type: ignore[import-not-found,unused-ignore]

Plain = Any
"""A value of built-in types."""


class CandidateGone(BaseException):
    """The candidate exited, was killed or sent nonsense. ``except Exception`` does not catch it."""


class Candidate(wire.Peer):  # type: ignore[misc,unused-ignore]
    """The other process. It may only call functions that a test passed to it.

    calls:   how often the tests called the program.
    foreign: types of values that the tests passed and that cannot be sent.
    """

    calls = 0

    def __init__(self, *pipes: Any) -> None:  # noqa: ANN401 - two binary files
        super().__init__(*pipes)
        self.foreign: list[str] = []

    def call(self, number: int, arguments: tuple[Plain, ...], named: dict[str, Plain]) -> Plain:
        """Call a function of the candidate. Its output becomes output of the tests."""
        self.calls += 1
        reply = self.ask(
            ask="call", of=number, arguments=self.encode(list(arguments)), named=self.encode(named)
        )
        sys.stdout.write(str(reply.get("printed", "")))
        value = self.decode(reply.get("value"))
        if value is None:
            copy_back(arguments, self.decode(reply.get("arguments")))
        return value

    def receive(self) -> dict[str, Any]:
        """The next message. Raises CandidateGone for anything else."""
        try:
            message: dict[str, Any] = super().receive()
        except (OSError, EOFError, ValueError, RecursionError) as error:
            raise CandidateGone(str(error)) from None
        return message

    def send(self, message: dict[str, Any]) -> None:
        """Send a message. Raises CandidateGone if nobody reads it."""
        try:
            super().send(message)
        except OSError as error:
            raise CandidateGone(str(error)) from None

    def decode(self, value: Plain) -> Plain:
        """A value of the candidate. Raises CandidateGone if it is malformed."""
        try:
            return super().decode(value)
        except Exception as error:  # noqa: BLE001 - parts of a forged value fail in any way
            raise CandidateGone(str(error)) from None

    def refer(self, value: object) -> Plain:
        """Remember values that cannot be sent: if a test then fails, the program may be right."""
        found = super().refer(value)
        if found[0] == "o" and not isinstance(value, wire.Opaque):
            self.foreign.append(found[1])
        return found


def copy_back(arguments: tuple[Any, ...], changed: Plain) -> None:
    """Apply the changes that the candidate made to its list, dict and set arguments."""
    if not isinstance(changed, list) or len(changed) != len(arguments):
        return
    for argument, now in zip(arguments, changed, strict=True):
        if type(argument) is not type(now) or argument == now:
            continue
        if isinstance(argument, list):
            argument[:] = now
        elif isinstance(argument, dict | set):
            argument.clear()
            argument.update(now)


def main() -> None:
    """Read the task, run the tests, report."""
    report = os.fdopen(os.dup(2), "wb", buffering=0)
    given = os.fdopen(0, "rb")
    task = json.loads(given.readline())
    candidate = Candidate(given, os.fdopen(os.dup(1), "wb"))
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (1, 2):
        os.dup2(nothing, standard)
    wire.limit({name: task["limits"][name] for name in ("AS", "FSIZE", "CORE")})
    candidate.ask(ask="limits", limits=task["limits"])
    report.write(b'{"started": true}\n')
    report.write(json.dumps(examine(task, candidate)).encode() + b"\n")


def examine(task: dict[str, Any], candidate: Candidate) -> dict[str, Any]:
    """Run the tests: ``passed``, or why not."""
    try:
        tests = compile(task["tests"], "<tests>", "exec")
    except (SyntaxError, ValueError) as error:
        return {"passed": False, "broken": f"the tests are not Python: {error}"}
    names: dict[str, Any] = {"__name__": "tests"}
    try:
        candidate.objects = task["objects"]
        candidate.ask(ask="load", program=task["program"], objects=task["objects"])
        for name in free_names(task["tests"], task["entry_point"]):
            names[name] = candidate.decode(candidate.ask(ask="name", name=name)["value"])
        exec(tests, names)
    except BaseException as error:  # noqa: BLE001 - a failed test, whatever it raised
        if candidate.foreign:
            kinds = ", ".join(dict.fromkeys(candidate.foreign))
            return {"passed": False, "broken": f"the tests hand over what cannot cross: {kinds}"}
        return {"passed": False, "rule": failure(error), "words": wire.describe(error)[1]}
    if candidate.calls == 0:
        return {"passed": False, "broken": "the tests never called the program"}
    return {"passed": True, "rule": "passed"}


def failure(error: BaseException) -> str:
    """One word for how it failed."""
    return "exited" if isinstance(error, CandidateGone) else type(error).__name__


def free_names(source: str, entry_point: str) -> list[str]:
    """Names that the tests use and that they do not define and that are no built-ins.

    The function asked for is included even if it is named like a built-in (MBPP has a ``sum``).
    """
    tree = ast.parse(source)
    stored: set[str] = set()
    loaded: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (loaded.append if isinstance(node.ctx, ast.Load) else stored.add)(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            stored.add(node.name)
        elif isinstance(node, ast.arg):
            stored.add(node.arg)
        elif isinstance(node, ast.alias):
            stored.add((node.asname or node.name).split(".")[0])
    return [
        name
        for name in dict.fromkeys(loaded)
        if name == entry_point or (name not in stored and not hasattr(builtins, name))
    ]


if __name__ == "__main__":
    main()
