"""Contexts over fake engines."""

from pathlib import Path

import made_runs

from manyways.recipe import VerifyConfig
from manyways.stages.context import Context


def context(root: Path, *, engine: str = "GuessingEngine", verify=None, gate=None, **changes):
    """As ``made_runs.context``, its model a class of ``fake_engines``."""
    model = {"path": "nowhere", "engine": f"fake_engines:{engine}"}
    made = made_runs.context(root, model=model, **changes)
    recipe = made.recipe.model_copy(
        update={
            "verify": VerifyConfig(**(verify or {})),
            "gate": made.recipe.gate.model_copy(update=gate or {}),
        }
    )
    ctx = Context(recipe=recipe, run=made.run)
    held = {"pack": made.pack, "base_path": "nowhere", "base_hash": "hash-of-base"}
    ctx.__dict__.update(held)
    return ctx
