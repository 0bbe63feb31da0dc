"""Trainings in several processes: what is started, what becomes of errors and of killed ones."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from manyways import errors
from manyways.errors import MissingWork, RecipeError
from manyways.recipe import load_recipe
from manyways.recipe.training import LaunchConfig
from manyways.run_dir import open_for_writing
from manyways.train import launch, processes
from manyways.train.reward import StepReward
from manyways.train.trainer_config import in_micro_batches

POCKET = Path(__file__).parents[2] / "recipes" / "pocket.toml"
HERE = Path(__file__).parent
WORK = ("rl", "star", 1)


def as_one_of(monkeypatch, rank: int, world: int) -> None:
    for name, value in (("LOCAL_RANK", rank), ("RANK", rank), ("WORLD_SIZE", world)):
        monkeypatch.setenv(name, str(value))


def test_the_command_is_one_that_accelerate_parses(tmp_path) -> None:
    from accelerate.commands.launch import launch_command_parser

    words = launch.command(LaunchConfig(processes=2), tmp_path, WORK)
    assert words[:3] == [sys.executable, "-m", "accelerate.commands.launch"]
    parsed = launch_command_parser().parse_args(words[3:])
    assert (parsed.num_processes, parsed.multi_gpu, parsed.module) == (2, True, True)
    assert parsed.training_script == "manyways"
    assert parsed.training_script_args == ["line-stage", str(tmp_path), "rl", "star", "1"]


def test_a_file_of_accelerates_decides_what_is_not_given(tmp_path) -> None:
    from accelerate.commands.launch import launch_command_parser

    words = launch.command(LaunchConfig(accelerate_config="fsdp.yaml"), tmp_path, WORK)
    parsed = launch_command_parser().parse_args(words[3:])
    assert parsed.config_file == str(Path("fsdp.yaml").resolve())
    assert parsed.num_processes is None
    assert not parsed.multi_gpu


def test_a_launch_of_nothing_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"launch: .*give processes, accelerate_config or both"):
        load_recipe(POCKET, ["launch={}"])


def failing(folder, *words: str) -> None:
    with open_for_writing(folder) as run:
        launch.run([sys.executable, "-c", *words], run)


def test_an_error_of_a_process_that_trains_is_raised_as_itself(tmp_path) -> None:
    tell = (
        "from manyways.errors import ModelError; from manyways.train import launch; "
        "launch.tell(ModelError('the loss is not a number')); raise SystemExit(2)"
    )
    with pytest.raises(errors.ModelError, match="the loss is not a number"):
        failing(tmp_path, tell)


def test_a_process_that_is_killed_says_to_run_again(tmp_path) -> None:
    with pytest.raises(MissingWork, match="Run the same command again"):
        failing(tmp_path, "import os; os.kill(os.getpid(), 9)")


def test_the_folder_stays_locked_while_a_process_that_trains_lives(tmp_path) -> None:
    look = (
        "import os, sys; from pathlib import Path; from manyways.run_dir import open_for_writing; "
        "held = os.environ.pop('MANYWAYS_LOCK_HELD_BY')\n"
        "try:\n  with open_for_writing(Path(held)): sys.exit(0)\n"
        "except Exception as e: sys.exit(7 if 'being written to' in str(e) else 1)"
    )
    with pytest.raises(MissingWork, match="exit code 7"):
        failing(tmp_path, look)


def test_each_process_takes_its_share_of_a_step(monkeypatch) -> None:
    as_one_of(monkeypatch, 1, 4)
    given = in_micro_batches(64, 8, "rl.micro_batch", device="cuda")
    assert tuple(given.values()) == (8, 2)
    assert not processes.is_writer()
    with pytest.raises(RecipeError, match=r"launch\.processes = 4: it must divide 30"):
        in_micro_batches(30, None, "rl.micro_batch", device="cuda")
    with pytest.raises(RecipeError, match=r"rl.micro_batch = 6: it must divide 16, one process's"):
        in_micro_batches(64, 6, "rl.micro_batch", device="cuda")


def test_what_is_said_of_a_step_is_about_every_process(monkeypatch) -> None:
    from manyways.records import Problem, Verdict

    problem = Problem(id="p/0", question="?", answer="1")
    other = [(Verdict(status="wrong"), "b"), (Verdict(status="wrong"), "b")]
    reward = StepReward(
        verify=lambda pairs: [Verdict(status="correct") for _ in pairs],
        group_size=2,
        gather=lambda mine: [*mine, *other],
    )
    assert reward.score([problem] * 2, ["a", "a"]) == [1.0, 1.0]
    assert reward.view is not None
    assert (reward.view.reward, reward.view.all_right, reward.view.all_wrong) == (0.5, 0.5, 0.5)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What ``launched_training.py`` found: one process, two, and two with kills on the way."""
    places = [str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH", "")]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(places), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(HERE / "launched_training.py"), str(tmp_path_factory.mktemp("runs"))],
        env=env, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    print(done.stdout)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_two_processes_take_the_steps_of_one(found) -> None:
    """Same rows and seeds: the first step differs by rounding alone; later ones stay close."""
    for stage in ("midtrain", "rl"):
        one, two = found["one"][stage]["rows"], found["two"][stage]["rows"]
        assert [row["step"] for row in one] == [row["step"] for row in two]
        assert two[0]["loss"] == pytest.approx(one[0]["loss"], rel=1e-3, abs=1e-4)
    for a, b in zip(
        found["one"]["midtrain"]["rows"], found["two"]["midtrain"]["rows"], strict=True
    ):
        assert b["loss"] == pytest.approx(a["loss"], rel=1e-3)
    one, two = found["one"]["rl"]["rows"][0], found["two"]["rl"]["rows"][0]
    assert one["mixed"] > 0  # otherwise nothing was learnt and nothing compared
    for key in ("reward", "mixed", "length", "truncated"):
        assert two[key] == pytest.approx(one[key], abs=1e-6), key
    # The attempts of the first step, groups that two processes share included.
    one, two = (
        [row for row in found[name]["rl"]["attempts"] if row["step"] == 1]
        for name in ("one", "two")
    )
    assert len(one) == 128
    told = pytest.approx([row["advantage"] for row in one])
    assert [row["advantage"] for row in two] == told
    same = ("problem_id", "sample", "seed", "text", "finish", "tokens", "prompt_hash", "verdict")
    assert [[row["attempt"][key] for key in same] for row in two] == [
        [row["attempt"][key] for key in same] for row in one
    ]
    assert [(row["group"], row["reward"]) for row in two] == [
        (row["group"], row["reward"]) for row in one
    ]


@pytest.mark.slow
def test_one_of_two_processes_evaluates_on_the_way(found) -> None:
    one, two = (found[name]["rl"]["on the way"] for name in ("one", "two"))
    assert list(one) == list(two)
    assert len(one) > 2
    assert all(len(texts) == 4 * 2 for texts in two.values())
    assert one["rl@0"] == two["rl@0"]
    assert len(found["two"]["rl"]["steps"]) == len(one) - 2


@pytest.mark.slow
def test_killed_processes_end_with_the_weights_of_a_run_that_was_not(found) -> None:
    assert found["codes"]["rank"] != 0
    assert found["codes"]["parent"] == -9
    assert found["left_over"] == []
    for stage in ("midtrain", "rl"):
        assert found["killed"][stage] == found["two"][stage]
