"""The trusted side: runs the tests, calling the candidate's functions over the wire.

Reports on a descriptor that only this process has: first that it started, then the outcome.
Arguments: the number of that descriptor, and of the one that holds the task as JSON.
"""

import ast
import builtins
import json
import os
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - stdlib only
import wire  # type: ignore[import-not-found,unused-ignore]

Plain = Any
"""A value of built-in types."""


class CandidateGone(BaseException):
    """The candidate exited, was killed or sent nonsense. No ``except Exception`` catches it."""


class Candidate:
    """The other process."""

    def __init__(self, replies: BinaryIO, requests: BinaryIO) -> None:
        self._replies, self._requests = replies, requests
        self.calls = 0

    def ask(self, **request: Plain) -> dict[str, Any]:
        """One request and its reply; an exception there is raised here."""
        try:
            wire.send(self._requests, request)
            reply: dict[str, Any] = wire.receive(self._replies)
            if "value" in reply:
                reply["value"] = wire.decode(reply["value"])
            if "arguments" in reply:
                reply["arguments"] = wire.decode(reply["arguments"])
        except (OSError, EOFError, ValueError, TypeError, RecursionError) as error:
            raise CandidateGone(str(error)) from None
        if "raised" in reply:
            raise exception(reply["raised"])
        return reply

    def function(self, name: str) -> Callable[..., Plain]:
        """A function of the candidate, to be called by tests."""

        def remote(*arguments: Plain, **named: Plain) -> Plain:
            self.calls += 1
            reply = self.ask(
                call=name, arguments=wire.encode(list(arguments)), named=wire.encode(named)
            )
            if reply.get("value") is None:
                copy_back(arguments, reply.get("arguments"))
            return reply.get("value")

        remote.__name__ = name
        return remote


def copy_back(arguments: tuple[Any, ...], changed: Plain) -> None:
    """What a function that returns None did to its list, dict and set arguments."""
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


def exception(raised: list[str]) -> BaseException:
    """A built-in exception of the same name, so that tests can expect it."""
    name, words = (str(part) for part in raised)
    kind = getattr(builtins, name, None)
    if isinstance(kind, type) and issubclass(kind, Exception):
        try:
            return kind(words)
        except TypeError:  # UnicodeDecodeError and its like want more arguments
            pass
    return RuntimeError(f"{name}: {words}")


def main() -> None:
    """Read the task, examine, report."""
    report = os.fdopen(int(sys.argv[1]), "wb", buffering=0)
    with os.fdopen(int(sys.argv[2]), "rb") as file:
        task = json.load(file)
    candidate = Candidate(os.fdopen(0, "rb"), os.fdopen(os.dup(1), "wb"))
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)
    candidate.ask(limits=task["limits"])
    report.write(b'{"started": true}\n')
    report.write(json.dumps(examine(task, candidate)).encode() + b"\n")


def examine(task: dict[str, Any], candidate: Candidate) -> dict[str, Any]:
    """Run the tests: ``passed``, or why not."""
    try:
        candidate.ask(program=task["program"])
    except BaseException as error:  # noqa: BLE001 - the program's outcome, whatever it is
        return {"passed": False, "rule": failure(error), "words": str(error)[:300]}
    names: dict[str, Any] = {"__name__": "tests"}
    try:
        tests = compile(task["tests"], "<tests>", "exec")
        for name in free_names(task["tests"], task["entry_point"]):
            found = candidate.ask(defined=name)
            names[name] = candidate.function(name) if found.get("callable") else found.get("value")
    except SyntaxError as error:
        return {"passed": False, "broken": f"the tests are not Python: {error}"}
    except BaseException as error:  # noqa: BLE001
        return {"passed": False, "rule": failure(error), "words": str(error)[:300]}
    try:
        exec(tests, names)
    except BaseException as error:  # noqa: BLE001 - a failed test, whatever it raised
        return {"passed": False, "rule": failure(error), "words": str(error)[:300]}
    if candidate.calls == 0:
        return {"passed": False, "broken": "the tests never called the program"}
    return {"passed": True, "rule": "passed"}


def failure(error: BaseException) -> str:
    """One word for how it failed."""
    return "exited" if isinstance(error, CandidateGone) else type(error).__name__


def free_names(source: str, entry_point: str) -> list[str]:
    """Names that the tests use and neither define nor find among the built-ins.

    The function asked for may shadow a built-in (MBPP asks for a ``sum``).
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
