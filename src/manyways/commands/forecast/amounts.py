"""How much work a recipe is, piece by piece: exact, from the recipe and its problem sets alone."""

from collections.abc import Iterator

from manyways.arms import Line, parse_arm
from manyways.commands.forecast.records import Planned
from manyways.records import BASE, Checkpoint
from manyways.run_dir import benchmark_slug
from manyways.stages import pools
from manyways.stages.context import Context
from manyways.stages.pools import SAMPLES


def planned(ctx: Context) -> Iterator[Planned]:
    """Every piece of work, in the order in which it runs and under the name of its stamp."""
    generate = ctx.recipe.generate
    problems = len(ctx.problems(generate.problems, generate.limit))
    plain = problems * generate.plain_samples
    named = problems * ctx.recipe.heuristics.count * generate.samples
    # Adaptive sampling may need less than this, never more.
    bound = (plain + named) * generate.max_tokens
    yield Planned(
        work="generate", stage="generate", attempts=plain + named,
        bound=min(bound, generate.token_budget or bound), prompts="generate",
    )  # fmt: skip
    yield Planned(work="select", stage="select", attempts=plain + named)
    if ctx.recipe.distill and any(line.distils for line in ctx.lines):
        # From a file nothing is sampled.
        each = (ctx.recipe.distill.samples or SAMPLES) if ctx.recipe.distill.model else 0
        yield _pool(ctx, "generate/distilled", problems * each, plain=True)
    yield from _evaluations(ctx, BASE, ways=False)
    for line in ctx.lines:
        yield from _line(ctx, line)
    yield Planned(work="analyse", stage="analyse")
    yield Planned(work="report", stage="report")


def _line(ctx: Context, line: Line) -> Iterator[Planned]:
    recipe, rl = ctx.recipe, ctx.recipe.rl
    arm = parse_arm(line.arm)
    ways = arm.kind.prompts in ("first", "all")
    if arm.round > 1:
        plain = arm.kind.prompts == "plain"
        generate = recipe.generate
        each = generate.plain_samples if plain else generate.samples * pools.ways_of(ctx, arm)
        count = len(ctx.problems(generate.problems, generate.limit)) * each
        yield _pool(ctx, f"generate/{line.name}", count, plain=plain)
        yield Planned(work=f"select/{line.name}", stage="select", attempts=count)
    if arm.midtrains:
        steps = ctx.midtraining(line).steps or 0
        yield Planned(work=f"midtrain/{line.name}", stage="midtrain", steps=steps)
    problems = min(recipe.gate.problems, len(ctx.problems(rl.problems, rl.limit)))
    for work, attempts, steps in (
        (f"gate/{line.name}", problems * rl.group_size, 0),
        (f"rl/{line.name}", rl.steps * rl.prompts_per_step * rl.group_size, rl.steps),
    ):
        yield Planned(
            work=work, stage=work.partition("/")[0], attempts=attempts, steps=steps,
            bound=attempts * rl.max_tokens, ways=ways, prompts="rl",
        )  # fmt: skip
    for checkpoint in line.checkpoints:
        yield from _evaluations(ctx, checkpoint, ways=ways)


def _pool(ctx: Context, work: str, attempts: int, *, plain: bool) -> Planned:
    """A pool beside the run's own, as if the base model wrote it."""
    return Planned(
        work=work, stage="generate", attempts=attempts,
        bound=attempts * ctx.recipe.generate.max_tokens,
        prompts="plain" if plain else "heuristics",
    )  # fmt: skip


def _evaluations(ctx: Context, checkpoint: Checkpoint, *, ways: bool) -> Iterator[Planned]:
    settings = ctx.recipe.evaluate
    for benchmark in settings.benchmarks:
        attempts = len(ctx.problems(benchmark, settings.limit)) * settings.attempts
        yield Planned(
            work=f"evaluate/{checkpoint.name}/{benchmark_slug(benchmark)}", stage="evaluate",
            attempts=attempts, bound=attempts * settings.max_tokens, ways=ways, prompts=benchmark,
        )  # fmt: skip


def midtrain_steps(ctx: Context, work: str, examples: float) -> int:
    """Optimizer steps of ``midtrain/<arm>/seed-<s>`` on ``examples`` rows, as the stage counts."""
    return ctx.midtraining(Line(arm=work.split("/")[1], seed=0)).steps_for(examples)
