"""4 rates: how often the base model solves each problem of RL. RL trains on some of them.

Measured once, from attempts that stay. A line that starts from the base is gated on these very
attempts. With ``rl.pass_rate_of = "start"`` each line's gate attempts every problem instead.
"""

from dataclasses import dataclass
from pathlib import Path

from manyways.arms import Line
from manyways.context import Context, sampling_identity
from manyways.engines import SamplingSettings
from manyways.errors import GateRefused, MissingWork
from manyways.fingerprint import problems_hash
from manyways.pool import sampling
from manyways.pool.attempt_files import Sampling
from manyways.progress import say
from manyways.recipe.rl import RLConfig
from manyways.records import BASE, Problem
from manyways.run_dir import Amount, Work
from manyways.tables import count_correct

FORMAT = 1
NAME = "gate/base"
FOLDER = "4-rates"
SEED = 0
PART_SIZE = 2048


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """RL's problems of the right difficulty, and how many are left out."""

    problems: list[Problem]
    harder: int
    easier: int

    @property
    def sentence(self) -> str:
        """What was left out, in words."""
        total = len(self.problems) + self.harder + self.easier
        return (
            f"{len(self.problems)} of {total} problems are trained on; {self.harder} that are "
            f"solved less often than rl.pass_rate says are left out, and {self.easier} that are "
            "solved more often."
        )


def left_out(ctx: Context) -> str | None:
    """Why the base model is not asked, if so."""
    reasons = [_left_out(recipe.rl) for recipe in ctx.recipe.variants]
    return None if None in reasons else reasons[0]


def _left_out(rl: RLConfig) -> str | None:
    if rl.pass_rate is None:
        return "the recipe has no rl.pass_rate"
    return None if rl.pass_rate_of == "base" else "rl.pass_rate_of is each arm's own start"


def plan(ctx: Context) -> Work:
    """The base model's attempts as a piece of work."""
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
    """Attempt every problem. Raises VerifierUnwell when too many answers are undecided."""
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
    """Whether a line's gate looks at the base model's attempts, which are there already."""
    return _left_out(ctx.recipe.rl) is None and line.start == BASE


def sampling_in(ctx: Context, folder: Path, seed: int, model: str) -> Sampling:
    """As RL samples, into ``folder``."""
    rl = ctx.recipe.rl
    return Sampling(
        settings=SamplingSettings(max_tokens=rl.max_tokens, temperature=rl.temperature),
        folder=folder,
        run_seed=seed,
        model_hash=model,
        label=f"attempts at RL's problems, {folder.name}",
        part_size=PART_SIZE,
    )


def chosen(ctx: Context, line: Line) -> Chosen:
    """The problems that a line trains on.

    Raises MissingWork when the rates are not measured, GateRefused when no problem is left.
    """
    problems, wanted = _problems(ctx), ctx.recipe.rl.pass_rate
    if wanted is None:
        return Chosen(problems=problems, harder=0, easier=0)
    rates = _rates(ctx, line)
    if not all(problem.id in rates for problem in problems):
        raise MissingWork(f"{line.name}: the rates of RL's problems are not measured: run gate.")
    kept = [p for p in problems if wanted[0] <= rates[p.id] <= wanted[1]]
    harder = sum(rates[problem.id] < wanted[0] for problem in problems)
    found = Chosen(problems=kept, harder=harder, easier=len(problems) - len(kept) - harder)
    if not kept:
        raise GateRefused(
            f"{line.name}: of {len(problems)} problems none is solved as often as rl.pass_rate = "
            f"{list(wanted)} wants ({harder} less often, {found.easier} more often): widen it, or "
            "choose other rl.problems."
        )
    return found


def _rates(ctx: Context, line: Line) -> dict[str, float]:
    """Problem -> share of correct attempts; undecided ones count as not correct."""
    own = ctx.recipe.rl.pass_rate_of == "start"
    folder = ctx.run.arm_path(line.arm, line.seed, "4-gate") if own else ctx.run.path(FOLDER)
    size = ctx.recipe.rl.group_size
    counted = count_correct(folder, size)
    return {name: right / tried for name, (tried, right) in counted.items() if tried == size}


def _problems(ctx: Context) -> list[Problem]:
    return ctx.problems(ctx.recipe.rl.problems, ctx.recipe.rl.limit)
