"""What the verbs that work on a run folder do: resolve the recipe, take the lock, run stages."""

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
    recipe, root = resolve_recipe(recipe_path, out, overrides=overrides, data_dir=data_dir)
    third_party.require_all(recipe)
    with _no_folder_of_a_refusal(root), open_for_writing(root) as run:
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
def _no_folder_of_a_refusal(root: Path) -> Iterator[None]:
    """A run that is refused before anything is made leaves no new folder behind."""
    new = [folder for folder in (root, *root.parents) if not folder.exists()]
    try:
        yield
    except UserError:
        inside = list(root.iterdir()) if new and root.is_dir() else []
        if inside and {path.name for path in inside} <= {"recipe.toml", ".lock"}:
            for path in inside:
                path.unlink()
            with suppress(OSError):  # something else was put there meanwhile
                for folder in new:
                    folder.rmdir()
        raise


def _expected(run: RunDir) -> dict[str, float]:
    """Seconds of each piece of work as they were forecast; empty where no forecast was kept."""
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

    Raises UserError, after that, when something of it is missing.
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
                f"The Hugging Face Hub cannot be reached from here ({silent}): what is not in its "
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
    """Asks the Hub once whether it is there, where the recipe names something of it."""
    recipe = context.recipe
    sets = map(recipe.problem_set, recipe.problem_set_names)
    of_hub = any(is_of_hub(name, recipe.data_path) for name in sets)
    local = recipe.model.remote or Path(context.base_path).is_dir()
    return nullcontext("") if local and not of_hub else cache_alone_without_hub()


def _stops(context: Context, until: str) -> str:
    """What a run would stop at before it begins: a model or a set of problems that is not there."""
    try:
        preflight.check_names(context, pipeline.reached(context, until))
    except (DataError, ModelError) as error:
        return str(error)
    except Untrusted:  # not looked at: the plan says so
        return ""
    return ""


def run_stage(root: Path, stage: str, *, arm: str | None, seed: int | None) -> None:
    """Run one stage on an existing run folder, for every arm and seed or for those named."""
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

    Tables that an earlier release made are made anew before they are reported, and made where a
    run that was cut short has none.

    Raises Untrusted when tables have to be made that need code which nobody trusts; those that are
    there stay, and that is said.
    """
    from manyways.stages import analyse  # with every figure: not for each verb of this module

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
                "report: its tables do not hold all that is in the run yet: `manyways analyse "
                f"{shlex.quote(str(root))}` makes them, then ask for the report again."
            )


def print_commands(root: Path, stage: str, *, arm: str | None, seed: int | None) -> None:
    """Print, one a line, the command lines that a training would start; for Slurm and the like."""
    [module] = [one.module for one in STAGES if one.word == stage]
    from manyways.commands.show import open_run

    with _closing(open_run(root)) as context:
        found = [
            words
            for line in lines_of(context, arm, seed)
            for words in module.commands(context.of(line), line)
        ]
    if not found:
        say(f"{stage} runs inside manyways: set [launch], or rl.backend = 'verl', to start others")
    for words in found:
        print_text(shlex.join(words))


def run_one_line(root: Path, *, arm: str, seed: int, until: str) -> None:
    """Run all stages of one (arm, seed), in a child process of ``run --jobs``."""
    from manyways.train.launch import end_with_parent

    end_with_parent()
    with _opened(root) as context:
        pipeline.run_line(context, Line(arm=arm, seed=seed), up_to(until))


def resolve_recipe(
    path: Path, out: Path | None, *, overrides: Sequence[str], data_dir: Path | None
) -> tuple[Recipe, Path]:
    """The recipe of a file, of a shipped name or of a run folder, and the run folder it goes to."""
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
    """Every line of the recipe, or those of ``arm`` or ``seed``.

    Raises RecipeError when there is none.
    """
    lines = [one for one in context.lines if arm in (None, one.arm) and seed in (None, one.seed)]
    if not lines:
        raise RecipeError(
            f"the run has arms {', '.join(context.recipe.arms)} and seeds "
            f"{', '.join(map(str, context.recipe.seeds))}: none matches --arm {arm} --seed {seed}."
        )
    return lines


@contextmanager
def _opened(root: Path) -> Iterator[Context]:
    """The context of a run folder, as its only writer."""
    recipe = load_recipe(root / "recipe.toml")
    with open_for_writing(root) as run, _closing(Context(recipe=recipe, run=run)) as context:
        yield context


@contextmanager
def _closing(context: Context) -> Iterator[Context]:
    try:
        yield context
    finally:
        context.close()
        # Else what was printed could come after the sentences on standard error.
        sys.stdout.flush()


TRAININGS = {stage.word: stage for stage in STAGES if stage.makes}


def line_stage(root: Path, stage: str, *, arm: str, seed: int) -> None:
    """Train one line as one of several processes. Process 0 also writes the checkpoint.

    Raises what the stage raises.
    """
    from manyways.train import launch

    if stage not in TRAININGS:
        raise UserError(f"'{stage}' is not a training: midtrain or rl.")
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
    """Train as another process. All print the same, so this one prints into a file."""
    log = run.arm_path(line.arm, line.seed, f"process-{processes.rank()}.txt")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as stream:
        for output in (sys.stdout, sys.stderr):
            output.flush()
            # The descriptors, not the objects: libraries in C write past Python.
            os.dup2(stream.fileno(), output.fileno())
    recipe, training = load_recipe(run.path("recipe.toml")), TRAININGS[stage].module
    with _closing(Context(recipe=recipe, run=run)) as context:
        own = context.of(line)
        if not training.plan(own, line).done:
            training.train(own, line)


def print_summary(run: RunDir) -> None:
    """Print the four cells on the headline benchmark, the main findings and the report's place."""
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
    # In two lines, so that six columns fit into a terminal of 80.
    return "-" if score is None else f"{score.value:.2f}\n[{score.low:.2f}, {score.high:.2f}]"


def _next_of_run(root: Path, recipe: Recipe, until: str) -> str:
    """What to do with a run that went as far as it was asked to."""
    run = shlex.quote(str(root))
    if following := _following(recipe, until):
        return f"Next: `manyways run {run}` goes on with {following[0]}."
    if not recipe.phases:
        return (
            f"Next: `manyways export dataset {run}` takes out the data, `manyways show {run} "
            "PROBLEM` prints one problem's whole life. To train on it, give the recipe [midtrain], "
            "[rl] and [evaluate] and run it again."
        )
    return (
        f"Next: open the report in a browser. `manyways table {run}` prints its scores, `manyways "
        f"show {run} PROBLEM` one problem's whole life, `manyways export model {run} --arm "
        f"{recipe.arms[-1]}` takes out a checkpoint."
    )


def _following(recipe: Recipe, word: str) -> list[str]:
    """The stages that every run of the recipe goes through after this one."""
    there = WORDS[WORDS.index(word) + 1 :]
    left_out = pipeline.left_out(recipe, there)
    needed = {s.word for s in STAGES if not s.optional and s.word not in left_out}
    return [word for word in there if word in needed]
