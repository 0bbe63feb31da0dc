"""6 evaluate: checkpoint x benchmark -> attempts with verdicts, from plain prompts."""

from dataclasses import replace
from functools import partial

from manyways.arms import Line, parse_arm
from manyways.checkpoints import facts_of
from manyways.context import Context, model_hash, sampling_identity, settings_of
from manyways.fingerprint import problems_hash
from manyways.pool import sampling
from manyways.pool.sampling import LazyEngine
from manyways.progress import say
from manyways.records import BASE, Checkpoint
from manyways.run_dir import Amount, Work, benchmark_slug
from manyways.stages import watch

FORMAT = 1
AMOUNTS = ("limit", "attempts")


def plan(ctx: Context, checkpoint: Checkpoint) -> list[Work]:
    """One checkpoint as a piece of work for each benchmark. Raises MissingWork as ``work_of``."""
    return [
        work_of(ctx, one, name)
        for one in (checkpoint, *_beside(ctx, checkpoint))
        for name in ctx.benchmarks
    ]


def _beside(ctx: Context, checkpoint: Checkpoint) -> list[Checkpoint]:
    """With the last step of RL its best one, where the recipe keeps that and it is another."""
    if checkpoint.phase != "rl":
        return []
    found = watch.best(ctx, Line(arm=checkpoint.arm, seed=checkpoint.seed or 0))
    return [found] if found else []


def work_of(ctx: Context, checkpoint: Checkpoint, benchmark: str) -> Work:
    """One checkpoint on one benchmark as a piece of work.

    More ``attempts`` or a higher ``limit`` sample only what is new.

    Raises MissingWork when the checkpoint does not exist yet.
    """
    settings = ctx.recipe.evaluate
    return ctx.run.work(
        f"evaluate/{checkpoint.name}/{benchmark_slug(benchmark)}",
        identity={
            "format": FORMAT,
            "model": model_hash(ctx, ctx.path_of(checkpoint)),
            "problems": problems_hash(ctx.problems(benchmark, None)),
            "settings": settings_of(settings, *AMOUNTS, "benchmarks", "part_size"),
            "seed": checkpoint.seed or 0,
            **sampling_identity(ctx),
        },
        request=settings.model_dump(include=set(AMOUNTS)),
        outputs=(ctx.run.eval_path(checkpoint.name, benchmark),),
    )


def run(ctx: Context, checkpoint: Checkpoint) -> None:
    """Every benchmark of the recipe, with one engine that is opened only when it is needed.

    Raises what ``sample`` raises.
    """
    for one in (checkpoint, *_beside(ctx, checkpoint)):
        engine = LazyEngine(partial(ctx.engine, ctx.path_of(one)))
        try:
            for benchmark in ctx.benchmarks:
                sample(ctx, one, benchmark, engine=engine)
        finally:
            engine.close()


def amount(ctx: Context, checkpoint: Checkpoint) -> list[Amount]:
    """Its attempts on each benchmark."""
    settings = ctx.recipe.evaluate
    ways = checkpoint != BASE and parse_arm(checkpoint.arm).kind.shows_ways
    found = []
    for benchmark in ctx.benchmarks:
        attempts = ctx.count(benchmark, settings.limit) * settings.attempts
        found.append(
            Amount(
                work=f"evaluate/{checkpoint.name}/{benchmark_slug(benchmark)}",
                stage="evaluate",
                attempts=attempts,
                bound=attempts * settings.max_tokens,
                ways=ways,
                prompts=benchmark,
            )
        )
    # Where the best step is kept, it is sampled too unless it is the last: twice at most.
    twice = checkpoint.phase == "rl" and ctx.recipe.rl.keep != "last"
    return [*found, *(replace(one, work=f"{one.work}@best") for one in found if twice)]


def sample(ctx: Context, checkpoint: Checkpoint, benchmark: str, *, engine: LazyEngine) -> None:
    """Sample and judge one checkpoint on one benchmark.

    Checkpoints of one seed share their noise, problem by problem, so differences between them are
    less noisy than the scores.

    engine: over the checkpoint; left open.

    Raises VerifierUnwell when too many answers are undecided.
    """
    work, path = work_of(ctx, checkpoint, benchmark), ctx.path_of(checkpoint)
    if work.done:
        say(f"evaluate {checkpoint.name} on {benchmark}: finished earlier.")
        return
    settings = ctx.recipe.evaluate
    work.facts.update(facts_of(path))
    sampling.evaluate(
        ctx,
        checkpoint,
        benchmark,
        work=work,
        engine=engine,
        problems=ctx.problems(benchmark, settings.limit),
        attempts=settings.attempts,
        model_hash=str(work.identity["model"]),
    )
