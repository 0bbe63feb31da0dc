"""Trackers get what TRL logs, under names that tell the trainings of a run apart."""

import os
from pathlib import Path

import pytest

from manyways.errors import RecipeError
from manyways.recipe import load_recipe
from manyways.recipe.owners import check_extras
from manyways.recipe.training import TrackingConfig, refuse
from manyways.train import trainer_config
from manyways.train.trainer_config import (
    build_config,
    check_trackers,
    common,
    common_defaults,
    tracker_arguments,
)

POCKET = Path(__file__).parents[2] / "recipes" / "pocket.toml"
VARIABLES = ("TENSORBOARD_LOGGING_DIR", "WANDB_PROJECT", "WANDB_DIR")


@pytest.fixture(autouse=True)
def clean_variables(monkeypatch):
    for name in VARIABLES:
        monkeypatch.setenv(name, "before")


def test_without_trackers_nothing_is_reported(tmp_path) -> None:
    given = tracker_arguments(TrackingConfig(), name="pocket/star/seed-0/rl", folder=tmp_path)
    assert given == {"report_to": "none"}
    assert os.environ["WANDB_PROJECT"] == "before"


@pytest.mark.parametrize("name", ["SFTConfig", "GRPOConfig"])
def test_trackers_and_names_reach_trl(name, tmp_path, monkeypatch) -> None:
    import trl

    monkeypatch.setattr(trainer_config, "find_spec", lambda name: True)
    recipe = load_recipe(POCKET, ['tracking.report_to=["wandb", "trackio", "tensorboard"]'])
    given = tracker_arguments(recipe.tracking, name="pocket/star/seed-0/rl", folder=tmp_path)
    config = build_config(
        getattr(trl, name),
        "rl",
        fixed=common(tmp_path, steps=1, seed=0, device="cpu"),
        defaults={**common_defaults(device="cpu", dtype="auto"), **given},
        extra={},
    )
    assert config.report_to == ["wandb", "trackio", "tensorboard"]
    assert (config.run_name, config.project) == ("pocket/star/seed-0/rl", "manyways")
    assert os.environ["WANDB_PROJECT"] == "manyways"
    assert os.environ["TENSORBOARD_LOGGING_DIR"] == str(tmp_path / "tensorboard" / "rl")


def test_a_missing_tracker_is_named_with_the_command_that_brings_it(monkeypatch) -> None:
    monkeypatch.setattr(trainer_config, "find_spec", lambda name: None)
    with pytest.raises(RecipeError, match=r"names wandb, .*pip install .*\[wandb\]'"):
        check_trackers(TrackingConfig(report_to=("wandb",)))


@pytest.mark.parametrize("section", ["rl", "midtrain"])
def test_trackers_are_named_in_one_place(section) -> None:
    recipe = load_recipe(POCKET, [f'{section}.extra={{ report_to = "wandb" }}'])
    with pytest.raises(RecipeError, match=rf"{section}.extra.report_to: .*tracking.report_to"):
        check_extras(recipe)
    with pytest.raises(RecipeError, match=rf"{section}.extra.report_to: .*tracking.report_to"):
        refuse("report_to", "wandb", section, where=f"{section}.extra.report_to")


def test_a_tracker_that_there_is_not_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"tracking\.report_to.*'tensorboard'"):
        load_recipe(POCKET, ['tracking.report_to=["tensorbord"]'])
