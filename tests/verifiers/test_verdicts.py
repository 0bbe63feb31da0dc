import os
import pickle
import signal
import subprocess
import sys
import threading

import pytest
from waiting import eventually, runs

from manyways.errors import UserError, VerifierUnwell
from manyways.records import Problem, Verdict
from manyways.verifiers.verdicts import Verifiers, check_health, undecided_share, verify
from manyways.verifiers.worker_process import WorkerPool

TOWER = r"\boxed{9^{9^{9^{9^9}}}}"


def problem(answer, verifier="math", **fields):
    return Problem(
        id="test/all/0", question="How many?", answer=answer, verifier=verifier, **fields
    )


@pytest.fixture(scope="module")
def judge():
    with Verifiers(workers=1, timeout=20) as judge:
        yield judge


def test_verdicts_come_in_order_with_answer_and_rule(judge):
    found = judge.verdicts(
        [
            (problem("12"), r"\boxed{12}"),
            (problem("x+1"), r"\boxed{1+x}"),
            (problem("12"), "12"),
            (problem(r"\frac{1}{2}"), r"\boxed{x}"),
            (problem("B", "choice", choices=("a box", "a bag")), r"\boxed{B}"),
            (problem("Yes", "exact"), r"\boxed{ Yes }"),
            (problem("Yes", "exact"), r"\boxed{yes}"),
        ]
    )
    assert [verdict.status for verdict in found] == [
        "correct", "correct", "no_answer", "wrong", "correct", "correct", "wrong",
    ]  # fmt: skip
    assert found[0] == Verdict(status="correct", answer="12", rule="boxed/integer")
    assert found[1].answer == "1+x" and found[1].rule.startswith("boxed/")
    assert found[2].answer is None


def test_what_the_fast_path_decides_starts_no_worker():
    with Verifiers() as judge:
        judge.verdicts([(problem("12"), rf"\boxed{{{i}}}") for i in range(100)])
        judge.verdicts([(problem("(1, 2)"), r"\boxed{(1,3)}")])
        assert judge._pool is None


def test_this_process_loads_nothing_that_parses_mathematics():
    """As docs/verifiers.md says: what the quick step cannot prove is parsed in workers alone."""
    script = (
        "import sys\n"
        "from manyways.records import Problem\n"
        "from manyways.verifiers.verdicts import Verifiers\n"
        "def asked(answer, text): return Problem(id='a/b/0', question='', answer=answer), text\n"
        "with Verifiers(workers=1) as judge:\n"
        "    found = judge.verdicts([asked('12', r'\\boxed{12}'), asked('x+1', r'\\boxed{1+x}')])\n"
        "print([verdict.status for verdict in found])\n"
        "print({'sympy', 'latex2sympy2_extended', 'math_verify', 'torch'} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True
    )
    assert done.stdout == "['correct', 'correct']\nset()\n"


def test_alternatives_are_as_right_as_the_answer(judge):
    either = problem("x+1", alternatives=("y+1", "7"))
    texts = [r"\boxed{1+x}", r"\boxed{1+y}", r"\boxed{7}", r"\boxed{8}"]
    statuses = [verdict.status for verdict in judge.verdicts([(either, t) for t in texts])]
    assert statuses == ["correct", "correct", "correct", "wrong"]


def test_the_policy_can_be_set_for_one_call(judge):
    pair = (problem("12"), "So there are 12 of them in all, I would say")
    assert judge.verdicts([pair])[0].status == "no_answer"
    assert judge.verdicts([pair], policy="lenient")[0].rule == "last number/integer"


def test_equal_answers_are_one_job(judge, monkeypatch):
    jobs, run = [], WorkerPool.run
    monkeypatch.setattr(WorkerPool, "run", lambda pool, new: run(pool, jobs.extend(new) or new))
    pairs = [(problem("x+1"), rf"{'so ' * i}\boxed{{1+x}}") for i in range(50)]
    assert {verdict.status for verdict in judge.verdicts(pairs)} == {"correct"}
    assert len(jobs) == 1


def test_a_stuck_worker_is_killed_and_replaced_and_nothing_else_suffers(started):
    with Verifiers(workers=1, timeout=2) as judge:
        found = judge.verdicts(
            [
                (problem("5"), TOWER),
                (problem("x+1"), r"\boxed{1+x}"),
                (problem("5"), r"\boxed{\sum_{n=1}^{10^{12}} \frac{1}{n}}"),
                (problem("x+2"), r"\boxed{2+x}"),
            ]
        )
        assert [v.status for v in found] == ["undecided", "correct", "undecided", "correct"]
        assert found[0].reason.startswith("timeout") and found[0].answer is not None
        # Two are killed, and one more for each that the machine left no time and that tried again.
        killed = len(started) - 1
        assert killed >= 2
        alive = [False] * killed + [True]
        assert eventually(lambda: [process.poll() is None for process in started] == alive)
    assert all(process.returncode == -signal.SIGKILL for process in started)


