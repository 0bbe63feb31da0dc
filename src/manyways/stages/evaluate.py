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
    """One piece of work for each benchmark. Raises MissingWork as ``work_of`` does."""
    return [
        work_of(ctx, one, name)
        for one in (checkpoint, *_beside(ctx, checkpoint))
        for name in ctx.benchmarks
    ]


def _beside(ctx: Context, checkpoint: Checkpoint) -> list[Checkpoint]:
    """For a checkpoint of RL: its best step, if the recipe keeps it and it is not the last one."""
    if checkpoint.phase != "rl":
        return []
    found = watch.best(ctx, Line(arm=checkpoint.arm, seed=checkpoint.seed or 0))
    return [found] if found else []


def work_of(ctx: Context, checkpoint: Checkpoint, benchmark: str) -> Work:
    """One checkpoint on one benchmark as a piece of work.

    With more ``attempts`` or a higher ``limit`` only missing attempts are sampled.

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
    """Sample every benchmark, with one engine that is opened only when it is needed.

    Raises VerifierUnwell when too many answers are undecided.
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
    # If the best step is kept and is not the last one, it is sampled as well.
    twice = checkpoint.phase == "rl" and ctx.recipe.rl.keep != "last"
    return [*found, *(replace(one, work=f"{one.work}@best") for one in found if twice)]


def sample(ctx: Context, checkpoint: Checkpoint, benchmark: str, *, engine: LazyEngine) -> None:
    """Sample and verify one checkpoint on one benchmark.

    Checkpoints of one seed use the same seeds of attempts, problem by problem. So their differences
    vary less than their scores.

    engine: samples from the checkpoint; it is left open.

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
