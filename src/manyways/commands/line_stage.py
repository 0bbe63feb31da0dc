"""One training of one (arm, seed), as each process that ``accelerate launch`` starts runs it."""

import os
import sys
from pathlib import Path

from manyways.arms import Line
from manyways.context import Context
from manyways.errors import ManywaysError, UserError
from manyways.recipe.file import load_recipe
from manyways.run_dir import RunDir, open_for_reading, open_for_writing
from manyways.stages import STAGES
from manyways.train import launch, processes

TRAININGS = {stage.word: stage for stage in STAGES if stage.makes}


def line_stage(root: Path, stage: str, *, arm: str, seed: int) -> None:
    """Train; process 0 does the whole piece of work, the others only what they must together.

    Raises what the stage raises.
    """
    if stage not in TRAININGS:
        raise UserError(f"'{stage}' is not a training: midtrain or rl.")
    launch.end_with_parent()
    line = Line(arm=arm, seed=seed)
    try:
        if processes.is_writer():
            with open_for_writing(root) as run:
                _lead(run, stage, line)
        else:
            _follow(open_for_reading(root), stage, line)
    except ManywaysError as error:
        launch.tell(error)
        raise


def _lead(run: RunDir, stage: str, line: Line) -> None:
    context = Context(recipe=load_recipe(run.path("recipe.toml")), run=run)
    try:
        TRAININGS[stage].module.run_here(context, line)
    finally:
        context.close()


def _follow(run: RunDir, stage: str, line: Line) -> None:
    """Train along; what is said goes to a file beside the line's, since all say the same."""
    log = run.arm_path(line.arm, line.seed, f"process-{processes.rank()}.txt")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as stream:
        for output in (sys.stdout, sys.stderr):
            output.flush()
            os.dup2(stream.fileno(), output.fileno())
    context = Context(recipe=load_recipe(run.path("recipe.toml")), run=run)
    training = TRAININGS[stage].module
    try:
        if not training.plan(context, line).done:
            training.train(context, line)
    finally:
        context.close()
