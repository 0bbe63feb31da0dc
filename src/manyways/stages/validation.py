"""1 rates of validation problems: the base model's pass rate on them, before any training.

``rl.evaluate_pass_rate`` chooses by it which problems evaluations during training use. These
attempts are not used as the first point of the training curve. If they were, problems would be
chosen for their luck in the very attempts that the curve then shows.
"""

from manyways.checkpoints import chat_template_hash
from manyways.context import Context, sampling_identity, settings_of
from manyways.fingerprint import problems_hash
from manyways.measures.difficulty import of_validation
from manyways.pool import sampling
from manyways.pool.attempt_files import Sampling
from manyways.progress import say
from manyways.run_dir import Amount, Work, benchmark_slug

FORMAT = 1
SEED = 2**32
"""A seed that no training has: with a training's seed, the texts would be those of its curve."""


def left_out(ctx: Context) -> str | None:
    """Why no rates are measured, None when they are."""
    if ctx.recipe.rl.evaluate_pass_rate is None:
        return "the recipe has no rl.evaluate_pass_rate"
    return None if _sets(ctx) else "nothing is evaluated during training"


def plan(ctx: Context) -> list[Work]:
    """The base model's attempts at each problem set; a larger limit samples only what is new."""
    return [_work(ctx, name) for name in _sets(ctx)]


def run(ctx: Context) -> None:
    """Sample and verify.

    Raises DataError when no problem has a pass rate in the range, VerifierUnwell when too many
    answers are undecided.
    """
    for name in _sets(ctx):
        rated, work = of_validation(ctx, name), _work(ctx, name)
        if not work.done:
            with work:
                work.facts["chat_template"] = chat_template_hash(ctx.base_path)
                counts = sampling.collect(
                    ctx,
                    engine=lambda: ctx.engine(ctx.base_path),
                    cells=sampling.plain_cells(ctx, rated.problems, rated.attempts),
                    sampling=Sampling(
                        settings=sampling.settings_of_evaluation(ctx),
                        folder=rated.folder,
                        run_seed=SEED,
                        model_hash=ctx.base_hash,
                        label=f"rates of {name}",
                        part_size=ctx.recipe.evaluate.part_size,
                    ),
                )
                found = rated.in_range()
                work.counts.update(counts, problems=len(rated.problems), **found.counts)
            say(sampling.sentence(f"rates of {name}", work))
        say(rated.in_range().sentence)


def amount(ctx: Context) -> list[Amount]:
    """A few attempts at every problem."""
    rl = ctx.recipe.rl
    sizes = {name: ctx.count(name, rl.evaluate_limit) * rl.evaluate_attempts for name in _sets(ctx)}
    return [
        Amount(
            work=work_name(name),
            stage="generate",
            attempts=attempts,
            bound=attempts * ctx.recipe.evaluate.max_tokens,
            prompts=name,
        )
        for name, attempts in sizes.items()
    ]


def work_name(name: str) -> str:
    """The name of the work: the base model's attempts at one problem set."""
    return f"generate/base/{benchmark_slug(name)}"


def _sets(ctx: Context) -> tuple[str, ...]:
    """The validation sets. All arms that are evaluated during training have the same ones."""
    return next((one.on_the_way for one in ctx.recipe.variants if one.on_the_way), ())


def _work(ctx: Context, name: str) -> Work:
    rl = ctx.recipe.rl
    return ctx.run.work(
        work_name(name),
        identity={
            "format": FORMAT,
            "model": ctx.base_hash,
            "problems": problems_hash(ctx.problems(name, None)),
            "settings": settings_of(
                ctx.recipe.evaluate, "limit", "attempts", "benchmarks", "part_size"
            ),
            "seed": SEED,
            **sampling_identity(ctx),
        },
        request={
            "limit": rl.evaluate_limit,
            "attempts": rl.evaluate_attempts,
            "pass_rate": rl.evaluate_pass_rate,
        },
        outputs=(of_validation(ctx, name).folder,),
    )
