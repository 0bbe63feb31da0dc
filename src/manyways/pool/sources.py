"""Pools of attempts beside the run's own: of a later round, and of another model.

``RUN/pools/<arm>/seed-<s>/`` and ``RUN/pools/distilled/`` hold 1-attempts, 2-solutions.parquet and
stamps as the run folder itself does, so the stages that make and read a pool need not know which
one it is: they are given a context whose run folder and writing model are the pool's.
"""

from dataclasses import replace
from pathlib import Path

from manyways.arms import Arm, Line, parse_arm
from manyways.context import Context, Writer, model_hash, place_of, served_hash
from manyways.errors import RecipeError
from manyways.recipe.pool import DistillConfig
from manyways.run_dir import POOLS

DISTILLED = "distilled"
SAMPLES = 16
"""Attempts of another model at each problem, where the recipe does not say."""


def pool_of(ctx: Context, line: Line) -> Context:
    """The context of the pool that ``line`` is trained on: ``ctx`` itself but for these.

    | arm         | pool                                                                        |
    |-------------|-----------------------------------------------------------------------------|
    | ...@roundR  | attempts of the checkpoint of round R - 1 of the same arm and seed, under   |
    |             | the heuristics that the arm trains on                                       |
    | distilled-N | attempts of ``[distill]``, plain prompts                                    |

    Raises MissingWork when the checkpoint of the round before does not exist yet.
    """
    arm = parse_arm(line.arm)
    if arm.kind.foreign:
        return distilled_pool(ctx)
    if arm.round == 1 or ctx.writer is not None:
        return ctx
    path = ctx.path_of(line.origin)
    # Other seeds than those of the rounds before: the same ones would tend to give the same texts.
    writer = Writer(path=path, hash=model_hash(ctx, path), seed=1000 * arm.round + line.seed)
    return _beside(
        ctx, line.name, writer, ways=ways_of(ctx, arm), plain=arm.kind.prompts == "plain"
    )


def distilled_pool(ctx: Context) -> Context:
    """The context of the pool of another model, plain prompts alone.

    Its writer is the model of ``[distill]``, or for attempts from a file nobody who could be asked.

    Raises RecipeError without ``[distill]``.
    """
    if ctx.writer is not None:
        return ctx
    settings = distill_settings(ctx)
    model = settings.model
    if model is None:
        writer = Writer(path=str(settings.attempts), hash="unknown", seed=0)
    else:
        path = place_of(model)
        known = served_hash(model) if model.remote else model_hash(ctx, path)
        writer = Writer(path=path, hash=known, seed=0)
    made = _beside(ctx, DISTILLED, writer, ways=0, plain=True)
    generate = made.recipe.generate.model_copy(
        update={
            "plain_samples": settings.samples or SAMPLES,
            "max_tokens": settings.max_tokens or ctx.recipe.generate.max_tokens,
            "engine": None,
            "sampling": "fixed",
        }
    )
    recipe = made.recipe.model_copy(
        update={"generate": generate, "model": model or ctx.recipe.model}
    )
    return replace(made, recipe=recipe)


def distill_settings(ctx: Context) -> DistillConfig:
    """The table ``[distill]``. Raises RecipeError when the recipe has none."""
    if ctx.recipe.distill is None:
        raise RecipeError(
            "distilled arms train on attempts of another model: say which in [distill], "
            "attempts = '<file>' or model = { path = '...' }."
        )
    return ctx.recipe.distill


def ready(ctx: Context, line: Line) -> bool:
    """Whether the pool of ``line`` could be sampled now: its writer has been trained."""
    return line.before is None or Path(ctx.path_of(line.origin), "config.json").is_file()


def written_by(ctx: Context, line: Line) -> str:
    """Who wrote what ``line`` is trained on: ``base``, a checkpoint of this run, another model."""
    if line.distils:
        settings = distill_settings(ctx)
        return f"another model: {settings.model.path if settings.model else settings.attempts}"
    return line.origin.name


def ways_of(ctx: Context, arm: Arm) -> int:
    """How many heuristics of the pack the arm's data is drawn from."""
    several = {"first": arm.ways, "all": ctx.recipe.heuristics.count}
    return several.get(arm.kind.prompts, 0)


def _beside(ctx: Context, name: str, writer: Writer, *, ways: int, plain: bool) -> Context:
    recipe = ctx.recipe
    # A server holds the base model alone: what was trained here is sampled as in evaluation.
    served = recipe.model.under(recipe.generate.engine).remote
    changed = {"samples": recipe.generate.samples if ways else 0}
    changed |= {"plain_samples": recipe.generate.plain_samples if plain else 0}
    generate = recipe.generate.model_copy(update=changed | ({"engine": None} if served else {}))
    heuristics = recipe.heuristics.model_copy(update={"count": ways})
    return Context(
        recipe=recipe.model_copy(update={"generate": generate, "heuristics": heuristics}),
        # The same writer and lock: a pool lies inside the run folder.
        run=replace(ctx.run, root=ctx.run.path(POOLS, *name.split("/"))),
        origin=ctx,
        writer=writer,
    )
