"""1 generate: problems x heuristics x samples -> attempts, each with a verdict.

These attempts of the base model are the pool, from which every arm's data is selected.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, replace

from manyways.arms import Line, parse_arm
from manyways.checkpoints import facts_of
from manyways.context import Context, sampling_identity, settings_of
from manyways.engines import SamplingSettings
from manyways.fingerprint import fingerprint
from manyways.heuristics import Layout, load_pack
from manyways.measures.difficulty import ProblemsInRange, of_pool, pool_size, range_in_request
from manyways.pool import adaptive, attempt_files, sampling
from manyways.pool.attempt_files import Cell, Sampling
from manyways.pool.sampling import LazyEngine
from manyways.pool.solutions import read_requests
from manyways.pool.training_rows import ways_of
from manyways.progress import say
from manyways.records import PLAIN, Heuristic, Message, Problem
from manyways.run_dir import Amount, Work

FORMAT = 1
POOL_SEED = 0
"""Seed of the pool: all training seeds of a recipe use the same attempts."""


def plan(ctx: Context) -> Work:
    """The pool as a piece of work.

    After a change of ``limit``, ``samples``, ``plain_samples``, ``pass_rate``, ``sampling`` or
    ``heuristics.count`` only missing attempts are sampled. After any other change the pool is set
    aside.
    """
    recipe, settings = ctx.recipe, ctx.recipe.generate
    wanted = ("limit", "samples", "plain_samples", "pass_rate")
    how = ("part_size", "engine", "sampling")
    layout = ("place", "exemplars")
    return ctx.run.work(
        "generate",
        identity={
            "format": FORMAT,
            "model": ctx.base_hash,
            "pack": fingerprint([asdict(h) for h in load_pack(recipe.heuristics.pack)]),
            "heuristics": settings_of(recipe.heuristics, *layout, "pack", "count", "labeller"),
            # The default is left out, so old pools stay valid.
            **({} if ctx.layout == Layout() else {"layout": asdict(ctx.layout)}),
            "problems": ctx.sets.load(settings.problems).fingerprint,
            "settings": settings_of(settings, *wanted, *how),
            "seed": _seed(ctx),
            **sampling_identity(ctx, settings.engine),
        },
        request={
            **settings.model_dump(include={"limit", "samples", "plain_samples"}),
            **range_in_request(settings.pass_rate),
            "heuristics": recipe.heuristics.count,
            **adaptive.request(ctx),
            **ctx.left_out,
        },
        outputs=(ctx.run.path("1-attempts"),),
    )


def run(ctx: Context) -> None:
    """Sample and verify the pool. If no attempt is correct, selection says so, not this stage.

    Raises VerifierUnwell when too many answers are undecided.
    """
    work = plan(ctx)
    if work.done:
        say("generate: finished earlier.")
        return
    settings = ctx.recipe.generate
    collect = adaptive.collect if settings.sampling == "adaptive" else sampling.collect
    engine = LazyEngine(lambda: ctx.engine(ctx.base_path, ctx.recipe.model.under(settings.engine)))
    with work, closing(engine):
        chosen = _chosen(ctx, engine)
        counts = collect(
            ctx,
            engine=lambda: engine,
            cells=cells(ctx, chosen.problems),
            sampling=how_to_sample(ctx),
        )
        work.counts.update(counts, problems=len(chosen.problems))
        if chosen.sentence:
            work.counts.update(chosen.counts, **_with_rates(ctx, chosen))
        work.facts.update(facts_of(ctx.base_path))
    say(sampling.sentence("generate", work))
    if settings.sampling == "adaptive":
        say(adaptive.sentence(counts))


def _chosen(ctx: Context, engine: LazyEngine) -> ProblemsInRange:
    """The pool's problems. For a choice by pass rate, plain prompts are sampled at all of them.

    Pools of other models use the problems of the base model's pool.
    """
    rated = of_pool(ctx)
    if rated.wanted is not None and ctx.writer is None:
        plain = sampling.plain_cells(ctx, rated.problems, rated.attempts)
        how = replace(how_to_sample(ctx), label="generate, pass rates")
        sampling.collect(ctx, engine=engine, cells=plain, sampling=how)
    chosen = rated.in_range()
    if chosen.sentence:
        say(f"generate: {chosen.sentence}")
    return chosen


def _with_rates(ctx: Context, chosen: ProblemsInRange) -> dict[str, float]:
    """Counts of all attempts, including plain ones at problems that are then left out."""
    folder, settings = ctx.run.path("1-attempts"), ctx.recipe.generate
    named = {(c.problem.id, c.heuristic): c.samples for c in cells(ctx, chosen.problems)}
    wanted = dict(read_requests(ctx.recipe, folder) or named)
    if ctx.writer is None:
        wanted |= {(p.id, PLAIN): settings.plain_samples for p in of_pool(ctx).problems}
    return attempt_files.counts(folder, wanted)


def amount(ctx: Context, line: Line | None) -> list[Amount]:
    """Every attempt of a pool: the run's own, or that of a line of a later round."""
    settings = ctx.recipe.generate
    plain, named = attempts_of(ctx, line)
    # Adaptive sampling may need less than this, never more.
    return [
        Amount(
            work=f"generate/{line.name}" if line else "generate",
            stage="generate",
            attempts=plain + named,
            bound=(plain + named) * settings.max_tokens,
            # A later round is taken to need as many tokens as the base model.
            prompts="generate" if line is None else "heuristics" if named else "plain",
        )
    ]


