"""``manyways forecast``: what a recipe will cost, or a kept forecast beside what happened.

Assumptions, all of them printed with it: one piece of work at a time; checkpoints sample as fast as
the base model does; after mid-training on heuristics, texts are ``ratio`` times as long as plain
ones; pools of later rounds are written as the base model writes; analyse and report cost what they
cost us (a rule of thumb, not measured here). Selection by a reward model or a judge is not counted,
and neither is waiting for other work on the machine.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from manyways import third_party
from manyways.arms import Arm, parse_arm
from manyways.arms.kinds import Chances, any_of
from manyways.checkpoints import checkpoint_bytes
from manyways.commands.forecast import (
    FILE,
    Expected,
    Forecast,
    Measured,
    Sampled,
    print_comparison,
    print_forecast,
    read_forecast,
    write_forecast,
)
from manyways.commands.needs import copies_at_peak, kept_steps
from manyways.commands.run import resolve
from manyways.context import Context
from manyways.errors import DataError, Untrusted
from manyways.fingerprint import versions
from manyways.pipeline import steps
from manyways.progress import say
from manyways.run_dir import Amount, RunDir, open_for_reading, open_for_writing
from manyways.train.reward import SAMPLED

ANALYSE_EACH, ANALYSE_ONCE, REPORT_ONCE, SELECT_ONCE = 3e-4, 2.0, 2.0, 0.3
"""Seconds for each evaluated attempt, and once: an evaluation of 25,200 attempts took 8 s."""
RESULT_BYTES = 8e6
"""Of tables and report."""


def forecast_recipe(
    path: Path,
    out: Path | None,
    *,
    overrides: Sequence[str],
    measured: bool,
    data_dir: Path | None,
) -> None:
    """Forecast a recipe and keep it in its run folder; of a run folder, compare.

    measured: sample and train a little first; without it only amounts are known.

    A run that has begun keeps the forecast that it has, or none: one made later is no forecast.
    """
    if path.is_dir():
        compare(open_for_reading(path))
        return
    recipe, root = resolve(path, out, overrides=overrides, data_dir=data_dir)
    third_party.say_unused(recipe)
    ctx = Context(recipe=recipe, run=RunDir(root=root.resolve()), looking=True)
    costs, size = _measured(ctx) if measured else (None, checkpoint_bytes(ctx.base_path))
    made = forecast(ctx, costs, size)
    print_forecast(made, root)
    _say_rates(ctx)
    if ctx.run.stamps():
        say(f"not kept: {root} has begun. `manyways status {root}` shows a forecast made before.")
    elif costs is not None:
        with open_for_writing(root) as run:
            write_forecast(run.path(FILE), made)
        say(f"kept in {root}: `manyways status {root}` will show it beside what happened.")


def _say_rates(ctx: Context) -> None:
    """What is counted as if every problem were of the right difficulty."""
    rl, generate = ctx.recipe.rl, ctx.recipe.generate
    ranges = {"generate.pass_rate": generate.pass_rate}
    ranges |= {"rl.evaluate_pass_rate": rl.evaluate_pass_rate}
    keys = " and ".join(key for key, wanted in ranges.items() if wanted)
    if keys:
        say(f"{keys}: until the rates are measured, every problem counts as taken.")


def _measured(ctx: Context) -> tuple[Measured | None, float | None]:
    """Amounts alone must not wait for the engine's libraries, so these are loaded only here."""
    from manyways.commands.forecast.measure import measure
    from manyways.stages import preflight

    try:
        preflight.check_names(ctx)
    except Untrusted:
        say("A problem set that was not loaded counts as its limit, without one as 0 problems.")
        return None, checkpoint_bytes(ctx.base_path)
    return measure(ctx)


def compare(run: RunDir) -> None:
    """Print the forecast that was kept beside what happened.

    Raises DataError when none was kept.
    """
    kept = read_forecast(run.path(FILE))
    if kept is None:
        raise DataError(
            f"no forecast was kept in '{run.root}': run `manyways forecast RECIPE` before the run."
        )
    print_comparison(kept, run)


def forecast(ctx: Context, measured: Measured | None, size: float | None) -> Forecast:
    """What each piece of the recipe's work will cost; only amounts without a measurement."""
    works = planned(ctx)
    evaluated = sum(work.attempts for work in works if work.stage == "evaluate")
    rows = [_expected(ctx, work, measured, size) for work in works]
    if measured:
        rows = [_closing(row, evaluated) for row in rows]
    return Forecast(
        name=ctx.recipe.name,
        made=time.time(),
        rows=rows,
        measured=measured,
        peak=size * copies_at_peak(ctx) if size else None,
        versions=versions(),
    )


def planned(ctx: Context) -> list[Amount]:
    """Every piece of work, in the order in which it runs and under the name of its stamp."""
    return [amount for step in steps(ctx) for amount in step.amount()]


