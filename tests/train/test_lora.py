"""LoRA: only adapters learn, checkpoints are merged and ordinary."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from manyways.errors import RecipeError
from manyways.recipe import load_recipe
from manyways.recipe.training import LoraConfig
from manyways.train import trainer_config
from manyways.train.trainer_config import check_lora

POCKET = Path(__file__).parents[2] / "recipes" / "pocket.toml"
STAGES = Path(__file__).parents[1] / "stages"


def test_the_table_is_read_and_may_name_layers() -> None:
    recipe = load_recipe(
        POCKET, ["rl.lora.rank=4", 'midtrain.lora.target_modules=["q_proj", "v_proj"]']
    )
    assert recipe.rl.lora == LoraConfig(rank=4)
    assert recipe.midtrain.lora is not None
    assert recipe.midtrain.lora.target_modules == ("q_proj", "v_proj")


def test_a_missing_package_is_named_with_the_command_that_brings_it(monkeypatch) -> None:
    monkeypatch.setattr(trainer_config, "find_spec", lambda name: None)
    check_lora(None, "rl")
    with pytest.raises(RecipeError, match=r"rl\.lora needs .*pip install .*\[peft\]'"):
        check_lora(LoraConfig(), "rl")


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Both trainings with adapters of rank 2, whole and killed twice; see killed_training.py."""
    places = [str(STAGES), str(STAGES.parent), os.environ.get("PYTHONPATH", "")]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(places), "OMP_NUM_THREADS": "1"}
    folder = tmp_path_factory.mktemp("killed")
    done = subprocess.run(
        [sys.executable, str(STAGES / "killed_training.py"), str(folder), "2"],
        env=env, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["midtrain", "rl"])
def test_a_killed_training_with_adapters_ends_with_the_same_weights(outcomes, stage) -> None:
    found = outcomes[1][stage]
    assert found["codes"] == [0, -9, -9, 0]
    assert found["trainer"] == ["checkpoint-2", "checkpoint-4"]
    assert [row["step"] for row in found["killed"]["rows"]] == [1, 2, 3, 4, 5, 6]
    assert found["killed"] == found["whole"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "place", ["arms/heuristics-2/seed-3/3-midtrain", "arms/vanilla/seed-3/5-rl"]
)
def test_the_checkpoint_is_plain_and_differs_from_the_base_by_rank_two(outcomes, place) -> None:
    from safetensors.torch import load_file
    from torch.linalg import matrix_rank

    folder = outcomes[0]
    path = folder / "whole" / place / "checkpoint"
    assert not list(path.glob("adapter*"))
    before, after = (load_file(p / "model.safetensors") for p in (folder / "model", path))
    assert before.keys() == after.keys()
    for name, old in before.items():
        linear = "_proj" in name
        change = (after[name] - old).double()
        rank = int(matrix_rank(change, rtol=1e-3)) if change.ndim == 2 else int(change.any())
        assert rank == (2 if linear else 0), name
