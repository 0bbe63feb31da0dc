"""7 analyse: attempts, solutions and logs become the tables of ``7-tables``.

Works with whatever is there: an arm that was refused or has not been trained has no rows.
Undecided attempts count as not correct; their share stands in the rates table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from manyways.arms import Line
from manyways.metrics.resampling import Resampling
from manyways.progress import say
from manyways.records import Checkpoint
from manyways.results.tables import TABLES, MajorityRow, PassRow, write_rows
from manyways.run_dir import Amount, Work
from manyways.stages.analysis.apart import parts_apart
from manyways.stages.analysis.averages import average_rows
from manyways.stages.analysis.contrasts import policies
from manyways.stages.analysis.diversity import arm_data, diversity_rows
from manyways.stages.analysis.evaluated import Evaluation, evaluations
from manyways.stages.analysis.evidence import Evidence
from manyways.stages.analysis.explorer import explorer_rows
from manyways.stages.analysis.findings import findings
from manyways.stages.analysis.labels import labeller_error, labeller_rows
from manyways.stages.analysis.openings import opening_rows
from manyways.stages.analysis.paired import comparisons, paired_rows
from manyways.stages.analysis.passes import Curves, curves, four_cells, pass_curve, pass_rows
from manyways.stages.analysis.predictions import Observed, gate_solutions, prediction_rows
from manyways.stages.analysis.rates import rate_rows
from manyways.stages.analysis.swaps import probe_rows
from manyways.stages.analysis.token_modes import mode_rows, read_forks, why_none
from manyways.stages.analysis.training import arm_rows, cost_rows, curve_rows, gate_rows
from manyways.stages.analysis.votes import majority_curves
from manyways.stages.analysis.ways import (
    Reader,
    Solutions,
    composition_row,
    labelled,
    of_data,
    pooled,
)
from manyways.stages.arm_data import TrainingRow
from manyways.stages.context import Context
from manyways.stages.identity import settings_of
from manyways.stages.yields import yield_rows

FORMAT = 1
INPUTS = (
    "1-attempts", "2-solutions.parquet", "pools", "arms", "6-eval", "6-probe", "6-branch",
    "agreement",
)  # fmt: skip
READ = (".parquet", ".json", ".jsonl")

Tables = dict[str, Sequence[object]]


def plan(ctx: Context) -> Work:
    """Analysis as a piece of work: depends on every file it reads and on its settings."""
    return ctx.run.work(
        "analyse",
        identity={
            "format": FORMAT,
            "inputs": _inputs(ctx),
            "finished": [[s.work, s.ended] for s in ctx.run.stamps() if s.work not in ENDS],
            "recipe": settings_of(ctx.recipe, "name", "data_dir", "tracking", "launch"),
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


def amount(_: Context) -> list[Amount]:
    """One piece of work."""
    return [Amount(work="analyse", stage="analyse")]


def compute(ctx: Context) -> Tables:
    """Every table of ``results.TABLES``, from the run folder."""
    settings = Resampling(resamples=ctx.recipe.analyse.bootstrap)
    found = list(evaluations(ctx))
    benchmarks = ctx.recipe.evaluate.benchmarks
    data, error = arm_data(ctx), labeller_error(ctx)
    every = curves([pass_curve(e) for e in found], benchmarks)
    pairs = list(paired_rows(every, comparisons(ctx.recipe.parsed_arms), settings))
    scores = list(pass_rows(every, settings))
    reader = Reader(ctx.labeller)
    attempts = [labelled(evaluation, reader) for evaluation in found]
    curve = curve_rows(ctx)
    rates = rate_rows(found, benchmarks)
    evidence = Evidence(
        arms=ctx.recipe.parsed_arms,
        seeds=len(ctx.recipe.seeds),
        passes=scores,
        pairs=pairs,
        composition=[
            composition_row(one, settings, error)
            for one in [*pooled(attempts), *of_data(data, reader)]
        ],
        gates=gate_rows(ctx),
        yields=yield_rows(ctx),
        diversity=list(diversity_rows(data, found, reader, settings)),
        rates=[row for row in rates if row.measured],
        curves=curve,
        outcomes=list(arm_rows(ctx, data, curve)),
        swaps=probe_rows(ctx, settings),
    )
    gate = gate_solutions(ctx, reader)
    seen = _observed(ctx, evidence, attempts, gate, passes=every, data=data)
    evidence = replace(evidence, predictions=prediction_rows(seen, settings))
    return {
        "pass_at_k": scores,
        "averages": list(average_rows(found, scores, benchmarks)),
        "majority": _majority(ctx, found, settings),
        "rates": rates,
        "four_cells": list(four_cells(scores, ctx.recipe.arms)),
        "paired": pairs,
        "composition": evidence.composition,
        "labeller": list(labeller_rows(ctx)),
        "yield": evidence.yields,
        "diversity": evidence.diversity,
        "gate": evidence.gates,
        "curves": curve,
        "arms": evidence.outcomes,
        "costs": cost_rows(ctx),
        "predictions": evidence.predictions,
        "probe": evidence.swaps,
        "openings": seen.openings,
        "token_modes": mode_rows(seen.tokens, settings),
        "explorer": list(explorer_rows(ctx)),
        "findings": findings(evidence),
    }


def _observed(
    ctx: Context,
    evidence: Evidence,
    attempts: Sequence[Solutions],
    gate: Sequence[Solutions],
    *,
    passes: Curves,
    data: Mapping[Line, Sequence[TrainingRow]],
) -> Observed:
    """All that the theory has something to say about."""
    settings = Resampling(resamples=ctx.recipe.analyse.bootstrap)
    group, before_rl = ctx.recipe.rl.group_size, policies(gate)
    openings = [
        row
        for arm in ctx.recipe.arms
        for row in opening_rows(
            arm,
            evidence.curves,
            before_rl.get(Checkpoint(arm=arm, phase="mid").name),
            group=group,
            settings=settings,
        )
    ]
    return Observed(
        main=evidence.main or "",
        arms=ctx.recipe.arms,
        group=group,
        solutions=attempts,
        gate=gate,
        passes=passes,
        pairs=evidence.pairs,
        curves=evidence.curves,
        data=data,
        swaps=evidence.swaps,
        openings=openings,
        tokens=read_forks(ctx),
        why_no_tokens=why_none(ctx),
        apart=parts_apart(ctx),
    )


def _majority(ctx: Context, found: Sequence[Evaluation], settings: Resampling) -> list[PassRow]:
    every = curves(majority_curves(found), ctx.recipe.evaluate.benchmarks)
    return list(pass_rows(every, settings, measure="maj", row_type=MajorityRow))


def _inputs(ctx: Context) -> list[list[object]]:
    """Name and size of every file that is read."""
    files = []
    for name in INPUTS:
        path = ctx.run.path(name)
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        files += [file for file in inside if file.suffix in READ and file.is_file()]
    return [[str(file.relative_to(ctx.run.root)), file.stat().st_size] for file in files]
