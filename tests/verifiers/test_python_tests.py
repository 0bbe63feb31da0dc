import os
import select
import socket
import subprocess
import textwrap
import threading
from dataclasses import replace

import pytest
from hostile import ATTACKS, RIGHT, SQUARES
from needs import needs_sandbox
from waiting import PATIENCE

from manyways.errors import UserError
from manyways.records import Problem
from manyways.verifiers import sandbox
from manyways.verifiers.programs import prelude, program, whole_tests
from manyways.verifiers.python_tests import verify
from manyways.verifiers.selfcheck import hollow
from manyways.verifiers.verdicts import Verifiers


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
    start = subprocess.Popen

    def holding(*args, pass_fds=(), **kwargs):
        return start(*args, pass_fds=(*pass_fds, writer), **kwargs)

    monkeypatch.setattr(sandbox.subprocess, "Popen", holding)
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


PYTEST = """\
from solution import f

def four(): return 4
def test_two(): assert f(2) == four()
def test_three(): assert f(3) == 9
"""
CASE = """\
import unittest

class Squares(unittest.TestCase):
    def setUp(self): self.three = 3
    def test_two(self): self.assertEqual(f(2), 4)
    def test_three(self): self.assertEqual(f(self.three), 9)
"""


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
        (PYTEST, RIGHT, "tests/passed"),
        (PYTEST, "def f(x):\n    return 4", "tests/AssertionError"),
        (CASE, RIGHT, "tests/passed"),
        (CASE, "def f(x):\n    return 4", "tests/AssertionError"),
        (
            CASE,
            "import unittest\ndef f(x):\n    raise unittest.SkipTest('no')",
            "tests/RuntimeError",
        ),
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
        with Verifiers(workers=1) as judge:
            found.extend(judge.verdicts([(problem(), RIGHT), (problem(), "def f(x): pass")]))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert [verdict.status for verdict in found] == ["correct", "wrong"]


def test_without_a_sandbox_nothing_runs_unless_it_is_allowed(monkeypatch, caplog):
    none = sandbox.Isolation(kind="none", missing=("no network space",), why="bwrap is missing")
    monkeypatch.setattr(sandbox, "detect", lambda *_: none)
    sandbox._warn.cache_clear()
    with pytest.raises(UserError, match=r"refusing.*bwrap is missing.*--allow-unsafe-code"):
        verify(problem(), RIGHT)
    with Verifiers() as judge, pytest.raises(UserError, match="refusing"):
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


IMPORTED = "def f(x):\n    return x + 1\n"


@needs_sandbox
@pytest.mark.parametrize(
    "guarded",
    [
        "while True:\n        pass",
        "input()",
        "import matplotlib",
        "raise SystemExit",
        "f(undefined)",
    ],
)
def test_the_main_guard_is_not_run(guarded):
    source = f"{IMPORTED}\nif __name__ == '__main__':\n    {guarded}\n"
    assert verify(problem("assert f(1) == 2"), source).status == "correct"


@needs_sandbox
@pytest.mark.parametrize(
    ("tests", "source", "right"),
    [
        ("assert f(0) == 0.5", "from decimal import Decimal\ndef f(x): return Decimal('.5')", True),
        ("assert f(0) == 0.5", "import fractions as q\ndef f(x): return q.Fraction(1, 2)", True),
        ("assert f(0) == 0.5", "import fractions as q\ndef f(x): return q.Fraction(1, 3)", False),
        ("assert f([1, 2, 3]) == deque([2, 3])", "def f(x): return deque(x, maxlen=2)", True),
        ("assert f('aab').most_common(1) == [('a', 2)]", "def f(x): return Counter(x)", True),
        ("import datetime as d\nassert f(d.date(2020, 1, 1)) == d.timedelta(days=1)",
         "import datetime\ndef f(x): return datetime.date(2020, 1, 2) - x", True),
        ("assert f(10**6000) == -10**6000", "def f(x): return -x", True),
        ("assert f(10**6000) == 10**6000", "def f(x): return x + 1", False),
        ("assert f(5000) == 5001", "def f(x): return len(str(10**x))", True),
        ("assert f(lambda v: v * 2) == 4", "def f(g): return g(2)", True),
        ("assert f(lambda v: v * 2) == 4", "def f(g): return g(3)", False),
        ("assert f(3)(4) == 7", "def f(x): return lambda y: x + y", True),
        ("assert f(str, [1, 2]) == ['1', '2']", "def f(g, xs): return list(map(g, xs))", True),
        ("def bad():\n    raise ValueError('no')\nassert f(bad) == 'no'",
         "def f(g):\n    try: g()\n    except ValueError as e: return str(e)", True),
        ("def twice(n):\n    return 0 if n == 0 else f(twice, n - 1) + 2\nassert f(twice, 3) == 6",
         "def f(g, n): return g(n)", True),
        ("import io, contextlib\nwith contextlib.redirect_stdout(io.StringIO()) as b:\n    f(3)\n"
         "assert b.getvalue() == '3'", "def f(x): print(x, end='')", True),
    ],
)  # fmt: skip
def test_what_crosses_between_tests_and_program(tests, source, right):
    assert verify(problem(tests), source).status == ("correct" if right else "wrong")


