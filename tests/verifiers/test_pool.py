"""Time limits: kept whatever the load, and not blamed on an answer that was never computed."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
from waiting import PATIENCE, eventually

import manyways
from manyways.records import Problem
from manyways.verifiers import worker_process
from manyways.verifiers.verdicts import Verifiers
from manyways.verifiers.worker_process import Worker, WorkerPool, is_starved

RIGHT = {"status": "correct", "seconds": 0.1}
LATE = {"status": "undecided", "reason": "timeout", "seconds": 1.0, "starved": False}
STARVED = {**LATE, "starved": True}
BURN = "while True: pass"


class FakeWorker:
    """Answers each job from its own list of replies and notes the order in which it was asked."""

    def __init__(self, asked):
        self.asked = asked
        self.closed = False

    def ask(self, job):
        self.asked.append(job["name"])
        return dict(job["replies"].pop(0))

    def close(self):
        self.closed = True


def replies_of(*lists):
    asked = []
    pool = WorkerPool(1, new_worker=lambda: FakeWorker(asked))
    found = pool.run(
        [{"name": name, "replies": list(r)} for name, r in zip("abc", lists, strict=False)]
    )
    pool.close()
    return found, asked


def test_a_starved_answer_is_judged_once_more_after_all_others():
    found, asked = replies_of([STARVED, RIGHT], [RIGHT], [LATE])
    assert [reply["status"] for reply in found] == ["correct", "correct", "undecided"]
    assert found[0]["seconds"] == 1.0 and found[2]["reason"] == "timeout"
    assert asked == ["a", "b", "c", "a"]


def test_an_answer_that_is_starved_twice_is_undecided_and_says_so():
    found, asked = replies_of([STARVED, STARVED], [STARVED, LATE])
    assert [reply["reason"] for reply in found] == [
        "timeout: the machine was too busy, twice",
        "timeout",
    ]
    assert asked == ["a", "b", "a", "b"]


@pytest.mark.parametrize(
    ("cpu_seconds", "state", "starved"),
    [
        (0.0, psutil.STATUS_RUNNING, True),
        (0.4, psutil.STATUS_RUNNING, True),
        (0.4, psutil.STATUS_DISK_SLEEP, True),
        (0.6, psutil.STATUS_RUNNING, False),
        (4.9, psutil.STATUS_RUNNING, False),
        (0.0, psutil.STATUS_SLEEPING, False),
        (0.0, "", False),
    ],
)
def test_starved_is_who_wanted_the_processor_and_got_less_than_a_tenth(cpu_seconds, state, starved):
    assert is_starved(cpu_seconds, limit=5.0, state=state) is starved


@pytest.fixture
def verifiers(tmp_path, monkeypatch):
    """A module of verifiers; ``late`` answers the second time that it is asked."""
    (tmp_path / "slow_verifiers.py").write_text(
        "import os, time\n"
        "from manyways.records import Verdict\n"
        f"def spinning(problem, text):\n    {BURN}\n"
        "def sleeping(problem, text): time.sleep(1000)\n"
        "def late(problem, text):\n"
        "    if not os.path.exists(problem.question):\n"
        "        open(problem.question, 'w').close()\n"
        "        time.sleep(1000)\n"
        "    return Verdict(status='correct', rule='computed')\n"
    )
    (tmp_path / "stuck_verifiers.py").write_text("import time\ntime.sleep(1000)\n")
    monkeypatch.syspath_prepend(tmp_path)


def asked(name, question=""):
    return Problem(id="a/b/0", question=question, answer="", verifier=name), "12"


@pytest.mark.parametrize(("state", "status"), [("running", "correct"), ("sleeping", "undecided")])
def test_an_answer_gets_another_try_when_the_machine_gave_its_worker_no_time(
    verifiers, started, tmp_path, monkeypatch, state, status
):
    """The meter is told to say so, since no load makes sure of it."""
    monkeypatch.setattr(worker_process, "_usage", lambda pid: (0.0, state))
    with Verifiers(workers=1, timeout=2) as judge:
        (verdict, seconds), *_ = judge.timed([asked("slow_verifiers:late", str(tmp_path / "seen"))])
    assert verdict.status == status
    assert seconds >= 2
    assert len(started) == 2  # the one that was killed, and the next, which is started at once


def test_the_meter_tells_a_process_that_computes_from_one_that_sleeps():
    burner = subprocess.Popen([sys.executable, "-c", BURN])
    sleeper = subprocess.Popen([sys.executable, "-c", "print(flush=True); input()"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    try:
        assert eventually(lambda: worker_process._usage(burner.pid)[0] > 0.3)
        assert worker_process._usage(burner.pid)[1] == psutil.STATUS_RUNNING
        sleeper.stdout.readline()
        assert eventually(lambda: worker_process._usage(sleeper.pid)[1] == psutil.STATUS_SLEEPING)
    finally:
        for process in (burner, sleeper):
            process.kill()
            process.communicate()
    assert worker_process._usage(burner.pid) == (0.0, "")


def test_an_answer_whose_time_is_over_ends_its_worker_without_waiting_for_it(
    verifiers, started, monkeypatch
):
    """A killed process that gets no processor time would be waited for long."""
    with Verifiers(workers=1, timeout=0.5) as judge:
        with monkeypatch.context() as patch:
            patch.setattr(subprocess.Popen, "wait", lambda *_, **__: pytest.fail("it waits"))
            names = ("spinning", "sleeping")
            found = judge.timed([asked(f"slow_verifiers:{name}") for name in names])
        assert {verdict.status for verdict, _ in found} == {"undecided"}
        assert all(seconds >= 0.5 for _, seconds in found)
    assert all(process.returncode == -signal.SIGKILL for process in started)


def test_a_worker_that_never_reads_its_job_is_given_up(verifiers, monkeypatch):
    monkeypatch.setattr(worker_process, "START_LIMIT", 0.5)
    problem, _ = asked("stuck_verifiers:verify")
    with Verifiers(workers=1, timeout=1) as judge:
        found = judge.verdicts([(problem, "x" * 300_000)] * 2)
    assert {verdict.status for verdict in found} == {"undecided"}


def test_a_worker_runs_the_callers_copy_of_this_package(tmp_path):
    """Also where another copy is installed."""
    copy = shutil.copytree(Path(manyways.__file__).parent, tmp_path / "manyways")
    (tmp_path / "telling.py").write_text(
        "import manyways\n"
        "from manyways.records import Verdict\n"
        "def verify(problem, text): return Verdict(status='correct', rule=manyways.__file__)\n"
    )
    script = (
        "from manyways.records import Problem\n"
        "from manyways.verifiers.verdicts import Verifiers\n"
        "problem = Problem(id='a/b/0', question='', answer='', verifier='telling:verify')\n"
        "with Verifiers(workers=1) as judge: print(judge.verdicts([(problem, '')])[0].rule)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        check=True,
        text=True,
    )
    assert Path(told.stdout.strip()) == copy / "__init__.py"


def test_a_closed_worker_starts_no_process_again():
    worker = Worker()
    worker.close()
    job = {"verifier": "math", "problem": {}, "text": "", "options": {}, "limit": 1.0}
    reply = worker.ask(job)
    assert (reply["status"], reply["reason"]) == ("undecided", "error: verification was closed")
    assert worker._process is None


def test_closing_while_others_wait_leaves_no_process(verifiers, started):
    judge = Verifiers(workers=2, timeout=30)
    failures = []

    def ask():
        try:
            judge.verdicts([asked("slow_verifiers:spinning")])
        except Exception as error:  # noqa: BLE001 - any of them is looked at below
            failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert eventually(lambda: len(started) == 2)
    judge.close()
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads)
    assert [process.returncode for process in started] == [-signal.SIGKILL] * 2
    assert failures == []