def attempts_of(ctx: Context, line: Line | None) -> tuple[int, int]:
    """(the most plain attempts of a pool, the most attempts under heuristics)."""
    settings = ctx.recipe.generate
    problems = pool_size(ctx)
    if line is None:
        # Pass rates need plain attempts at every problem.
        every = ctx.count(settings.problems, settings.limit)
        return (
            every * settings.plain_samples,
            problems * settings.samples * ctx.recipe.heuristics.count,
        )
    arm = parse_arm(line.arm)
    plain = problems * settings.plain_samples * (arm.kind.prompts == "plain")
    return plain, problems * settings.samples * ways_of(ctx, arm)


def _seed(ctx: Context) -> int:
    return ctx.writer.seed if ctx.writer else POOL_SEED


def how_to_sample(ctx: Context, run_seed: int | None = None) -> Sampling:
    """How the recipe samples the pool. ``run_seed``: another seed than the pool's."""
    settings = ctx.recipe.generate
    return Sampling(
        settings=SamplingSettings(
            max_tokens=settings.max_tokens,
            temperature=settings.temperature,
            top_p=settings.top_p,
            stop=settings.stop,
        ),
        folder=ctx.run.path("1-attempts"),
        run_seed=_seed(ctx) if run_seed is None else run_seed,
        model_hash=ctx.base_hash,
        label="generate",
        part_size=settings.part_size,
    )


def cells(ctx: Context, problems: Sequence[Problem]) -> list[Cell]:
    """The cells of plain prompts for every problem, then those of each heuristic in turn.

    In this order, requests that are sampled together share their exemplars.
    """
    settings = ctx.recipe.generate
    plain = sampling.plain_cells(ctx, problems, settings.plain_samples)
    named = [
        Cell(
            problem=problem,
            heuristic=heuristic.id,
            messages=heuristic_prompt(ctx, heuristic, problem),
            samples=settings.samples,
        )
        for heuristic in ctx.pack
        for problem in problems
    ]
    return [cell for cell in (*plain, *named) if cell.samples]


def heuristic_prompt(ctx: Context, heuristic: Heuristic, problem: Problem) -> tuple[Message, ...]:
    """The prompt under ``heuristic``, without an exemplar that is the problem itself."""
    own = one_spelling(problem.question)
    others = tuple(e for e in heuristic.exemplars if one_spelling(e.question) != own)
    return ctx.prompts_for(problem).under(
        replace(heuristic, exemplars=others), problem.question, shots=ctx.recipe.heuristics.shots
    )


def one_spelling(question: str) -> str:
    """``question`` in lower case, with single spaces."""
    return " ".join(question.lower().split())