def test_a_users_verifier_runs_in_a_worker_and_its_failures_are_undecided(tmp_path, monkeypatch):
    (tmp_path / "my_verifiers.py").write_text(
        "import os, sys, time\n"
        "from manyways.records import Verdict\n"
        "def right(problem, text):\n"
        "    print('noise')\n"
        "    same_process = str(os.getpid()) == problem.question\n"
        "    loaded = 'torch' in sys.modules\n"
        "    return Verdict(status='wrong' if same_process or loaded else 'correct', rule='mine')\n"
        "def broken(problem, text): raise ValueError('no good')\n"
        "def odd(problem, text): return 1\n"
        "def dying(problem, text): os._exit(3)\n"
        "def hungry(problem, text): return bytearray(10**11)\n"
        "def hanging(problem, text): time.sleep(1000)\n"
        "def chatty(problem, text): return Verdict(status='correct', answer='x' * 10**6)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    names = ("right", "broken", "odd", "dying", "hungry", "hanging", "right")
    pairs = [
        (
            Problem(
                id="a/b/0", question=str(os.getpid()), answer="", verifier=f"my_verifiers:{name}"
            ),
            f"{number}",
        )
        for number, name in enumerate(names)
    ]
    with Verifiers(workers=1, timeout=2) as judge:
        found = judge.verdicts(pairs)
    assert [v.status for v in found] == ["correct", *["undecided"] * 5, "correct"]
    reasons = [v.reason for v in found[1:6]]
    assert reasons[0].startswith("error: ValueError: no good (")
    assert "my_verifiers.py, line 8, in broken" in reasons[0]
    assert "not a Verdict" in reasons[1]
    assert reasons[2:] == ["error: worker ended with exit code 3", "memory", "timeout"]


def test_an_unknown_verifier_is_a_users_mistake():
    with Verifiers() as judge, pytest.raises(UserError, match="Did you mean 'math'"):
        judge.verdicts([(problem("12", "maths"), r"\boxed{12}")])
    with (
        Verifiers() as judge,
        pytest.raises(UserError, match="there is no module 'no_such_module'"),
    ):
        judge.verdicts([(problem("12", "no_such_module:verify"), r"\boxed{12}")])


def test_a_pickled_judge_judges_elsewhere(judge):
    with pickle.loads(pickle.dumps(judge)) as copy:
        assert copy.timeout == 20
        assert copy.verdicts([(problem("x+1"), r"\boxed{1+x}")])[0].status == "correct"


def test_threads_share_one_judge(judge):
    statuses = []

    def ask(number):
        pair = (problem(f"x+{number}"), rf"\boxed{{{number}+x}}")
        statuses.append(judge.verdicts([pair])[0].status)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == ["correct"] * 8


def test_a_forked_child_gets_workers_of_its_own():
    script = (
        "import os\n"
        "from manyways.records import Problem\n"
        "from manyways.verifiers.verdicts import Verifiers\n"
        "judge = Verifiers(workers=1)\n"
        "pair = (Problem(id='a/b/0', question='', answer='x+1'), r'\\boxed{1+x}')\n"
        "assert judge.verdicts([pair])[0].status == 'correct'\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    right = judge.verdicts([pair])[0].status == 'correct'\n"
        "    judge.close()\n"
        "    os._exit(0 if right else 1)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "assert judge.verdicts([pair])[0].status == 'correct'\n"
        "judge.close()\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_workers_end_with_their_parent():
    script = (
        "import os, signal\n"
        "from manyways.records import Problem\n"
        "from manyways.verifiers.verdicts import Verifiers\n"
        "judge = Verifiers(workers=1)\n"
        "pair = (Problem(id='a/b/0', question='', answer='x+1'), r'\\boxed{1+x}')\n"
        "judge.verdicts([pair])\n"
        "print(judge._pool._idle.get()._process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, check=False)
    worker = int(done.stdout)
    assert eventually(lambda: not runs(worker))


@pytest.mark.parametrize(
    "text",
    [
        "9" * 100_000,
        "(" * 100_000,
        r"\frac{1}{" * 1000 + "2" + "}" * 1000,
        r"\frac{1}{2",
        "1\x00",
        "\ud800",
        "__import__('os').system('touch pwned')",
        "x" * 2_000_000,
    ],
)
def test_hostile_answers_never_count_as_correct(judge, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    verdict = judge.verdicts([(problem("12"), f"\\boxed{{{text}}}")])[0]
    assert verdict.status in ("wrong", "undecided", "no_answer")
    assert list(tmp_path.iterdir()) == []


def test_health_counts_reasons_and_says_what_to_do():
    verdicts = [Verdict(status="correct")] * 7 + [
        Verdict(status="undecided", reason="timeout"),
        Verdict(status="undecided", reason="timeout"),
        Verdict(status="undecided", reason="memory"),
    ]
    assert undecided_share(verdicts) == pytest.approx(0.3)
    assert undecided_share([]) == 0.0
    check_health(verdicts, limit=0.3)
    with pytest.raises(VerifierUnwell, match=r"3 of 10 .*30\.0%.*2 x timeout; 1 x memory") as error:
        check_health(verdicts, limit=0.1)
    assert "problems check" in str(error.value)


def test_verify_reads_messy_sides():
    assert verify("1/2", r"\boxed{0.5}").status == "correct"
    assert verify("$x = 5$", "The answer is 5.").status == "correct"
    assert verify(r"So we get \boxed{7}.", "8").status == "wrong"
    assert verify("B", "(B)", verifier="choice", choices=("a", "b")).status == "correct"


def test_settings_that_make_no_judge():
    with pytest.raises(UserError, match="at least 1 worker"):
        Verifiers(workers=0)
