"""One judge called from many threads, and judges of their own in the processes of a Ray cluster."""

import itertools
import signal
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from needs import needs_ray
from waiting import eventually, runs

from manyways.records import Problem
from manyways.train.reward import StepReward
from manyways.verifiers.verdicts import Verifiers

TOWER = r"\boxed{9^{9^{9^{9^9}}}}"
CASES = (  # only workers decide these
    ("x+{0}", r"\boxed{{{0}+x}}", "correct"),
    ("{0}x^2", r"\boxed{{x^2\cdot{0}}}", "correct"),
    (r"\frac{{x}}{{{0}+1}}", r"\boxed{{\frac{{x}}{{1+{0}}}}}", "correct"),
)


def cases(number):
    """Pairs that nobody else asks for, and their statuses."""
    pairs = [
        (Problem(id=f"a/b/{i}", question="", answer=gold.format(number)), text.format(number))
        for i, (gold, text, _) in enumerate(CASES)
    ]
    return pairs, [status for *_, status in CASES]


def come_down_to(count, pids):
    """Whether ``count`` of these processes are left in the end."""
    return eventually(lambda: sum(map(runs, pids)) == count)


def test_threads_share_a_judge_while_one_of_them_brings_a_hostile_answer(started):
    hostile = Problem(id="a/b/9", question="", answer="5"), TOWER
    with Verifiers(workers=2, timeout=4) as judge, ThreadPoolExecutor(6) as threads:
        stuck = threads.submit(judge.verdicts, [hostile])
        asked = [(number, threads.submit(judge.verdicts, cases(number)[0])) for number in range(12)]
        for number, found in asked:
            assert [verdict.status for verdict in found.result()] == cases(number)[1]
        assert stuck.result()[0].reason.startswith("timeout")
        # One is killed, and one more for each that the machine left no time and that tried again.
        assert len(started) >= 3
        assert come_down_to(2, [process.pid for process in started])
    assert all(process.returncode == -signal.SIGKILL for process in started)


def test_a_trl_reward_function_judges_from_any_thread():
    problems = [Problem(id=f"a/b/{i}", question="", answer=f"x+{i}") for i in range(4)]
    texts = [rf"\boxed{{{i}+x}}" for i in range(3)] + ["none"]
    with Verifiers(workers=1, timeout=20) as judge, ThreadPoolExecutor(2) as threads:
        rewards = [
            threads.submit(
                StepReward(verify=judge.verdicts, group_size=2).trl_function(problems),
                completions=[[{"role": "assistant", "content": text}] for text in texts],
                problem=[0, 1, 2, 3],
            )
            for _ in range(3)
        ]
        assert [future.result() for future in rewards] == [[1.0, 1.0, 1.0, 0.0]] * 3


@pytest.fixture
def ray():
    import ray

    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=80 * 1024 * 1024,
    )
    yield ray
    ray.shutdown()


@needs_ray
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:::ray")
def test_actors_and_tasks_of_ray_judge_with_workers_of_their_own(ray):
    class Judging:
        def __init__(self, judge):
            self.judge = judge

        def statuses(self, pairs):
            return [verdict.status for verdict in self.judge.verdicts(pairs)]

        def children(self):
            return [child.pid for child in psutil.Process().children(recursive=True)]

        def close(self):
            self.judge.close()

    def statuses_of_a_task(judge, pairs):
        with judge:
            found = [verdict.status for verdict in judge.verdicts(pairs)]
        return found, [child.pid for child in psutil.Process().children(recursive=True)]

    judge = Verifiers(workers=1, timeout=4)
    hostile = Problem(id="a/b/9", question="", answer="5"), TOWER
    actors = [ray.remote(num_cpus=1)(Judging).remote(judge) for _ in range(2)]
    asked = [
        actor.statuses.remote([hostile, *cases(number)[0]])
        for number, actor in zip(range(4), itertools.cycle(actors), strict=False)
    ]
    for number, found in enumerate(ray.get(asked)):
        assert found == ["undecided", *cases(number)[1]]
    started = [set(ray.get(actor.children.remote())) for actor in actors]
    for pids in started:  # those of stuck answers end
        assert pids and come_down_to(1, pids)
    ray.get(actors[0].close.remote())
    assert come_down_to(0, started[0])
    for actor in actors:
        ray.kill(actor)  # SIGKILL: the second actor never closes its judge
    assert come_down_to(0, started[1])

    task = ray.remote(num_cpus=1)(statuses_of_a_task)
    for number, (found, left) in enumerate(
        ray.get([task.remote(judge, cases(number)[0]) for number in range(4)])
    ):
        assert (found, left) == (cases(number)[1], [])
    assert judge._pool is None
