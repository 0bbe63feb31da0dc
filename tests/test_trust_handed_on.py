"""Processes of our own are told what their parent trusts: each kind of them decides alike."""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import TESTS, environment
from made_runs import context

from manyways import jobs, trust
from manyways.arms import Line
from manyways.engines import ray as ray_engine
from manyways.recipe.engines import ModelConfig
from manyways.recipe.pool import VerifyConfig
from manyways.records import Problem
from manyways.run_dir import open_for_writing
from manyways.train import launch
from manyways.train.verl.backend import write_reward
from manyways.verifiers.verdicts import Verifiers

NAMES = ("telling:verify", "os:system")
"""What is trusted here, and what is not."""
TELL = (
    "import json; from manyways import trust; "
    f"print(json.dumps([trust.trusts(name) for name in {NAMES}]))"
)
ALIKE = [True, False]
TELLING = f"""
from manyways import trust
from manyways.records import Verdict
def verify(problem, text):
    return Verdict(status="correct", rule=str([trust.trusts(name) for name in {NAMES}]))
class Engine:
    def __init__(self, path, config): pass
    def sample(self, requests, settings): return []
    def facts(self): return {{}}
"""


@pytest.fixture(autouse=True)
def one_is_trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """By this process alone: no variable says so to others."""
    monkeypatch.delenv(trust.VARIABLE, raising=False)
    (tmp_path / "telling.py").write_text(TELLING)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), str(TESTS))))
    trust._granted.clear()
    trust.grant(NAMES[0])
    yield
    trust._granted.clear()


def problem(verifier: str) -> Problem:
    return Problem(id="made/seed/0", question="?", answer="1", verifier=verifier)


def test_a_line_of_jobs_decides_as_its_parent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = subprocess.Popen
    monkeypatch.setattr(
        jobs.subprocess, "Popen", lambda _, **how: real([sys.executable, "-c", TELL], **how)
    )
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    made, line = context(tmp_path / "run"), Line(arm="star", seed=0)
    assert jobs._start(made, line, ("rl",), slot=0, jobs=1).wait() == 0
    assert json.loads((tmp_path / "run/arms/star/seed-0/log.txt").read_text()) == ALIKE


def test_processes_of_accelerate_decide_as_their_parent(tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    code = f"import sys; sys.stdout = open({str(told)!r}, 'w'); {TELL}"
    with open_for_writing(tmp_path / "run") as run:
        launch.run([sys.executable, "-c", code], run)
    assert json.loads(told.read_text()) == ALIKE


def test_a_verifiers_worker_decides_as_its_parent() -> None:
    with Verifiers(workers=1) as verifiers:
        [verdict] = verifiers.verdicts([(problem(NAMES[0]), "1")])
        assert json.loads(verdict.rule.lower()) == ALIKE
        job = {"verifier": NAMES[1], "problem": {}, "text": "", "options": {}, "limit": 1.0}
        [reply] = verifiers._running().run([job])
        assert "--trust" in reply["broken"]


SCORE = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("reward", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
print(module.compute_score(solution_str="1", extra_info={"problem": sys.argv[2]})["score"])
"""


def test_verls_reward_workers_decide_as_who_wrote_their_file(tmp_path: Path) -> None:
    """They are started by Ray, on any node, and have no variable of ours."""
    write_reward(tmp_path / "reward.py", VerifyConfig())
    found = {}
    for name in NAMES:
        told = json.dumps(problem(name).fields())
        words = [sys.executable, "-c", SCORE, str(tmp_path / "reward.py"), told]
        found[name] = subprocess.run(
            words, env=environment(), capture_output=True, text=True, check=False
        )
    assert found[NAMES[0]].stdout.strip() == "1.0", found[NAMES[0]].stderr
    assert found[NAMES[1]].returncode != 0
    assert "verifier 'os:system' names code outside manyways" in found[NAMES[1]].stderr


SAMPLE = """
import pickle, sys
path, config, trusted = pickle.loads(bytes.fromhex(sys.argv[1]))
from manyways.engines.ray import Worker
print(Worker(path, config, trusted).sample([], None))
"""


@pytest.mark.parametrize(("engine", "works"), [("telling:Engine", True), ("os:system", False)])
def test_ray_workers_are_handed_what_is_trusted(
    engine: str, works: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on another node: nothing reaches a worker but what it is made with."""
    given: list[Any] = []

    class Cluster:
        """Keeps what actors are made with."""

        def remote(self, *args: object) -> "Cluster":
            given.append(args)
            return self

        def options(self, **_: object) -> "Cluster":
            return self

    trust.grant("telling:Engine")
    monkeypatch.setattr(ray_engine, "_connect", lambda _: (Cluster(), False))
    config = ModelConfig(path="nowhere", engine="ray", ray={"engine": engine})
    ray_engine.RayEngine("nowhere", config)
    words = [sys.executable, "-c", SAMPLE, pickle.dumps(given[-1]).hex()]
    done = subprocess.run(words, env=environment(), capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is works, done.stderr
    assert done.stdout.strip() == "([], {})" if works else "--trust" in done.stderr
