import os
import select
import socket
import threading

import pytest
from hostile import ATTACKS, SQUARES
from needs import needs_sandbox
from waiting import PATIENCE

from manyways.errors import UserError
from manyways.records import Problem
from manyways.verifiers import sandbox
from manyways.verifiers.judge import Judge
from manyways.verifiers.programs import prelude, program
from manyways.verifiers.python_tests import verify
from manyways.verifiers.selfcheck import hollow

RIGHT = "def f(x):\n    return x * x\n"


def problem(tests=SQUARES, question="Write f, which squares.", entry_point="f"):
    return Problem(
        id="code/test/0",
        question=question,
        answer=RIGHT,
        verifier="python_tests",
        tests=tests,
        entry_point=entry_point,
    )


@pytest.fixture
def inside(monkeypatch):
    """The reading end of a pipe that each sandboxed process holds open: it ends with the last."""
    reader, writer = os.pipe()
    start = sandbox.start

    def holding(*args, passed=(), **kwargs):
        return start(*args, passed=(*passed, writer), **kwargs)

    monkeypatch.setattr(sandbox, "start", holding)
    yield lambda: os.close(writer) or select.select([reader], [], [], PATIENCE)[0] == [reader]
    os.close(reader)


@needs_sandbox
@pytest.mark.parametrize("attack", ATTACKS, ids=[attack.name for attack in ATTACKS])
def test_hostile_programs_are_contained(attack, inside):
    with socket.create_server(("127.0.0.1", 0)) as server:
        source = attack.written(port=server.getsockname()[1])
        verdict = verify(problem(attack.tests), f"```python\n{source}\n```", timeout=1.0)
    assert verdict.status == ("correct" if attack.correct else "wrong"), verdict
    assert inside(), "a process of the sandbox is left"


@needs_sandbox
def test_what_a_program_prints_or_returns_never_reaches_this_process(monkeypatch):
    read, taken = os.read, []

    def counted(descriptor, count):
        taken.append(read(descriptor, count))
        return taken[-1]

    monkeypatch.setattr(os, "read", counted)
    flood = "def f(x):\n    print('x' * 10**8)\n    return 'y' * 10**7\n"
    assert verify(problem(), flood).status == "wrong"
    assert 0 < sum(map(len, taken)) < 1000


@needs_sandbox
@pytest.mark.parametrize(
    ("tests", "source", "rule"),
    [
        (SQUARES, RIGHT, "tests/passed"),
        (SQUARES, "def f(x):\n    return x + 2", "tests/AssertionError"),
        (SQUARES, "def f(x):\n    return x.y", "tests/AttributeError"),
        (SQUARES, "def f(x):\n    return undefined", "tests/NameError"),
        (SQUARES, "def f(x: undefined):\n    return x", "tests/NameError"),
        ("def check(candidate):\n    assert candidate(2) == 4\n", RIGHT, "tests/passed"),
        ("import math\nassert math.isclose(f(0.5), 0.25)", RIGHT, "tests/passed"),
        (
            "try:\n    f(1)\n    assert 0\nexcept ValueError as e:\n    assert str(e) == 'no'",
            "def f(x):\n    raise ValueError('no')",
            "tests/passed",
        ),
        ("x = [3, 1]\nf(x)\nassert x == [1, 3]", "def f(x):\n    x.sort()", "tests/passed"),
        ("assert list(f(3)) == [0, 1, 2]", "def f(x):\n    return iter(range(x))", "tests/passed"),
        ("assert f({(1, 2): {3}}) == {(1, 2): {3}}", "def f(x):\n    return x", "tests/passed"),
        (
            "assert f(1j) == 1j and f(b'a') == b'a' and f(None) is None",
            "def f(x):\n    return x",
            "tests/passed",
        ),
    ],
)
def test_outcomes(tests, source, rule):
    assert verify(problem(tests), source).rule == rule


@needs_sandbox
def test_faults_of_the_tests_are_undecided_not_wrong():
    broken = verify(problem("assert f(2) =="), RIGHT)
    assert (broken.status, broken.reason[:32]) == ("undecided", "error: the tests are not Python:")
    idle = verify(problem("assert True"), RIGHT)
    assert (idle.status, idle.reason) == (
        "undecided",
        "error: the tests never called the program",
    )


