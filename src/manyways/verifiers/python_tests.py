"""Generated programs, judged by tests (HumanEval and MBPP style).

Two sandboxes, joined by a pair of pipes: the candidate's holds the program, the examiner's holds
the tests. A test calls a function, the call crosses as plain data, the candidate's return value
comes back as plain data, and the comparison happens on the examiner's side, which alone can report.
So nothing that the program does to itself (exit early, patch ``assert`` or built-ins, print a
success marker, return objects with a lying ``__eq__``) can make a test pass. Functions cross as
stand-ins that are called where they live; so do the objects of a class, where neither the prompt
nor the reference says that a function is asked for.

A program that fails, exits, or runs out of its time or memory is wrong; the rule says which. Only
a failure of the tests or of the sandbox itself is undecided.
"""

import ast
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from manyways.records import Problem, Verdict
from manyways.verifiers import programs, sandbox

CPU_SHARE, WALL_SHARE = 2, 3
_START_LIMIT = 40.0  # seconds for two interpreters to start on a busy machine


def verify(
    problem: Problem, text: str, *, timeout: float = 5.0, allow_unsafe_code: bool = False
) -> Verdict:
    """Run the program in ``text`` against ``problem.tests``.

    timeout: the limit for one answer. All tests of a problem together may use
        ``CPU_SHARE`` times that of CPU and ``WALL_SHARE`` times that of wall clock: one reference
        solution of MBPP computes for about five seconds.

    Raises UserError when there is no sandbox and running without was not allowed.
    """
    isolation = sandbox.require(allow_unsafe_code=allow_unsafe_code)
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
    outcome = examine(task, isolation=isolation, timeout=timeout * WALL_SHARE)
    if "broken" in outcome:
        return Verdict(status="undecided", answer=program, reason=f"error: {outcome['broken']}")
    passed = outcome["passed"] is True
    return Verdict(
        status="correct" if passed else "wrong", answer=program, rule=f"tests/{outcome['rule']}"
    )


def seconds(timeout: float, *, allow_unsafe_code: bool) -> float:
    """The wall clock of one answer: its program's own limit, and its sandbox starts and ends.

    Raises UserError as ``verify`` does.
    """
    sandbox.require(allow_unsafe_code=allow_unsafe_code)
    return timeout * WALL_SHARE + sandbox.OVERHEAD


def tests(problem: Problem) -> str:
    """The examiner's whole source: the prompt's own helpers, then the tests, all of them called.

    HumanEval's tests only define ``check``, those of pytest functions, those of unittest cases.
    An import of the function asked for goes: the candidate's process has it.
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
    """``from solution import name``, as tests of another file write."""
    return (
        isinstance(node, ast.ImportFrom)
        and any(alias.name == name for alias in node.names)
        and (node.module or "").partition(".")[0] not in sys.stdlib_module_names
    )


def _calls(body: list[ast.stmt], entry_point: str) -> Iterator[str]:
    """Calls of the tests that are defined and that no statement of the top level calls."""
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
    to_candidate, to_examiner, report, given = os.pipe(), os.pipe(), os.pipe(), os.pipe()
    started: list[subprocess.Popen[bytes]] = []
    try:
        started.append(
            sandbox.start(
                "candidate.py", [], isolation=isolation, pipes=(to_candidate[0], to_examiner[1])
            )
        )
        started.append(
            sandbox.start(
                "examiner.py",
                [str(report[1]), str(given[0])],
                isolation=isolation,
                pipes=(to_examiner[0], to_candidate[1]),
                passed=(report[1], given[0]),
            )
        )
        for fd in (*to_candidate, *to_examiner, report[1], given[0]):
            os.close(fd)
        threading.Thread(target=_give, args=(given[1], task), daemon=True).start()
        return _wait(report[0], timeout)
    finally:
        for process in started:
            end(process)
        os.close(report[0])


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill the sandbox and with it everything inside."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _give(descriptor: int, task: dict[str, Any]) -> None:
    with contextlib.suppress(BrokenPipeError), os.fdopen(descriptor, "wb") as pipe:
        pipe.write(json.dumps(task).encode())


def _wait(descriptor: int, timeout: float) -> dict[str, Any]:
    """The examiner's second line, or what its absence means."""
    lines: list[bytes] = [b""]
    deadline = time.monotonic() + _START_LIMIT
    while len(lines) < 3:
        ready = select.select([descriptor], [], [], max(deadline - time.monotonic(), 0))[0]
        if not ready:
            if len(lines) == 1:
                return {"broken": "the sandbox did not start"}
            return {"passed": False, "rule": "timeout"}
        chunk = os.read(descriptor, 65536)
        if not chunk:
            return {"broken": "the examiner ended without a report"}
        begun = len(lines) > 1
        lines = (b"\n".join(lines) + chunk).split(b"\n")
        if len(lines) > 1 and not begun:
            deadline = time.monotonic() + timeout
    outcome: dict[str, Any] = json.loads(lines[1])
    return outcome
