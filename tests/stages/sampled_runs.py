"""Contexts over fake engines."""

from pathlib import Path

import made_runs

from manyways.context import Context
from manyways.recipe.pool import VerifyConfig

TEST, HARD = "made_runs:load/test?count=12", "made_runs:load/hard?count=10"


def context(
    root: Path, *, engine: str = "GuessingEngine", verify=None, gate=None, data_dir=None, **changes
):
    """As ``made_runs.context``, its model a class of ``fake_engines``."""
    named = {
        "generate": {"problems": "made_runs:load/seed?count=4"},
        "rl": {"problems": "made_runs:load/rl"},
        "evaluate": {"benchmarks": [TEST, HARD]},
    }
    sections = {name: default | changes.pop(name, {}) for name, default in named.items()}
    model = {"path": "nowhere", "engine": f"fake_engines:{engine}"}
    made = made_runs.context(root, model=model, **sections, **changes)
    recipe = made.recipe.model_copy(
        update={
            "verify": VerifyConfig(**(verify or {})),
            "gate": made.recipe.gate.model_copy(update=gate or {}),
            "data_dir": data_dir,
        }
    )
    ctx = Context(recipe=recipe, run=made.run)
    held = {"pack": made.pack, "base_path": "nowhere", "base_hash": "hash-of-base"}
    ctx.__dict__.update(held)
    return ctx
