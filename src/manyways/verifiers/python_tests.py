"""Generated programs, verified by tests (HumanEval and MBPP style).

There are two sandboxes, connected by two pipes: the candidate's holds the program, the examiner's
holds the tests. When a test calls a function, the call goes to the candidate as plain data, and the
return value comes back as plain data. The examiner compares it, and only the examiner can report.
So nothing that the program does to itself can make a test pass: to exit early, to patch ``assert``
or built-ins, to print a success marker, or to return objects with a false ``__eq__``. Functions are
passed as stand-ins and run in their own process. Objects of a class are passed in the same way if
neither the prompt nor the reference asks for a function.

A program that fails, exits, or uses up its time or memory is wrong, and the rule says which. A
failure of the tests or of the sandbox itself is undecided.
"""

import ast
import contextlib
import json
import os
import select
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from manyways.records import Problem, Verdict
from manyways.verifiers import AUTO, programs, sandbox

CPU_SHARE, WALL_SHARE = 2, 3
_MESSAGES = (b'{"started"', b'{"passed"')
_START_LIMIT = 40.0  # seconds for two interpreters to start on a busy machine


def verify(
    problem: Problem,
    text: str,
    *,
    timeout: float = 5.0,
    allow_unsafe_code: bool = False,
    isolation: str = AUTO,
    image: str | None = None,
) -> Verdict:
    """Run the program in ``text`` against ``problem.tests``.

    isolation, image: where it runs (``sandbox.detect``).
    timeout: the limit for one answer in seconds. All tests of a problem together may use
        ``CPU_SHARE`` times as much CPU time and ``WALL_SHARE`` times as much wall clock, because
        one reference solution of MBPP computes for about five seconds.

    Raises NoIsolation when there is no sandbox and running without one is not allowed.
    """
    found = sandbox.require(allow_unsafe_code=allow_unsafe_code, isolation=isolation, image=image)
    program = programs.program(text, question=problem.question, entry_point=problem.entry_point)
    if program is None:
        return Verdict(status="no_answer", rule="no program")
    task = {
        "program": program,
        "tests": tests(problem),
        "entry_point": problem.entry_point,
        "objects": not programs.asks_for_function(
            problem.entry_point, problem.answer, problem.question + "\n    pass\n"
        ),
        "limits": sandbox.limits(timeout * CPU_SHARE),
    }
    outcome = examine(task, isolation=found, timeout=timeout * WALL_SHARE)
    if "broken" in outcome:
        return Verdict(status="undecided", answer=program, reason=f"error: {outcome['broken']}")
    passed = outcome["passed"] is True
    return Verdict(
        status="correct" if passed else "wrong", answer=program, rule=f"tests/{outcome['rule']}"
    )


def seconds(
    timeout: float,
    *,
    allow_unsafe_code: bool,
    isolation: str = AUTO,
    image: str | None = None,
) -> float:
    """The limit of wall clock for one answer: the program's limit, and time to start and end.

    Raises NoIsolation as ``verify`` does.
    """
    sandbox.require(allow_unsafe_code=allow_unsafe_code, isolation=isolation, image=image)
    return timeout * WALL_SHARE + sandbox.OVERHEAD


def tests(problem: Problem) -> str:
    """The examiner's whole source: the prompt's helpers, then the tests, and calls of all of them.

    HumanEval's tests only define ``check``, those of pytest functions, those of unittest classes.
    An import of the function asked for is removed, because the candidate's process has it.
    """
    source = problem.tests
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError):
        return source
    kept = [node for node in body if not _imports(node, problem.entry_point)]
    if len(kept) < len(body):
        source = "\n".join(map(ast.unparse, kept))
    calls = "".join(f"\n{call}\n" for call in _calls(kept, problem.entry_point))
    return programs.prelude(problem.question, problem.entry_point) + source + calls