def sampling_seconds(sampled: Sampled, attempts: int) -> float:
    """Seconds to sample ``attempts``, in as many full batches as that takes."""
    return -(-attempts // sampled.full) * sampled.fixed + attempts * sampled.each


def _expected(
    ctx: Context, work: Amount, measured: Measured | None, size: float | None
) -> Expected:
    ctx = ctx.of(work.line) if work.line else ctx
    copies = 0
    if work.stage in ("midtrain", "rl"):
        copies = 1 + (kept_steps(ctx.recipe.rl) if work.stage == "rl" else 0)
    row = Expected(
        work=work.work,
        stage=work.stage,
        attempts=work.attempts if work.prompts else 0,
        tokens=None,
        seconds=None,
        disk=size * copies if copies and size else None,
    )
    if measured is None:
        return row
    if work.work == "generate":
        return _generate(ctx, row, measured)
    if work.prompts:
        return _sampling(ctx, work, row, measured=measured)
    if work.stage == "midtrain" and work.line:
        rows = examples(ctx, parse_arm(work.line.arm), measured)
        count = ctx.midtraining(work.line).steps_for(rows)
        return replace(row, seconds=measured.midtrain_once + count * measured.midtrain_step)
    if work.stage == "branch":
        # The model is opened, and reads each beginning at about the cost of one more token.
        plain = measured.sampled["plain"]
        each = plain.each / max(plain.tokens, 1.0)
        return replace(row, seconds=measured.opening + work.attempts * each)
    return replace(row, seconds=SELECT_ONCE + work.attempts * measured.label)


def _kept_attempts(ctx: Context, work: Amount) -> float:
    """Attempts of one RL training that stay on disk."""
    rl = ctx.recipe.rl
    problems = max(ctx.count(rl.problems, rl.limit), 1)
    met = min(problems, rl.steps * rl.prompts_per_step)
    share = {"none": 0.0, "sample": min(1.0, SAMPLED / met), "all": 1.0}[rl.attempts]
    return work.attempts * share


def _sampling(ctx: Context, work: Amount, row: Expected, *, measured: Measured) -> Expected:
    """Gate, RL and evaluation."""
    sampled, longer = measured.sampled[work.prompts], measured.ratio if work.ways else 1.0
    tokens = min(work.attempts * sampled.tokens * longer, work.bound)
    if work.stage == "rl":
        seconds = measured.rl_once + work.steps * measured.rl_step * longer
        kept = _kept_attempts(ctx, work) * measured.attempt_bytes * longer
        return replace(row, tokens=tokens, seconds=seconds, disk=(row.disk or 0.0) + kept)
    seconds = sampling_seconds(sampled, work.attempts) * longer + work.attempts * measured.verdict
    # The benchmarks of one checkpoint share an engine.
    shared = len(ctx.benchmarks) if work.stage == "evaluate" else 1
    return replace(
        row,
        tokens=tokens,
        seconds=seconds + (measured.opening / shared if work.opens else 0.0),
        disk=work.attempts * measured.attempt_bytes * longer,
    )


def _generate(ctx: Context, row: Expected, measured: Measured) -> Expected:
    generate = ctx.recipe.generate
    problems = ctx.count(generate.problems, generate.limit)
    plain = problems * generate.plain_samples
    named = row.attempts - plain
    kinds = ((measured.sampled["plain"], plain), (measured.sampled["heuristics"], named))
    tokens = sum(sampled.tokens * count for sampled, count in kinds)
    seconds = sum(sampling_seconds(sampled, count) for sampled, count in kinds)
    return replace(
        row,
        tokens=tokens,
        seconds=seconds + measured.starting + measured.opening + row.attempts * measured.verdict,
        disk=row.attempts * measured.attempt_bytes,
    )


def _closing(row: Expected, evaluated: int) -> Expected:
    if row.stage == "analyse":
        return replace(row, seconds=ANALYSE_ONCE + evaluated * ANALYSE_EACH, disk=RESULT_BYTES)
    if row.stage == "report":
        return replace(row, seconds=REPORT_ONCE, disk=0.0)
    return row


def examples(ctx: Context, arm: Arm, measured: Measured) -> float:
    """Training rows of ``arm``: cells with an attempt that fits, were attempts independent.

    From above: equal attempts come together, and selection drops some. A later round is taken to
    give what the base model gives, another model to solve every problem.
    """
    generate, budget = ctx.recipe.generate, ctx.recipe.select.budget
    problems = ctx.count(generate.problems, generate.limit)
    right, plain = (measured.sampled[kind].correct for kind in ("heuristics", "plain"))
    chances = Chances(
        solved=any_of(right, generate.samples),
        plain=any_of(plain, generate.plain_samples),
        wrong=any_of(1 - right, generate.samples),
        heuristics=ctx.recipe.heuristics.count,
        budget=budget / problems if budget else None,
    )
    return problems * arm.kind.examples(arm.ways, chances)
