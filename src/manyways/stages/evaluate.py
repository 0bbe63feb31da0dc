"""6 evaluate: checkpoint x benchmark -> attempts with verdicts, from plain prompts."""

from manyways.checkpoints import chat_template_hash
from manyways.engines import SamplingSettings
from manyways.fingerprint import problems_hash
from manyways.progress import say
from manyways.records import PLAIN
from manyways.run_dir import Work, benchmark_slug
from manyways.stages import sampling
from manyways.stages.context import Context
from manyways.stages.identity import model_hash, sampling_identity, settings_of
from manyways.stages.sampling import Cell, LazyEngine, Sampling

FORMAT = 1
AMOUNTS = ("limit", "attempts")


def plan(ctx: Context, checkpoint: str, path: str, benchmark: str) -> Work:
    """One checkpoint on one benchmark as a piece of work.

    More ``attempts`` or a higher ``limit`` sample only what is new.

    checkpoint: ``base`` or ``<arm>/seed-<s>/<mid|rl>``.  path: its folder or Hub id.

    Raises MissingWork when the checkpoint does not exist yet.
    """
    settings = ctx.recipe.evaluate
    return ctx.run.work(
        f"evaluate/{checkpoint}/{benchmark_slug(benchmark)}",
        identity={
            "format": FORMAT,
            "model": model_hash(ctx, path),
            "problems": problems_hash(ctx.problems(benchmark, None)),
            "settings": settings_of(settings, *AMOUNTS, "benchmarks", "part_size"),
            "seed": run_seed(checkpoint),
            **sampling_identity(ctx),
        },
        request=settings.model_dump(include=set(AMOUNTS)),
        outputs=(ctx.run.eval_path(checkpoint, benchmark),),
    )


def run(
    ctx: Context,
    checkpoint: str,
    path: str,
    benchmark: str,
    *,
    engine: LazyEngine | None = None,
) -> None:
    """Sample and judge one checkpoint on one benchmark.

    engine: over ``path``, when it is shared between benchmarks; left open.

    Raises VerifierUnwell when too many answers are undecided.
    """
    work = plan(ctx, checkpoint, path, benchmark)
    label = f"evaluate {checkpoint} on {benchmark}"
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
                folder=ctx.run.eval_path(checkpoint, benchmark),
                run_seed=run_seed(checkpoint),
                model_hash=str(work.identity["model"]),
                label=label,
                part_size=settings.part_size,
            ),
        )
        work.counts.update(counts, problems=len(problems))
        work.facts["chat_template"] = chat_template_hash(path)
    say(sampling.sentence(label, counts))


def run_all(ctx: Context, checkpoint: str, path: str) -> None:
    """Every benchmark of the recipe, with one engine that is opened only when it is needed."""
    engine = LazyEngine(lambda: ctx.engine(path))
    try:
        for benchmark in ctx.recipe.evaluate.benchmarks:
            run(ctx, checkpoint, path, benchmark, engine=engine)
    finally:
        engine.close()


def run_seed(checkpoint: str) -> int:
    """The seed of ``<arm>/seed-<s>/<phase>`` is s; of ``base`` 0.

    Checkpoints of one seed share their noise, problem by problem, so differences between them are
    less noisy than the scores.
    """
    return next(
        (int(part.removeprefix("seed-")) for part in checkpoint.split("/") if part[:5] == "seed-"),
        0,
    )