CLASS = (
    "class f:\n    def __init__(self, *items):\n        self.items = list(items)\n"
    "    def push(self, x):\n        self.items.append(x)\n        return self\n"
    "    def __len__(self):\n        return len(self.items)\n"
    "    def __eq__(self, other):\n        return self.items == other.items\n"
)


@needs_sandbox
def test_objects_of_a_class_cross_where_the_reference_is_no_function():
    tests = (
        "a = f(1)\nassert a.push(2) is a and len(a) == 2 and a.items == [1, 2]\n"
        "assert a == f(1, 2) and a != f() and not f()\na.items = []\nassert len(a) == 0\n"
    )
    wanted = replace(problem(tests), answer=CLASS)
    assert verify(wanted, CLASS).status == "correct"
    assert verify(wanted, CLASS.replace("append(x)", "append(3)")).status == "wrong"
    assert verify(problem(tests), CLASS).status == "wrong"  # whose reference is a function


@needs_sandbox
def test_what_cannot_cross_makes_a_failed_test_undecided():
    verdict = verify(problem("class A:\n    x = 1\nassert f(A()) == 1"), "def f(a): return a.x")
    assert (verdict.status, verdict.reason[-20:]) == ("undecided", "what cannot cross: A")


def found(text, question="Write f."):
    names = {"__name__": "program"}
    source = program(text, question=question, entry_point="f")
    if source is not None:
        exec(source, names)
    return names.get("f")


FENCED = "```python\ndef f(x):\n    return x + 1\n```"


@pytest.mark.parametrize(
    "text",
    [
        IMPORTED + "[DONE]",
        IMPORTED + "[DONE]\n\nYour next task: write g.\n[BEGIN]\ndef g(x):\n    return x\n[DONE]",
        "Here it is:\n[BEGIN]\n" + IMPORTED + "[DONE]\nIt adds one.",
        f"[BEGIN]\n{FENCED}\n[DONE]",
        "[BEGIN] def f(x): return x + 1 [DONE]",
        "DONE = 1\ndef f(x):\n    return x + [DONE][0]\n",
        "from __future__ import annotations\n" + IMPORTED,
        '"""Adds."""\nfrom __future__ import annotations, division; import math\n' + IMPORTED,
        "<think>\n```python\ndef f(x):\n    return 0\n```\n</think>\n" + IMPORTED,
        "A thought.\n</think>\n\n" + FENCED,
        "1. Write it:\n\n" + textwrap.indent(FENCED, "   ") + "\n\n2. Run it.",
        "- ```python\n  def f(x):\n      return x + 1\n  ```",
        textwrap.indent(FENCED, "> ", lambda line: True),
        FENCED.replace("```", "~~~"),
        "\ufeff" + IMPORTED,
        "```python\n\ufeff" + IMPORTED + "```",
        FENCED.replace("return", '"""\n    ```\n    f(1)\n    ```\n    """\n    return'),
        "```python\ndef f(x):\n    return g(x)\n```\nwith\n"
        "```python\ndef g(x):\n    return x + 1\n```",
        "```python\nSTEP = 1\n```\n"
        "```python\nimport os.path\n\ndef f(x):\n    return x + STEP\n```",
        "```python\ndef f(x):\n    result = x + 1\n    return result\n```\nAs in\n"
        "```python\nresult = f(undefined)\n```",
        IMPORTED + "\nIt prints\n```\n2\n```\nfor 1.",
        "```python\nprint(1)\n```python\n" + IMPORTED + "```",
    ],
)
def test_a_program_is_found_as_models_write_it(text):
    assert found(text)(1) == 2


@pytest.mark.parametrize(
    "text",
    [
        f"<think>\n{FENCED}\n</think>\nSorry, I have no answer.",
        f"<think>\n{FENCED}",
        "[BEGIN]\ndef g(x):\n    return x\n[DONE]",
        "from solution import f",
    ],
)
def test_no_program_where_none_is_said(text):
    assert found(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "n = len(xs)\n    return sum(xs[:n])\n",
        "total = 0\n    for x in xs:\n        total += x\n    return total\n\nIt adds them.",
        "if not xs:\n        return 0\n    return sum(xs)",
        "```python\nn = len(xs)\n    return sum(xs[:n])\n```",
        "\ufeff    return sum(xs)",
        "<think>\nreturn max(xs)\n</think>\n    return sum(xs)",
    ],
)
def test_the_first_indentation_may_be_missing(text):
    assert found(text, QUESTION)([1, 2]) == 3


@pytest.mark.parametrize(
    ("given", "whole"),
    [
        (("assert f(1)",), "assert f(1)\n"),
        ((["a", "b"], ["import x"], "q = 1"), "import x\nq = 1\na\nb\n"),
        (("a", [], ""), "a\n"),
    ],
)
def test_tests_are_taken_whole(given, whole):
    tests, imports, setup = (*given, None, None)[:3]
    assert whole_tests(tests, imports=imports, setup=setup) == whole


@pytest.mark.parametrize("tests", [[1], {"a": 1}, 3])
def test_tests_that_are_no_texts_are_refused(tests):
    with pytest.raises(ValueError, match="a text or a list"):
        whole_tests(tests)