def _imports(node: ast.stmt, name: str) -> bool:
    """Whether it is ``from solution import name``, as in tests that are a file of their own."""
    return (
        isinstance(node, ast.ImportFrom)
        and any(alias.name == name for alias in node.names)
        and (node.module or "").partition(".")[0] not in sys.stdlib_module_names
    )


def _calls(body: list[ast.stmt], entry_point: str) -> Iterator[str]:
    """Calls of the tests that the source defines and does not call at its top level."""
    called = {name for node in body for name in _called(node)}
    at_top = {name for node in body if isinstance(node, ast.Expr) for name in _called(node)}
    for node in body:
        if isinstance(node, ast.FunctionDef) and node.name != entry_point:
            if node.name == "check" and "check" not in at_top:
                yield f"check({entry_point})"
            elif node.name.startswith("test") and node.name not in called:
                yield f"{node.name}()"
        elif isinstance(node, ast.ClassDef) and _is_case(node):
            # Not ``run``: it takes a skipped test for a passed one.
            loaded = f"defaultTestLoader.loadTestsFromTestCase({node.name})"
            yield f"__import__('unittest').{loaded}.debug()"


def _called(node: ast.stmt) -> Iterator[str]:
    """Names that are called somewhere in ``node``."""
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
            yield call.func.id


def _is_case(node: ast.ClassDef) -> bool:
    return any(ast.unparse(base).endswith("TestCase") for base in node.bases)


def examine(
    task: dict[str, Any], *, isolation: sandbox.Isolation, timeout: float
) -> dict[str, Any]:
    """Start both sides, wait for the examiner's report, end both."""
    seconds = timeout + sandbox.OVERHEAD
    to_candidate, to_examiner, report = os.pipe(), os.pipe(), os.pipe()
    started: list[sandbox.Sandbox] = []
    try:
        start = partial(sandbox.start, isolation=isolation, seconds=seconds)
        started.append(start("candidate.py", pipes=(to_candidate[0], to_examiner[1])))
        started.append(
            start("examiner.py", pipes=(to_examiner[0], to_candidate[1]), report=report[1])
        )
        # The task can go through this pipe: the candidate writes only when the examiner asks it,
        # and the examiner reads the task first.
        given = os.dup(to_examiner[1])
        for fd in (*to_candidate, *to_examiner, report[1]):
            os.close(fd)
        threading.Thread(target=_give, args=(given, task), daemon=True).start()
        return _wait(report[0], timeout)
    finally:
        with ThreadPoolExecutor(len(started) or 1) as threads:
            list(threads.map(sandbox.Sandbox.end, started))
        os.close(report[0])


def _give(descriptor: int, task: dict[str, Any]) -> None:
    with contextlib.suppress(BrokenPipeError), os.fdopen(descriptor, "wb") as pipe:
        pipe.write(json.dumps(task).encode() + b"\n")


def _wait(descriptor: int, timeout: float) -> dict[str, Any]:
    """The examiner's second message, or what its absence means.

    Other lines come from the sandbox itself.
    """
    told: list[bytes] = []
    said: list[bytes] = []
    rest, deadline = b"", time.monotonic() + _START_LIMIT
    while len(told) < 2:
        ready = select.select([descriptor], [], [], max(deadline - time.monotonic(), 0))[0]
        if not ready and told:
            return {"passed": False, "rule": "timeout"}
        if not ready:
            return {"broken": f"the sandbox did not start{_in_words(said)}"}
        chunk = os.read(descriptor, 65536)
        if not chunk:
            return {"broken": f"the examiner ended without a report{_in_words([*said, rest])}"}
        begun = bool(told)
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            (told if line.startswith(_MESSAGES) else said).append(line)
        if told and not begun:
            deadline = time.monotonic() + timeout
    outcome: dict[str, Any] = json.loads(told[1])
    return outcome


def _in_words(said: list[bytes]) -> str:
    words = b" ".join(said).decode(errors="replace").strip()[:300]
    return f": {words}" if words else ""
