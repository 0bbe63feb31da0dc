"""Run a recipe or one stage in a run folder, or print what a run would do."""

import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from manyways import pipeline, third_party, trust
from manyways.arms import Line
from manyways.checkpoints import cache_alone_without_hub
from manyways.commands import needs
from manyways.commands.forecast import FILE, read_forecast
from manyways.context import Context
from manyways.errors import DataError, ManywaysError, ModelError, RecipeError, Untrusted, UserError
from manyways.measures import read_rows
from manyways.measures.benchmarks import headline
from manyways.plugins import nearest
from manyways.problems import is_of_hub
from manyways.progress import open_table, print_result, print_sentence, print_text, say
from manyways.recipe import dump_recipe, extending, load_recipe, recipe_file
from manyways.recipe.tree import Recipe
from manyways.records import Score
from manyways.run_dir import RunDir, open_for_reading, open_for_writing
from manyways.stages import STAGES, WORDS, preflight, up_to
from manyways.tables import write_text
from manyways.train import processes

if TYPE_CHECKING:
    from manyways.measures.four_cells import FourCells

LOOK = ("analyse", "report")
"""Stages that only make tables and a page from what is in the run folder."""


def run_recipe(
    recipe_path: Path,
    out: Path | None,
    *,
    overrides: Sequence[str],
    until: str,
    jobs: int,
    data_dir: Path | None,
) -> None:
    """Run a recipe up to the stage ``until``, or continue a run folder."""
    _check_stage(until)
    trust.grant_recipe(recipe_file(recipe_path))
    recipe, root = resolve_recipe(recipe_path, out, overrides=overrides, data_dir=data_dir)
    third_party.require_all(recipe)
    with _removed_if_refused(root), open_for_writing(root) as run:
        write_text(run.path("recipe.toml"), dump_recipe(recipe))
        with _closing(Context(recipe=recipe, run=run)) as context:
            if not run.stamps():
                needs.tell_needs(context, until)
            try:
                pipeline.run(context, until=until, jobs=jobs, expected=_expected(run))
            finally:
                print_summary(run)
            print_sentence(_next_of_run(root, recipe, until))


@contextmanager
def _removed_if_refused(root: Path) -> Iterator[None]:
    """Remove the new folders of a run that is refused before it makes anything."""
    new = [folder for folder in (root, *root.parents) if not folder.exists()]
    try:
        yield
    except UserError:
        inside = list(root.iterdir()) if new and root.is_dir() else []
        if inside and {path.name for path in inside} <= {"recipe.toml", ".lock"}:
            for path in inside:
                path.unlink()
            with suppress(OSError):  # another program has put something there
                for folder in new:
                    folder.rmdir()
        raise


def _expected(run: RunDir) -> dict[str, float]:
    """The forecast seconds of each piece of work, empty without a kept forecast."""
    kept = read_forecast(run.path(FILE))
    rows = kept.rows if kept else ()
    return {row.work: row.seconds for row in rows if row.seconds is not None}


def print_dry_run(
    recipe_path: Path,
    out: Path | None,
    *,
    overrides: Sequence[str],
    until: str,
    data_dir: Path | None,
) -> None:
    """Print what ``run`` would do and why, and what it needs.

    Raises UserError at the end if something is missing.
    """
    _check_stage(until)
    recipe, root = resolve_recipe(recipe_path, out, overrides=overrides, data_dir=data_dir)
    third_party.say_unused(recipe)
    given = None if recipe_path.is_dir() else extending(recipe_path, overrides)
    if given:
        print_text(f"# {recipe_path} with what it extends (`manyways recipes show` adds defaults)")
        print_text(given)
    run = RunDir(root=root.resolve())
    with (
        _closing(Context(recipe=recipe, run=run, looking=True)) as context,
        _hub_once(context) as silent,
    ):
        stops = _stops(context, until)
        unknown = "something is missing (below)" if stops else ""
        if silent and stops:
            say(
                f"The Hugging Face Hub cannot be reached from here ({silent}). What is not in its "
                "cache is not counted."
            )
        rows = pipeline.dry_run(context, until=until, unknown=unknown)
        begins = any(reason.startswith("would run") for _, reason in rows)
        found = list(needs.needs(context, until)) if begins else []
    table = open_table("work", "what would happen", title=f"{recipe.name} in {root}")
    for name, reason in rows:
        table.add_row(name, reason)
    print_result(table)
    table = open_table("needed", "found here")
    for need in found:
        table.add_row(need.what, f"{need.found}{need.short and '. '}{need.short}")
    if found:
        print_result(table)
    if lacks := list(dict.fromkeys(filter(None, [stops, *(need.lacks for need in found)]))):
        raise UserError("\n".join(["the run cannot start:", *(f"  {lack}" for lack in lacks)]))


