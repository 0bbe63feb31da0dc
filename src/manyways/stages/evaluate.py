"""6 evaluate: checkpoint x benchmark -> attempts with verdicts, from plain prompts."""

from manyways.checkpoints import chat_template_hash
from manyways.engines import SamplingSettings
from manyways.fingerprint import problems_hash
from manyways.progress import say
from manyways.records import PLAIN, Checkpoint
from manyways.run_dir import Work, benchmark_slug
from manyways.stages import sampling
from manyways.stages.context import Context
from manyways.stages.identity import model_hash, sampling_identity, settings_of
from manyways.stages.sampling import Cell, LazyEngine, Sampling

FORMAT = 1
AMOUNTS = ("limit", "attempts")


def plan(ctx: Context, checkpoint: Checkpoint, benchmark: str) -> Work:
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


def run(
    ctx: Context, checkpoint: Checkpoint, benchmark: str, *, engine: LazyEngine | None = None
) -> None:
    """Sample and judge one checkpoint on one benchmark.

    Checkpoints of one seed share their noise, problem by problem, so differences between them are
    less noisy than the scores.

    engine: over the checkpoint, when it is shared between benchmarks; left open.

    Raises VerifierUnwell when too many answers are undecided.
    """
    work, path = plan(ctx, checkpoint, benchmark), ctx.path_of(checkpoint)
    label = f"evaluate {checkpoint.name} on {benchmark}"
    if work.done:
        say(f"{label}: finished earlier.")
        return
    settings = ctx.recipe.evaluate
    problems = ctx.problems(benchmark, settings.limit)
    with work:
        counts = sampling.collect(
            ctx,
            engine=engine or (lambda: ctx.engine(path)),
            cells=[
                Cell(
                    problem=problem,
                    heuristic=PLAIN,
                    messages=ctx.prompts_for(problem).plain(problem.question),
                    samples=settings.attempts,
                )
                for problem in problems
            ],
            sampling=Sampling(
                settings=SamplingSettings(
                    max_tokens=settings.max_tokens,
                    temperature=settings.temperature,
                    top_p=settings.top_p,
                ),
                folder=ctx.run.eval_path(checkpoint.name, benchmark),
                run_seed=checkpoint.seed or 0,
                model_hash=str(work.identity["model"]),
                label=label,
                part_size=settings.part_size,
            ),
        )
        work.counts.update(counts, problems=len(problems))
        work.facts["chat_template"] = chat_template_hash(path)
    say(sampling.sentence(label, counts))


def run_all(ctx: Context, checkpoint: Checkpoint) -> None:
    """Every benchmark of the recipe, with one engine that is opened only when it is needed."""
    engine = LazyEngine(lambda: ctx.engine(ctx.path_of(checkpoint)))
    try:
        for benchmark in ctx.recipe.evaluate.benchmarks:
            run(ctx, checkpoint, benchmark, engine=engine)
    finally:
        engine.close()
