"""7 analyse: attempts, solutions and logs become the tables of ``7-tables``.

An unfinished run can be analysed: an arm that was refused or is not trained yet has no rows.
Undecided attempts count as not correct; the rates table gives their share.
"""

import shlex
from collections.abc import Sequence
from typing import Any

from manyways.context import Context, settings_of
from manyways.heuristics.labelling import LABELLERS
from manyways.measures import write_rows
from manyways.measures.catalogue import MEASURES
from manyways.measures.first_screen import OLD
from manyways.measures.material import Material, StageResults
from manyways.measures.seen import Seen
from manyways.plugins import require_trust
from manyways.pool.labellers import error_of, lessons
from manyways.pool.solutions import yield_rows
from manyways.pool.training_rows import training_rows
from manyways.progress import say
from manyways.run_dir import Amount, RunDir, Work
from manyways.stages import branch
from manyways.stages.probe import probed

FORMAT = 12
INPUTS = (
    "1-attempts", "2-solutions.parquet", "pools", "arms", "6-eval", "6-probe", "6-branch",
    "agreement", "1-rates", "4-rates",
)  # fmt: skip
READ = (".parquet", ".json", ".jsonl")

Tables = dict[str, Sequence[Any]]


def plan(ctx: Context) -> Work:
    """Analysis as a piece of work. It depends on every file that it reads and on its settings."""
    return ctx.run.work(
        "analyse",
        identity={
            "format": FORMAT,
            "inputs": _inputs(ctx),
            # A file may change and keep its size. Then the work that wrote it has a new end time.
            "finished": [[s.work, s.ended] for s in ctx.run.stamps() if s.work not in ENDS],
            "recipe": settings_of(ctx.recipe, "name", "data_dir", "tracking", "launch"),
        },
        outputs=tuple(ctx.run.path("7-tables", f"{m.name}.json") for m in MEASURES),
    )


def outdated(run: RunDir) -> bool:
    """Whether a run has tables that an older release wrote in another format."""
    stamp = run.stamp("analyse")
    return stamp is not None and stamp.identity.get("format") != FORMAT


def behind(ctx: Context) -> bool:
    """Whether tables are there that are not those of what the run holds now."""
    return ctx.run.path("7-tables").is_dir() and not plan(ctx).done


def say_behind(ctx: Context, what: str) -> None:
    """Say that the numbers of ``what`` are old, and what renews them, where they are."""
    if behind(ctx):
        renew = f"`manyways analyse {shlex.quote(str(ctx.run.root))}` renews them"
        say(f"The numbers of {what} are {OLD} {renew}; then ask for {what} again.")


ENDS = ("analyse", "report")
"""Work whose input is the tables, so that it cannot change them."""


def run(ctx: Context) -> None:
    """Write every table.

    Raises Untrusted, before anything is replaced, when labeller or problem sets are untrusted code.
    """
    work = plan(ctx)
    if work.done:
        say("analyse: finished earlier.")
        return
    _require_trust(ctx)
    with work:
        tables = compute(ctx)
        for name, rows in tables.items():
            write_rows(ctx.run.path("7-tables", f"{name}.json"), rows)
        work.counts.update({name: len(rows) for name, rows in tables.items()})
    say(f"analyse: {sum(len(rows) for rows in tables.values())} rows in {len(tables)} tables.")


def _require_trust(ctx: Context) -> None:
    recipe = ctx.recipe
    require_trust(recipe.heuristics.labeller, LABELLERS, "labeller")
    for name in recipe.problem_set_names:
        ctx.sets.load(name)


def amount(_: Context) -> list[Amount]:
    """One piece of work."""
    return [Amount(work="analyse", stage="analyse")]


def compute(ctx: Context) -> Tables:
    """The rows of every measure, from the run folder."""
    seen = Seen(name=ctx.run.root.name, recipe=ctx.recipe, from_run=Material(ctx, EARLIER))
    return {measure.name: seen.rows(measure) for measure in MEASURES}


EARLIER = StageResults(
    training_rows=training_rows,
    yields=yield_rows,
    lessons=lessons,
    agreement=error_of,
    swapped=probed,
    forks=branch.file_of,
    no_forks=branch.left_out,
)


def _inputs(ctx: Context) -> list[list[object]]:
    """Name and size of every file that analysis reads."""
    files = []
    for name in INPUTS:
        path = ctx.run.path(name)
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        files += [file for file in inside if file.suffix in READ and file.is_file()]
    return [[str(file.relative_to(ctx.run.root)), file.stat().st_size] for file in files]