def _hub_once(context: Context) -> AbstractContextManager[str]:
    """Ask the Hub once if it can be reached, if the recipe names something on it."""
    recipe = context.recipe
    sets = map(recipe.problem_set, recipe.problem_set_names)
    of_hub = any(is_of_hub(name, recipe.data_path) for name in sets)
    local = recipe.model.remote or Path(context.base_path).is_dir()
    return nullcontext("") if local and not of_hub else cache_alone_without_hub()


def _stops(context: Context, until: str) -> str:
    """The error that would stop the run before it begins: a missing model or problem set."""
    try:
        preflight.check_names(context, pipeline.reached(context, until))
    except (DataError, ModelError) as error:
        return str(error)
    except Untrusted:  # the plan says that it was not looked at
        return ""
    return ""


def run_stage(root: Path, stage: str, *, arm: str | None, seed: int | None) -> None:
    """Run one stage in a run folder, for every line or for the lines of ``arm`` or ``seed``."""
    if stage in LOOK:
        look_again(root, stage)
        return
    open_for_reading(root)
    with _opened(root) as context:
        lines = lines_of(context, arm, seed)
        preflight.run(context, [stage])
        pipeline.run_stage(context, stage, lines, shared=arm is None and seed is None)
    if following := _following(context.recipe, stage):
        print_sentence(f"Next: `manyways {following[0]} {shlex.quote(str(root))}`.")


def look_again(root: Path, stage: str) -> None:
    """Analyse or report what a run folder holds.

    ``report`` first makes the tables if there are none or if an earlier release made them.

    Raises Untrusted if there are no tables and they need code that nobody trusts. Tables that are
    there stay as they are then, and a sentence says so.
    """
    from manyways.stages import analyse  # it imports every figure, which few verbs need

    open_for_reading(root)
    recipe = load_recipe(root / "recipe.toml")
    third_party.say_unused(recipe)
    with open_for_writing(root) as run:
        context = Context(recipe=recipe, run=run, looking=True)
        lacking = analyse.outdated(run) or not run.path("7-tables").is_dir()
        earlier = LOOK[: LOOK.index(stage)] if lacking else ()
        for one in (*earlier, stage):
            try:
                pipeline.run_stage(context, one, (), shared=True)
            except Untrusted as error:
                if not run.path("7-tables").is_dir():
                    raise
                say(f"{one}: the tables stay as they are. {error}")
        if stage == "report" and analyse.behind(context):
            say(
                "report: the tables do not hold all that is in the run yet. Run `manyways analyse "
                f"{shlex.quote(str(root))}`, then `manyways report` on it again."
            )


def print_commands(root: Path, stage: str, *, arm: str | None, seed: int | None) -> None:
    """Print the commands that a training would start, for Slurm and similar schedulers."""
    [module] = [one.module for one in STAGES if one.word == stage]
    from manyways.commands.show import open_run

    with _closing(open_run(root)) as context:
        found = [
            words
            for line in lines_of(context, arm, seed)
            for words in module.commands(context.of(line), line)
        ]
    if not found:
        say(
            f"{stage} runs inside manyways: set [launch], or rl.backend = 'verl', to start other "
            "processes."
        )
    for words in found:
        print_text(shlex.join(words))


def run_one_line(root: Path, *, arm: str, seed: int, until: str) -> None:
    """Run all stages of one line, in a child process of ``run --jobs``."""
    from manyways.train.launch import end_with_parent

    end_with_parent()
    with _opened(root) as context:
        pipeline.run_line(context, Line(arm=arm, seed=seed), up_to(until))


def resolve_recipe(
    path: Path, out: Path | None, *, overrides: Sequence[str], data_dir: Path | None
) -> tuple[Recipe, Path]:
    """The recipe at ``path`` and its run folder.

    path: a recipe file, the name of a shipped recipe or a run folder.
    """
    if path.is_dir():
        open_for_reading(path)
        out = out or path
        path = path / "recipe.toml"
    if data_dir is not None and not any(o.startswith("data_dir") for o in overrides):
        overrides = [*overrides, f'data_dir="{data_dir}"']
    recipe = load_recipe(path, overrides)
    if recipe.hands_on:
        from manyways.recipe.owners import check_extras

        check_extras(recipe)
    return recipe, out or Path("runs") / recipe.name


def _check_stage(stage: str) -> None:
    if stage not in WORDS:
        raise UserError(f"--until {stage}: no such stage.{nearest(stage, dict.fromkeys(WORDS))}")


