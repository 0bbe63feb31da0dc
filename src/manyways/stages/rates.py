"""4 rates: the base model's pass rate on each problem of RL, by which RL's problems are chosen.

It is measured once, and the attempts are kept. The gate of a line that starts from the base model
uses the same attempts. With ``rl.pass_rate_of = "start"`` this stage is left out, and each line's
gate attempts every problem.
"""

from pathlib import Path

from manyways.arms import Line
from manyways.context import Context, sampling_identity
from manyways.engines import SamplingSettings
from manyways.errors import DataError, GateRefused
from manyways.fingerprint import problems_hash
from manyways.measures.difficulty import RL_FOLDER as FOLDER
from manyways.measures.difficulty import ProblemsInRange, of_rl
from manyways.pool import sampling
from manyways.pool.attempt_files import Sampling
from manyways.progress import say
from manyways.recipe.rl import RLConfig
from manyways.records import BASE, Problem
from manyways.run_dir import Amount, Work

FORMAT = 1
NAME = "gate/base"
SEED = 0
PART_SIZE = 2048


def left_out(ctx: Context) -> str | None:
    """Why no rates are measured, None when they are."""
    reasons = [_left_out(recipe.rl) for recipe in ctx.recipe.variants]
    return None if None in reasons else reasons[0]


def _left_out(rl: RLConfig) -> str | None:
    if rl.pass_rate is None:
        return "the recipe has no rl.pass_rate"
    return None if rl.pass_rate_of == "base" else "rl.pass_rate_of is each arm's own start"


def plan(ctx: Context) -> Work:
    """The base model's attempts at RL's problems as a piece of work."""
    rl = ctx.recipe.rl
    return ctx.run.work(
        NAME,
        identity={
            "format": FORMAT,
            "model": ctx.base_hash,
            "problems": problems_hash(_problems(ctx)),
            "settings": [rl.temperature, rl.max_tokens],
            "seed": SEED,
            **sampling_identity(ctx),
        },
        request={"attempts": rl.group_size},
        outputs=(ctx.run.path(FOLDER),),
    )


def run(ctx: Context) -> None:
    """Sample and verify. Raises VerifierUnwell when too many answers are undecided."""
    work = plan(ctx)
    if work.done:
        say("rates of RL's problems: measured earlier.")
        return
    with work:
        problems = _problems(ctx)
        counts = sampling.collect(
            ctx,
            engine=lambda: ctx.engine(ctx.base_path),
            cells=sampling.plain_cells(ctx, problems, ctx.recipe.rl.group_size),
            sampling=sampling_in(ctx, ctx.run.path(FOLDER), SEED, ctx.base_hash),
        )
        work.counts.update(counts, problems=len(problems))
    say(sampling.sentence("rates of RL's problems", work))


def amount(ctx: Context) -> list[Amount]:
    """A group of attempts at every problem."""
    rl = ctx.recipe.rl
    attempts = ctx.count(rl.problems, rl.limit) * rl.group_size
    bound = attempts * rl.max_tokens
    return [Amount(work=NAME, stage="gate", attempts=attempts, bound=bound, prompts="rl")]


def shared(ctx: Context, line: Line) -> bool:
    """Whether a line's gate uses the base model's attempts of this stage."""
    return _left_out(ctx.recipe.rl) is None and line.start == BASE


def sampling_in(ctx: Context, folder: Path, seed: int, model: str) -> Sampling:
    """Sampling into ``folder`` with RL's settings."""
    rl = ctx.recipe.rl
    return Sampling(
        settings=SamplingSettings(max_tokens=rl.max_tokens, temperature=rl.temperature),
        folder=folder,
        run_seed=seed,
        model_hash=model,
        label=f"attempts at RL's problems, {folder.name}",
        part_size=PART_SIZE,
    )


def chosen(ctx: Context, line: Line) -> ProblemsInRange:
    """The problems that a line trains on.

    Raises MissingWork when the rates are not measured, GateRefused when no problem is left.
    """
    rated = of_rl(ctx, line)
    try:
        return rated.in_range()
    except DataError as error:
        raise GateRefused(f"{line.name}: {error}") from error


def _problems(ctx: Context) -> list[Problem]:
    return ctx.problems(ctx.recipe.rl.problems, ctx.recipe.rl.limit)
