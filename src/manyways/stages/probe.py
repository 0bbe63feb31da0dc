"""Prefix swap: do heuristics complement each other? (theory D2, M6). Off by default.

Attempts of the pool under heuristic i are cut in the middle. The model that wrote them continues
them under the prompt of heuristic j. R_ij is the share of correct continuations. All pairs (i, j),
also i = j, are sampled in the same way on the same problems, so they can be compared.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc

from manyways.context import Context, sampling_identity, settings_of
from manyways.errors import MissingWork
from manyways.fingerprint import fingerprint
from manyways.heuristics.labelling import ANSWER
from manyways.measures.difficulty import of_pool, pool_size, range_in_request
from manyways.measures.probe import BETWEEN
from manyways.pool import sampling
from manyways.pool.attempt_files import Cell
from manyways.progress import say
from manyways.records import Heuristic, Message, Problem
from manyways.run_dir import Amount, Work
from manyways.stages.gate import spread
from manyways.stages.generate import heuristic_prompt, how_to_sample
from manyways.tables import read_attempts_table

FORMAT = 1
SENTENCE_END = re.compile(r"(?<=[.!?;])\s+")
FOLDER = "6-probe"
PROBE_SEED = 0
UNUSED = ("limit", "samples", "plain_samples", "pass_rate", "part_size", "engine", "sampling")
"""Keys of ``[generate]`` that the probe does not use, or that only change its amount."""


def plan(ctx: Context) -> Work:
    """The probe as a piece of work. With more samples or problems only new ones are sampled."""
    recipe = ctx.recipe
    return ctx.run.work(
        "probe",
        identity={
            "format": FORMAT,
            "model": ctx.base_hash,
            "pool": _pool(ctx),
            "settings": settings_of(recipe.generate, *UNUSED),
            "heuristics": settings_of(recipe.heuristics, "pack", "count", "labeller"),
            "seed": PROBE_SEED,
            **sampling_identity(ctx),
        },
        request={
            **recipe.probe.model_dump(exclude={"enabled"}),
            "limit": recipe.generate.limit,
            **range_in_request(recipe.generate.pass_rate),
            "pack": fingerprint([heuristic.id for heuristic in probed(ctx)]),
        },
        outputs=(ctx.run.path(FOLDER),),
    )


def run(ctx: Context) -> None:
    """Cut, sample and verify.

    Raises MissingWork when the pool has no attempts that can be cut, VerifierUnwell when too many
    answers are undecided.
    """
    work = plan(ctx)
    if work.done:
        say("probe: finished earlier.")
        return
    with work:
        wanted = list(cells(ctx))
        if not wanted:
            raise MissingWork(
                "probe: no problem has attempts of two heuristics that can be cut in the middle "
                "(two steps before the answer): run generate first, or the attempts are too short."
            )
        counts = sampling.collect(
            ctx,
            engine=lambda: ctx.engine(ctx.base_path),
            cells=wanted,
            sampling=replace(
                how_to_sample(ctx, PROBE_SEED), folder=ctx.run.path(FOLDER), label="probe"
            ),
        )
        work.counts.update(counts, problems=len({cell.problem.id for cell in wanted}))
    say(sampling.sentence("probe", work))


def left_out(ctx: Context) -> str | None:
    """Why a run leaves the probe out, None when it does not."""
    return None if ctx.recipe.probe.enabled else "the recipe says probe.enabled = false"


def amount(ctx: Context) -> list[Amount]:
    """Every pair of heuristics on every problem, as if all attempts could be cut."""
    probe = ctx.recipe.probe
    problems = min(probe.problems, pool_size(ctx))
    attempts = problems * len(probed(ctx)) ** 2 * probe.samples
    return [
        Amount(
            work="probe",
            stage="probe",
            attempts=attempts,
            bound=attempts * ctx.recipe.generate.max_tokens,
            prompts="heuristics",
        )
    ]


def probed(ctx: Context) -> tuple[Heuristic, ...]:
    """The heuristics that the probe swaps."""
    return ctx.pack[: ctx.recipe.probe.heuristics]


def cells(ctx: Context) -> Iterator[Cell]:
    """Every pair of heuristics on every problem that has two or more attempts to cut."""
    problems = spread(of_pool(ctx).in_range().problems, ctx.recipe.probe.problems)
    openings = _openings(ctx, problems)
    for problem in problems:
        begun = openings.get(problem.id, {})
        if len(begun) < 2:
            continue
        for first, text in begun.items():
            for second in probed(ctx):
                if second.id in begun:
                    yield Cell(
                        problem=problem,
                        heuristic=f"{first}{BETWEEN}{second.id}",
                        messages=(
                            *heuristic_prompt(ctx, second, problem),
                            Message(role="assistant", content=text),
                        ),
                        samples=ctx.recipe.probe.samples,
                    )


def _openings(ctx: Context, problems: list[Problem]) -> dict[str, dict[str, str]]:
    """Problem -> heuristic -> first half of its first attempt that can be cut, right or wrong."""
    wanted = {problem.id for problem in problems}
    table = read_attempts_table(
        ctx.run.path("1-attempts"), ["problem_id", "heuristic", "sample", "text"]
    )
    found: dict[str, dict[str, str]] = {}
    names = [heuristic.id for heuristic in probed(ctx)]
    # Filtered in Arrow first: a pool has many more rows than are probed.
    mine = pc.is_in(table["problem_id"], pa.array(sorted(wanted), pa.string()))
    table = table.filter(pc.and_(mine, pc.is_in(table["heuristic"], pa.array(names, pa.string()))))
    for row in table.sort_by("sample").to_pylist():
        begun = found.setdefault(row["problem_id"], {})
        half = None if row["heuristic"] in begun else first_half(row["text"])
        if half is not None:
            begun[row["heuristic"]] = half
    return {
        problem: {name: begun[name] for name in names if name in begun}
        for problem, begun in found.items()
    }


def first_half(text: str) -> str | None:
    """The first half of the steps of ``text`` before its answer, None with fewer than two steps.

    Steps are lines, or sentences if there is one line only. Of an odd number the smaller half is
    taken. The line break is kept, so that the continuation begins a new step.
    """
    steps = _before_answer(text.splitlines(keepends=True))
    if len(steps) < 2:
        edges = [0, *(match.end() for match in SENTENCE_END.finditer(text)), len(text)]
        steps = _before_answer([text[a:b] for a, b in pairwise(edges)])
    if len(steps) < 2:
        return None
    return "".join(steps[: len(steps) // 2])


def _before_answer(steps: list[str]) -> list[str]:
    """The steps before the one that states the answer. A blank line belongs to the step before."""
    kept: list[str] = []
    for step in steps:
        if ANSWER.search(step):
            break
        if step.strip() or not kept:
            kept.append(step)
        else:
            kept[-1] += step
    return kept if any(step.strip() for step in kept) else []


def _pool(ctx: Context) -> object:
    """The identity of the pool: a new pool makes the old probe stale."""
    stamp = ctx.run.stamp("generate")
    return stamp.identity if stamp else None
