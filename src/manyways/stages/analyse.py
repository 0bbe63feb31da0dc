"""7 analyse: attempts, solutions and logs become the tables of ``7-tables``.

Works with whatever is there: an arm that was refused or has not been trained has no rows.
Undecided attempts count as not correct; their share stands in the rates table.
"""

from collections.abc import Sequence

from manyways.metrics.intervals import Resampling
from manyways.progress import say
from manyways.results import TABLES, PassRow, write_rows
from manyways.run_dir import Work
from manyways.stages.analysis.evaluated import Evaluation, evaluations
from manyways.stages.analysis.paired import comparisons, paired_rows
from manyways.stages.analysis.passes import curves, four_cells, pass_rows, rate_rows
from manyways.stages.analysis.ways import Reader, composition_row, labelled, pooled
from manyways.stages.context import Context
from manyways.stages.yields import yield_rows

INPUTS = ("1-attempts", "2-solutions.parquet", "arms", "6-eval")
READ = (".parquet", ".json", ".jsonl")

Tables = dict[str, Sequence[object]]


def plan(ctx: Context) -> Work:
    """Analysis as a piece of work: depends on every file it reads and on its settings."""
    recipe = ctx.recipe
    return ctx.run.work(
        "analyse",
        identity={
            "inputs": _inputs(ctx),
            "finished": [[s.work, s.ended] for s in ctx.run.stamps() if s.work not in ENDS],
            "recipe": recipe.model_dump(
                mode="json", include={"arms", "seeds", "evaluate", "analyse", "heuristics"}
            ),
        },
        outputs=tuple(ctx.run.path("7-tables", f"{name}.json") for name in TABLES),
    )


ENDS = ("analyse", "report")
"""Work that comes from the tables and so cannot change them."""


def run(ctx: Context) -> None:
    """Write every table."""
    work = plan(ctx)
    if work.done:
        say("analyse: finished earlier.")
        return
    with work:
        tables = compute(ctx)
        for name in TABLES:
            write_rows(ctx.run.path("7-tables", f"{name}.json"), tables.get(name, []))
        work.counts.update({name: len(tables.get(name, [])) for name in TABLES})
    say(f"analyse: {sum(len(rows) for rows in tables.values())} rows in {len(TABLES)} tables.")


def compute(ctx: Context) -> Tables:
    """Every table of ``results.TABLES``, from the run folder."""
    settings = Resampling(resamples=ctx.recipe.analyse.bootstrap)
    found = list(evaluations(ctx))
    tables = _passes(ctx, found, settings)
    reader = Reader(ctx.labeller)
    solutions = pooled([labelled(evaluation, reader) for evaluation in found])
    tables["composition"] = [composition_row(one, settings) for one in solutions]
    tables["yield"] = yield_rows(ctx)
    return tables


def _passes(ctx: Context, found: Sequence[Evaluation], settings: Resampling) -> Tables:
    all_curves = curves(found, ctx.recipe.evaluate.benchmarks)
    scores: list[PassRow] = list(pass_rows(all_curves, settings))
    pairs = comparisons(ctx.recipe.parsed_arms)
    return {
        "pass_at_k": scores,
        "rates": list(rate_rows(found)),
        "four_cells": list(four_cells(scores, ctx.recipe.arms)),
        "paired": list(paired_rows(all_curves, pairs, settings)),
    }


def _inputs(ctx: Context) -> list[list[object]]:
    """Name and size of every file that is read."""
    files = []
    for name in INPUTS:
        path = ctx.run.path(name)
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        files += [file for file in inside if file.suffix in READ and file.is_file()]
    return [[str(file.relative_to(ctx.run.root)), file.stat().st_size] for file in files]
