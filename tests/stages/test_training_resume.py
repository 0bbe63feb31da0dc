import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """What ``killed_training.py`` found; one process for all tests of this file."""
    script = [sys.executable, str(HERE / "killed_training.py")]
    places = [str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH", "")]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(places), "OMP_NUM_THREADS": "1"}
    folder = tmp_path_factory.mktemp("killed")
    done = subprocess.run(
        [*script, str(folder)], env=env, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("stage", ["midtrain", "rl"])
def test_a_killed_training_ends_with_the_same_weights_and_losses(outcomes, stage: str) -> None:
    found = outcomes[stage]
    # Killed while writing the checkpoints of steps 2 and 4: it began again, then went on from 2.
    assert found["codes"] == [0, -9, -9, 0]
    assert found["trainer"] == ["checkpoint-2", "checkpoint-4"]
    assert [row["step"] for row in found["killed"]["rows"]] == [1, 2, 3, 4, 5, 6]
    assert found["killed"] == found["whole"]
    # Of RL every attempt is kept, once: the problems are fewer than a sample has.
    steps = [row["step"] for row in found["whole"]["attempts"]]
    assert steps == [step for step in range(1, 7) for _ in range(16)] * (stage == "rl")
    # Each attempt of a group is asked under the next of two heuristics, then plainly, and so on.
    asked = [row["attempt"]["heuristic"] for row in found["whole"]["attempts"][:8]]
    assert asked == ["a", "b", "plain", "a", "b", "plain", "a", "b"] * (stage == "rl")


@pytest.mark.parametrize(("stage", "steps"), [("midtrain", [0, 3, 6]), ("rl", list(range(7)))])
def test_a_killed_training_has_the_curve_of_one_that_was_not(outcomes, stage, steps) -> None:
    whole, killed = outcomes[stage]["curves"]
    phase = "rl" if stage == "rl" else "mid"
    assert list(whole) == [f"{phase}@{step}" for step in steps]
    assert all(len(rows) == 4 * 4 for rows in whole.values())
    assert killed == whole
    # Sampled from the weights in training, the last step gives the texts of its checkpoint.
    assert whole[f"{phase}@6"] == outcomes[stage]["last"]
    assert whole[f"{phase}@0"] != whole[f"{phase}@6"]


def test_steps_that_are_kept_are_their_weights(outcomes) -> None:
    found = outcomes["rl"]["whole"]
    assert sorted(found["steps"]) == ["1", "2", "3", "4", "5"]
    assert len({*found["steps"].values(), found["weights"]}) == 6


@pytest.mark.parametrize("stage", ["midtrain", "rl"])
def test_training_moves_the_weights_at_every_step(outcomes, stage: str) -> None:
    rows = outcomes[stage]["whole"]["rows"]
    assert all(row["loss"] != 0 for row in rows)
    assert len({row["loss"] for row in rows}) == len(rows)


def test_the_trainers_own_checkpoints_are_gone_at_the_end(outcomes) -> None:
    assert outcomes["midtrain"]["whole"]["left"] == ["checkpoint", "data.jsonl", "metrics.jsonl"]
    left = ["attempts", "checkpoint", "metrics.jsonl", "steps"]
    assert outcomes["rl"]["whole"]["left"] == left