@needs_sandbox
def test_helpers_of_the_prompt_cannot_be_replaced_by_the_program():
    question = "def double(x):\n    return 2 * x\n\ndef half(x):\n    'half of x'\n"
    tests = "def check(candidate):\n    assert double(candidate(4)) == 4\n"
    honest = "    return x / 2"
    cheat = "def double(x):\n    return 4\n\ndef half(x):\n    return 0\n"
    asked = problem(tests, question, "half")
    assert verify(asked, honest).status == "correct"
    assert verify(asked, cheat).status == "wrong"


@needs_sandbox
def test_a_function_that_does_nothing_fails_and_prose_is_no_answer():
    assert verify(problem(), hollow(problem())).status == "wrong"
    assert verify(problem(), "I cannot do that.").status == "no_answer"


@needs_sandbox
def test_programs_are_judged_through_the_judge_from_any_thread():
    found = []

    def ask():
        with Judge(workers=1) as judge:
            found.extend(judge.verdicts([(problem(), RIGHT), (problem(), "def f(x): pass")]))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert [verdict.status for verdict in found] == ["correct", "wrong"]


def test_without_a_sandbox_nothing_runs_unless_it_is_allowed(monkeypatch, caplog):
    none = sandbox.Isolation(kind="none", missing=("no network space",), why="bwrap is missing")
    monkeypatch.setattr(sandbox, "detect", lambda: none)
    sandbox._warn.cache_clear()
    with pytest.raises(UserError, match=r"refusing.*bwrap is missing.*--allow-unsafe-code"):
        verify(problem(), RIGHT)
    with Judge() as judge, pytest.raises(UserError, match="refusing"):
        judge.verdicts([(problem(), RIGHT)])
    assert verify(problem(), RIGHT, allow_unsafe_code=True).status == "correct"
    assert verify(problem(), "def f(x): pass", allow_unsafe_code=True).status == "wrong"
    assert "no network space" in caplog.text


QUESTION = (
    "from typing import List\n\ndef helper(x):\n    return x\n\n"
    'def f(xs: List[int]) -> int:\n    """Sum."""\n'
)


@pytest.mark.parametrize(
    "text",
    [
        "    return sum(xs)",
        "return sum(xs)",
        "    total = 0\n    for x in xs:\n        total += x\n    return total\n\nprint('hi",
        "    return sum(xs)\n\nThat is the whole function: it adds.",
        "```python\ndef f(xs):\n    return sum(xs)\n```",
        "Sure!\n```\ndef f(xs):\n    return sum(xs)\n```\nTest:\n```python\nprint(f([1]))\n```",
        "```python\n    return sum(xs)\n```",
        "Here it is:\n\ndef f(xs):\n    return sum(xs)\n\nThis sums the list.",
        "import math\n\ndef f(xs: List[int]):\n    return int(math.fsum(helper(x) for x in xs))",
        "f = lambda xs: sum(xs)",
        "```python\ndef f(xs):\n    return sum(xs)",
    ],
)
def test_a_program_is_found_in_completions_fences_and_chat(text):
    names = {}
    exec(program(text, question=QUESTION, entry_point="f"), names)
    assert names["f"]([1, 2]) == 3


@pytest.mark.parametrize(
    "text",
    ["", "Let me think.", "def g(x):\n    return 1", "\x00", "(" * 5000, "def f(" * 3000],
)
def test_no_program(text):
    assert program(text, question="Write f.", entry_point="f") is None


def test_usual_imports_need_not_be_written():
    names = {}
    source = "def f(xs: List[int]) -> Optional[int]:\n    return math.prod(Counter(xs))"
    exec(program(source, question="Write f.", entry_point="f"), names)
    assert names["f"]([2, 3, 3]) == 6


def test_the_prelude_keeps_imports_and_helpers_alone():
    lead = prelude(QUESTION, "f")
    assert "def helper" in lead and "from typing import List" in lead and "def f(" not in lead