def lines_of(context: Context, arm: str | None, seed: int | None) -> list[Line]:
    """Every line of the recipe, or the lines of ``arm`` or ``seed``.

    Raises RecipeError when there is none.
    """
    lines = [one for one in context.lines if arm in (None, one.arm) and seed in (None, one.seed)]
    if not lines:
        given = (f"--{name} {x}" for name, x in (("arm", arm), ("seed", seed)) if x is not None)
        arms, seeds = context.recipe.arms, ", ".join(map(str, context.recipe.seeds))
        raise RecipeError(
            f"{' '.join(given)}: the run has no such line. Its arms are {', '.join(arms)}, its "
            f"seeds {seeds}."
        )
    return lines


@contextmanager
def _opened(root: Path) -> Iterator[Context]:
    """Open a run folder as its only writer."""
    recipe = load_recipe(root / "recipe.toml")
    with open_for_writing(root) as run, _closing(Context(recipe=recipe, run=run)) as context:
        yield context


@contextmanager
def _closing(context: Context) -> Iterator[Context]:
    try:
        yield context
    finally:
        context.close()
        # Without this, printed tables could come after later sentences on standard error.
        sys.stdout.flush()


TRAININGS = {stage.word: stage for stage in STAGES if stage.makes}


def line_stage(root: Path, stage: str, *, arm: str, seed: int) -> None:
    """Train one line in one of several processes. Process 0 also writes the checkpoint.

    Raises the errors of the stage.
    """
    from manyways.train import launch

    if stage not in TRAININGS:
        raise UserError(f"'{stage}' trains nothing: give {' or '.join(TRAININGS)}.")
    launch.end_with_parent()
    line = Line(arm=arm, seed=seed)
    try:
        if processes.is_writer():
            with _opened(root) as context:
                TRAININGS[stage].module.run_here(context.of(line), line)
        else:
            _follow(open_for_reading(root), stage, line)
    except ManywaysError as error:
        launch.tell(error)
        raise


def _follow(run: RunDir, stage: str, line: Line) -> None:
    """Train in a process other than 0. All processes print the same, so it prints into a file."""
    log = run.arm_path(line.arm, line.seed, f"process-{processes.rank()}.txt")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as stream:
        for output in (sys.stdout, sys.stderr):
            output.flush()
            # The descriptors are replaced, because C libraries do not write through Python.
            os.dup2(stream.fileno(), output.fileno())
    recipe, training = load_recipe(run.path("recipe.toml")), TRAININGS[stage].module
    with _closing(Context(recipe=recipe, run=run)) as context:
        own = context.of(line)
        if not training.plan(own, line).done:
            training.train(own, line)


def print_summary(run: RunDir) -> None:
    """Print the four cells on the headline benchmark, the main findings and the report's path."""
    from manyways.measures.four_cells import FourCells
    from manyways.measures.seen import load

    cells = read_rows(run.path("7-tables", "four_cells.json"), FourCells)
    main = headline(row.benchmark for row in cells)
    if cells:
        print_result(_four_cells([row for row in cells if row.benchmark == main], main))
    for sentence in load(run.root).said("main"):
        print_sentence(sentence)
    report = run.path("report.html")
    if report.is_file():
        print_text(f"Report: {report}")


def _four_cells(cells: "list[FourCells]", benchmark: str) -> Table:
    table = open_table(
        "arm", "k", "base", "mid-trained", "RL only", "mid-trained + RL",
        title=f"pass@k on {benchmark}, with 95% intervals over problems",
    )  # fmt: skip
    for row in cells:
        scores = (row.base, row.mid, row.rl_only, row.mid_rl)
        table.add_row(row.arm, str(row.k), *map(_with_interval, scores))
    return table


def _with_interval(score: Score | None) -> str:
    # With a line break, six columns fit into a terminal of 80.
    return "-" if score is None else f"{score.value:.2f}\n[{score.low:.2f}, {score.high:.2f}]"


def _next_of_run(root: Path, recipe: Recipe, until: str) -> str:
    """What to do next with a run that has reached ``until``."""
    run = shlex.quote(str(root))
    if following := _following(recipe, until):
        return f"Next: `manyways run {run}` goes on with {following[0]}."
    if not recipe.phases:
        return (
            f"Next: `manyways export dataset {run}` exports the data. `manyways show {run} "
            "PROBLEM` prints all about one problem. To train on the data, add [midtrain], [rl] and "
            "[evaluate] to the recipe and run it again."
        )
    return (
        f"Next: open the report in a browser. `manyways table {run}` prints its scores. `manyways "
        f"show {run} PROBLEM` prints all about one problem. `manyways export model {run} --arm "
        f"{recipe.arms[-1]}` exports a checkpoint."
    )


def _following(recipe: Recipe, word: str) -> list[str]:
    """The stages after ``word`` that every run of the recipe goes through."""
    there = WORDS[WORDS.index(word) + 1 :]
    left_out = pipeline.left_out(recipe, there)
    needed = {s.word for s in STAGES if not s.optional and s.word not in left_out}
    return [word for word in there if word in needed]
