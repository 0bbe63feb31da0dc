"""``manyways export model``: a checkpoint of a run as a Hugging Face folder with a model card."""

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from manyways.arms import Line
from manyways.commands.export.folder import HubApi, push, writing
from manyways.commands.export.model_card import facts_of, model_card
from manyways.context import Context
from manyways.errors import MissingWork, RecipeError
from manyways.progress import say
from manyways.records import BASE
from manyways.tables import write_text

Stage = Literal["mid", "rl"]
"""After mid-training, or after RL."""


def export_model(
    ctx: Context,
    line: Line,
    *,
    stage: Stage = "rl",
    out: Path | None = None,
    repo: str | None = None,
    api: HubApi | None = None,
) -> Path:
    """Copy a checkpoint and add a card; ``AutoModelForCausalLM.from_pretrained`` loads the folder.

    repo: push there with ``api``; nothing is pushed without it.

    Returns the folder.

    Raises MissingWork when the run has no such checkpoint, DataError when ``out`` cannot be used.
    """
    source = checkpoint_of(ctx, line, stage)
    out = out or Path("exports") / f"{ctx.recipe.name}-{line.name.replace('/', '-')}-{stage}"
    facts = facts_of(ctx, line, stage)
    with writing(out, asdict(facts), ctx) as folder:
        for file in sorted(source.iterdir()):
            if file.is_file():
                shutil.copy2(file, folder / file.name)
        write_text(folder / "README.md", model_card(facts))
    say(f"{facts.checkpoint} in {out}; AutoModelForCausalLM.from_pretrained('{out}') loads it.")
    push(out, repo, kind="model", api=api)
    return out


def checkpoint_of(ctx: Context, line: Line, stage: Stage) -> Path:
    """The folder of a trained checkpoint.

    Raises RecipeError for vanilla before RL, MissingWork when it does not exist, naming those that
    do.
    """
    if stage == "mid" and not line.midtrains:
        raise RecipeError(f"arm '{line.arm}' has no mid-training: export --stage rl.")
    path = Path(ctx.path_of(line.mid if stage == "mid" else line.rl))
    if not (path / "config.json").is_file():
        there = [
            f"{one.arm} seed {one.seed} {one.phase}"
            for one in ctx.checkpoints
            if one != BASE and Path(ctx.path_of(one)).exists()
        ]
        raise MissingWork(
            f"{line.name} has no checkpoint after {stage} in '{ctx.run.root}'. There are: "
            f"{', '.join(there) or 'none yet'}."
        )
    return path
