"""What the verbs that work on a run folder do: resolve the recipe, take the lock, run stages."""

import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from manyways import foreign, pipeline, trust
from manyways.arms import Line
from manyways.commands.printing import open_table, print_result, print_text
from manyways.commands.summary import print_summary
from manyways.context import Context
from manyways.errors import Untrusted, UserError
from manyways.plugins import nearest
from manyways.progress import say
from manyways.recipe.file import dump_recipe, load_recipe
from manyways.recipe.shipped import recipe_file
from manyways.recipe.tree import Recipe
from manyways.run_dir import RunDir, open_for_reading, open_for_writing
from manyways.stages import STAGES, WORDS, preflight, up_to
from manyways.tables import write_text

LOOK = ("analyse", "report")
"""Stages that make nothing but tables and pages of what lies in the folder."""


def run_recipe(
    recipe_path: Path,
    out: Path | None,
    *,
    overrides: Sequence[str],
    until: str,
    jobs: int,
    data_dir: Path | None,
) -> None:
    """Run a recipe (or continue a run folder) up to the stage ``until``."""
    _check_stage(until)
    trust.grant_recipe(recipe_file(recipe_path))
    recipe, root = _resolve(recipe_path, out, overrides, data_dir)
    foreign.require_all(recipe)
    with open_for_writing(root) as run:
        write_text(run.path("recipe.toml"), dump_recipe(recipe))
        with _closing(Context(recipe=recipe, run=run)) as context:
            try:
                pipeline.run(context, until=until, jobs=jobs)
            finally:
                print_summary(run)


def print_dry_run(
    recipe_path: Path,
    out: Path | None,
    *,
    overrides: Sequence[str],
    until: str,
    data_dir: Path | None,
) -> None:
    """Print what ``run`` would do and why."""
    _check_stage(until)
    recipe, root = _resolve(recipe_path, out, overrides, data_dir)
    foreign.say_unused(recipe)
    run = RunDir(root=root.resolve())
    with _closing(Context(recipe=recipe, run=run, looking=True)) as context:
        rows = pipeline.dry_run(context, until=until)
    table = open_table("work", "what would happen", title=f"{recipe.name} in {root}")
    for name, reason in rows:
        table.add_row(name, reason)
    print_result(table)


def run_stage(root: Path, stage: str, *, arm: str | None, seed: int | None) -> None:
    """Run one stage on an existing run folder, for every arm and seed or for those named."""
    if stage in LOOK:
        look_again(root, stage)
        return
    open_for_reading(root)
    recipe = load_recipe(root / "recipe.toml")
    with open_for_writing(root) as run, _closing(Context(recipe=recipe, run=run)) as context:
        lines = _lines(context, arm, seed)
        preflight.run(context)
        pipeline.run_stage(context, stage, lines, shared=arm is None and seed is None)


def look_again(root: Path, stage: str) -> None:
    """Analyse or report what a run folder holds.

    Raises Untrusted when tables have to be made that need code which nobody trusts; those that are
    there stay, and that is said.
    """
    open_for_reading(root)
    recipe = load_recipe(root / "recipe.toml")
    foreign.say_unused(recipe)
    with open_for_writing(root) as run:
        context = Context(recipe=recipe, run=run, looking=True)
        try:
            pipeline.run_stage(context, stage, (), shared=True)
        except Untrusted as error:
            if not run.path("7-tables").is_dir():
                raise
            say(f"{stage}: the tables stay as they are. {error}")


def print_commands(root: Path, stage: str, *, arm: str | None, seed: int | None) -> None:
    """Print, one a line, the command lines that a training would start; for Slurm and the like."""
    run = open_for_reading(root)
    [module] = [one.module for one in STAGES if one.word == stage]
    recipe = load_recipe(root / "recipe.toml")
    foreign.say_unused(recipe)
    with _closing(Context(recipe=recipe, run=run, looking=True)) as context:
        found = [
            words for line in _lines(context, arm, seed) for words in module.commands(context, line)
        ]
    if not found:
        say(f"{stage} runs inside manyways: set [launch], or rl.backend = 'verl', to start others")
    for words in found:
        print_text(shlex.join(words))


def run_one_line(root: Path, *, arm: str, seed: int, until: str) -> None:
    """Run all stages of one (arm, seed), in a child process of ``run --jobs``."""
    recipe = load_recipe(root / "recipe.toml")
    with open_for_writing(root) as run, _closing(Context(recipe=recipe, run=run)) as context:
        pipeline.run_line(context, Line(arm=arm, seed=seed), up_to(until))


def _resolve(
    path: Path, out: Path | None, overrides: Sequence[str], data_dir: Path | None
) -> tuple[Recipe, Path]:
    if path.is_dir():
        open_for_reading(path)
        out = out or path
        path = path / "recipe.toml"
    if data_dir is not None and not any(o.startswith("data_dir") for o in overrides):
        overrides = [*overrides, f'data_dir="{data_dir}"']
    recipe = load_recipe(path, overrides)
    return recipe, out or Path("runs") / recipe.name


def _check_stage(stage: str) -> None:
    if stage not in WORDS:
        raise UserError(f"--until {stage}: no such stage.{nearest(stage, dict.fromkeys(WORDS))}")


def _lines(context: Context, arm: str | None, seed: int | None) -> list[Line]:
    lines = [
        line
        for line in context.lines
        if (arm is None or line.arm == arm) and (seed is None or line.seed == seed)
    ]
    if not lines:
        raise UserError(
            f"the recipe has arms {', '.join(context.recipe.arms)} and seeds "
            f"{', '.join(map(str, context.recipe.seeds))}: none matches --arm {arm} --seed {seed}."
        )
    return lines


@contextmanager
def _closing(context: Context) -> Iterator[Context]:
    try:
        yield context
    finally:
        context.close()
        sys.stdout.flush()
