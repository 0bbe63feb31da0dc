"""Trackers: which of them TRL reports to, and under what names."""

import os
from importlib.util import find_spec
from pathlib import Path

from manyways.errors import RecipeError
from manyways.recipe.training import TrackingConfig


def check(tracking: TrackingConfig) -> None:
    """Raises RecipeError when a tracker that the recipe names is not installed."""
    for name in tracking.report_to:
        if find_spec(name) is None:
            raise RecipeError(
                f"tracking.report_to names {name}, which is not installed: "
                f"pip install 'manyways[{name}]' (or take it out)."
            )


def arguments(tracking: TrackingConfig, *, name: str, folder: Path) -> dict[str, object]:
    """Fields of TrainingArguments, and the variables that two trackers read instead.

    name:   of the training, ``<recipe>/<arm>/seed-<s>/<stage>``.
    folder: where tensorboard writes and wandb keeps its files. Not inside the Trainer's own
        folder, which is deleted at the end.

    Raises RecipeError when a tracker is not installed.
    """
    check(tracking)
    if not tracking.report_to:
        return {"report_to": "none"}
    if "tensorboard" in tracking.report_to:
        os.environ["TENSORBOARD_LOGGING_DIR"] = str(
            folder / "tensorboard" / name.rpartition("/")[2]
        )
    if "wandb" in tracking.report_to:
        os.environ["WANDB_PROJECT"] = tracking.project
        os.environ["WANDB_DIR"] = str(folder)
    return {
        "report_to": list(tracking.report_to),
        "run_name": name,
        "project": tracking.project,
    }


def close(tracking: TrackingConfig) -> None:
    """End wandb's run: the Trainer leaves it open, and the next training would write into it."""
    if "wandb" in tracking.report_to:
        import wandb

        wandb.finish()
