"""A training by (a stand-in for) verl: started, followed, killed, resumed, merged."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from made_verl import checkpoint, environment
from waiting import PATIENCE, eventually, runs

from manyways.checkpoints import load_tokenizer
from manyways.errors import MissingWork, RecipeError, RunDirError
from manyways.measures.curves import CurveRow
from manyways.recipe.rl import RLConfig, VerlConfig
from manyways.records import Message, Problem, Verdict
from manyways.tables import read_rl_attempts
from manyways.train import RLSettings, Watch
from manyways.train.reward import StepReward
from manyways.train.verl import backend
from manyways.train.verl.environment import check

PROBLEMS = [Problem(id=f"set/train/{i}", question=f"What is {i} + 0?", answer=str(i))
            for i in range(3)]  # fmt: skip
STEPS = 4


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> str:
    return str(checkpoint(tmp_path_factory.mktemp("base")))


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> str:
    return environment(tmp_path_factory.mktemp("verl") / "env")


@pytest.fixture(autouse=True)
def impatient(monkeypatch) -> None:
    monkeypatch.setattr(backend, "LOOK_SECONDS", 0.1)


def judge(pairs) -> list[Verdict]:
    return [
        Verdict(status="correct" if f"{{{p.answer}}}" in text else "wrong") for p, text in pairs
    ]


NOTHING = Watch(every=1, look=None, saves=lambda _: True, tidy=lambda _: None, ends=lambda _: False)


def train(base: str, python: str, out: Path, watch: Watch | None = None, **changes) -> Path:
    section = {
        "backend": "verl", "problems": "x/y", "steps": STEPS, "group_size": 2,
        "prompts_per_step": 2, "max_tokens": 64, "learning_rate": 1e-6, "save_every": 2,
        "verl": {"python": python},
    }  # fmt: skip
    settings = RLSettings(
        config=RLConfig.model_validate(section | changes),
        messages=lambda problem: (Message(role="user", content=problem.question),),
        arm="star", seed=3, device="cpu", watch=watch,
    )  # fmt: skip
    reward = StepReward(verify=judge, group_size=2)
    return backend.train(base, PROBLEMS, reward=reward, settings=settings, out=out)


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def rows(path: Path) -> list[CurveRow]:
    return [CurveRow(**line) for line in lines(path)]


def test_killed_on_the_way_resumed_followed_merged(base, python, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("FAKE_VERL", json.dumps({"die_at": 3}))
    with pytest.raises(MissingWork, match=r"exit code -9 .*it resumes from step 2") as caught:
        train(base, python, tmp_path)
    assert "step:3 - " in str(caught.value)
    assert [row.step for row in rows(tmp_path / "metrics.jsonl")] == [1, 2, 3]
    assert not (tmp_path / "checkpoint").exists()

    merged = train(base, python, tmp_path)
    assert merged == tmp_path / "checkpoint"
    assert (merged / "model.safetensors").read_bytes() == b"weights"
    assert json.loads((merged / "config.json").read_text())["steps_taken"] == 4
    # verl's merger saves none: the template is the one that prompts were rendered with.
    assert load_tokenizer(str(merged)).chat_template == load_tokenizer(base).chat_template
    found = rows(tmp_path / "metrics.jsonl")
    assert [row.step for row in found] == [1, 2, 3, 4]
    assert found[0] == CurveRow(
        arm="star", seed=3, stage="rl", step=1, loss=0.01, reward=0.75, entropy=1.0, length=12.0,
        truncated=0.125, seconds=2.5, mixed=0.5, all_right=0.5, all_wrong=0.0,
    )  # fmt: skip
    assert [row["step"] for row in lines(tmp_path / "verl" / "log-2.jsonl")] == [3, 4]
    assert not (tmp_path / "verl" / "checkpoints").exists()
    assert "step:4 - actor/entropy:0.25" in (tmp_path / "verl" / "console.txt").read_text()
    # Finished: asked again, nothing is started.
    assert train(base, "/no/such/python", tmp_path) == merged


def test_steps_are_merged_to_be_evaluated_and_attempts_are_kept(base, python, tmp_path) -> None:
    train(base, python, tmp_path, NOTHING, evaluate_every=1, attempts="all")
    for step in (1, 2, 3):
        config = (tmp_path / f"steps/{step}/checkpoint/config.json").read_text()
        assert json.loads(config)["steps_taken"] == step
    assert not (tmp_path / "steps" / "4").exists()
    assert not (tmp_path / "verl" / "checkpoints").exists()
    kept = list(read_rl_attempts(tmp_path / "attempts"))
    assert [(row.step, row.group, row.attempt.sample) for row in kept] == [
        (step, group, place) for step in (1, 2, 3, 4) for group in (0, 1) for place in (0, 1)
    ]
    # The stand-in's first group is all right, of the second one is.
    assert [row.reward for row in kept[:4]] == [1.0, 1.0, 1.0, 0.0]
    assert kept[0].attempt.text == f"\\boxed{{{kept[0].attempt.problem_id[-1]}}}"
    assert len({row.attempt.problem_id for row in kept[:4]}) == 2
    assert {row.advantage for row in kept} == {None}
    assert all(row.attempt.tokens > 3 and row.attempt.prompt_tokens > 3 for row in kept)


def test_an_error_is_told_in_verls_own_last_words(base, python, tmp_path, monkeypatch) -> None:
    # Left by one that was killed while it saved the last step: verl has not noted it as whole.
    (tmp_path / "verl" / "checkpoints" / f"global_step_{STEPS}" / "actor").mkdir(parents=True)
    monkeypatch.setenv("FAKE_VERL", json.dumps({"exit_at": 1}))
    with pytest.raises(MissingWork) as caught:
        train(base, python, tmp_path)
    told = str(caught.value)
    assert "verl ended with exit code 1 before the checkpoint of step 4 was whole" in told
    assert "it starts anew" in told
    assert str(tmp_path / "verl" / "console.txt") in told
    assert told.endswith("RuntimeError: CUDA out of memory. Tried to allocate 20.00 GiB")
    assert caught.value.exit_code == 3


@pytest.mark.slow
def test_a_merge_that_failed_is_made_up_for_without_training(
    base, python, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("FAKE_VERL", json.dumps({"merge": "fails"}))
    with pytest.raises(MissingWork, match=r"merger failed with exit code 1(.|\n)*no room for the"):
        train(base, python, tmp_path)
    monkeypatch.delenv("FAKE_VERL")
    merged = train(base, python, tmp_path)
    assert json.loads((merged / "config.json").read_text())["steps_taken"] == STEPS
    assert sorted(p.name for p in (tmp_path / "verl").glob("log-*")) == ["log-1.jsonl"]


def test_what_it_lacks_is_named_with_the_command(tmp_path) -> None:
    config = {"python": environment(tmp_path / "env", lacks=("vllm",))}
    with pytest.raises(RecipeError, match=r"no module vllm.* -m pip install 'verl\[vllm\]==0.9.1'"):
        check(VerlConfig.model_validate(config))
    # With another engine of rollouts vLLM is not needed.
    check(VerlConfig.model_validate(config | {"extra": {"actor_rollout_ref.rollout.name": "verl"}}))
    with pytest.raises(RecipeError, match=r"No such file.* python3 -m venv verl-env && "):
        check(VerlConfig(python=str(tmp_path / "absent")))


STARTER = """
import sys
from pathlib import Path
from manyways.train.verl import backend
folder = Path(sys.argv[1])
backend.run([sys.executable, "-c",
             "import os, pathlib, sys, time; "
             "pathlib.Path(sys.argv[1], 'pid').write_text(str(os.getpid())); time.sleep(3600)",
             str(folder)], folder / "console.txt", look=lambda: None)
"""


def test_it_ends_with_the_command_that_started_it_and_runs_once(tmp_path, monkeypatch) -> None:
    starter = subprocess.Popen([sys.executable, "-c", STARTER, str(tmp_path)])
    pid = tmp_path / "pid"
    assert eventually(lambda: pid.exists() and pid.read_text())
    monkeypatch.setattr(backend, "WAIT_SECONDS", 0.3)
    with pytest.raises(RunDirError, match="started by an earlier command, still runs"):
        backend.run(["true"], tmp_path / "console.txt", look=lambda: None)
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    monkeypatch.setattr(backend, "WAIT_SECONDS", PATIENCE)
    assert backend.run(["true"], tmp_path / "console.txt", look=lambda: None) == 0
    assert eventually(lambda: not runs(int(pid.read_text())))
