"""``manyways forecast``: what a recipe will cost, or a kept forecast beside what happened.

``RUN/forecast.json`` keeps it. Assumptions, all of them printed with it: one piece of work at a
time; checkpoints sample as fast as the base model does; after mid-training on heuristics, texts are
``ratio`` times as long as plain ones; pools of later rounds are written as the base model writes;
analyse and report cost what they cost us (a rule of thumb, not measured here). Selection by a
reward model or a judge is not counted, and neither is waiting for other work on the machine.
"""

import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import TypeAdapter

from manyways import third_party
from manyways.arms import Arm, parse_arm
from manyways.arms.kinds import Chances, any_of
from manyways.checkpoints import checkpoint_bytes
from manyways.commands.needs import copies_at_peak, kept_steps
from manyways.context import Context
from manyways.errors import DataError, Untrusted
from manyways.fingerprint import versions
from manyways.measures.curves import logged_steps
from manyways.pipeline import steps
from manyways.progress import open_table, print_result, say
from manyways.run_dir import Amount, RunDir, Stamp, open_for_reading, open_for_writing
from manyways.tables import write_text
from manyways.train.reward import SAMPLED

FILE = "forecast.json"

MIB = 1024**2


@dataclass(frozen=True, kw_only=True, slots=True)
class SamplingCost:
    """Sampling one kind of prompt, measured in a small and a larger batch.

    seconds:     of n attempts: ``fixed`` for each batch + n x ``each``.
    full:        attempts in a full batch of the engine.
    tokens, prompt_tokens: means over attempts. truncated: share cut off at the limit.
    """

    attempts: int
    fixed: float
    each: float
    full: int
    tokens: float
    prompt_tokens: float
    truncated: float
    correct: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """The numbers that a forecast rests on.

    opening:    seconds to open the engine. verdict, label: seconds for each attempt.
    starting:   seconds, once in a run: the first batch warming up, the verifier's workers.
    midtrain_*, rl_*: seconds of one step, and of what is done once.
    ratio:      tokens of attempts under heuristics over those of plain ones, at least 1.
    took:       seconds that measuring took.
    """

    sampled: Mapping[str, SamplingCost]
    opening: float
    starting: float
    verdict: float
    label: float
    midtrain_step: float
    midtrain_once: float
    rl_step: float
    rl_once: float
    ratio: float
    attempt_bytes: float
    took: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpectedCost:
    """What one piece of work is expected to cost; None where nothing was measured."""

    work: str
    stage: str
    attempts: int
    tokens: float | None
    seconds: float | None
    disk: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """A forecast of a whole recipe.

    peak: bytes on disk beyond the run's own while a training keeps its own checkpoints.
    """

    name: str
    made: float
    rows: list[ExpectedCost]
    measured: Measurement | None
    peak: float | None
    versions: dict[str, str] = field(default_factory=dict)


_ADAPTER = TypeAdapter(Forecast)


def write_forecast(path: Path, forecast: Forecast) -> None:
    """Keep a forecast."""
    write_text(path, _ADAPTER.dump_json(forecast, indent=1).decode())


def read_forecast(path: Path) -> Forecast | None:
    """The forecast that was kept, None when none was."""
    return _ADAPTER.validate_json(path.read_bytes()) if path.is_file() else None


def print_forecast(forecast: Forecast, root: Path) -> None:
    """Print the costs by stage, the numbers they rest on, and a warning when the disk is short."""
    table = open_table("stage", "pieces", "attempts", "tokens", "time", "disk MiB")
    for stage in _stages(forecast.rows):
        table.add_row(stage, *_cells([row for row in forecast.rows if row.stage == stage]))
    table.add_row("all", *_cells(forecast.rows))
    print_result(table)
    if forecast.measured:
        _print_basis(forecast.measured)
        _print_rounds(forecast)
    else:
        say("Only amounts: without a measurement there are no tokens and no times.")
    _warn_disk(forecast, root)


def print_comparison(forecast: Forecast, run: RunDir) -> None:
    """Print forecast beside actual for the pieces of work that are finished."""
    stamps = {stamp.work: stamp for stamp in run.stamps()}
    table = open_table("stage", "done", "attempts", "tokens", "time", "ratio")
    for stage in [*_stages(forecast.rows), "all"]:
        rows = [row for row in forecast.rows if stage in (row.stage, "all")]
        finished = [row for row in rows if row.work in stamps]
        own = [stamps[row.work] for row in finished]
        attempts, tokens, seconds = _sums(finished)
        # Selection counts the pool's attempts again.
        sampled = [stamps[row.work] for row in finished if row.attempts]
        there = sum(stamp.counts.get("attempts", 0) for stamp in sampled)
        spent = sum(stamp.seconds for stamp in own)
        table.add_row(
            stage,
            f"{len(finished)}/{len(rows)}",
            f"{_count(attempts)} / {_count(there)}",
            f"{_count(tokens)} / {_count(sum(tokens_of(run, stamp) for stamp in sampled))}",
            f"{_time(seconds)} / {_time(spent)}",
            f"{spent / seconds:.2f}" if seconds and own else "-",
        )
    table.caption = "forecast / actual of finished pieces; ratio: actual time / forecast time"
    print_result(table)


def tokens_of(run: RunDir, stamp: Stamp) -> float:
    """Sampled tokens of a finished piece of work; of RL from the lengths in its log."""
    if not stamp.work.startswith("rl/"):
        return stamp.counts.get("tokens", 0)
    rows = logged_steps(run.path(stamp.outputs[0], "metrics.jsonl")).values()
    lengths = [row["length"] for row in rows if row.get("length") is not None]
    return stamp.counts.get("attempts", 0) * sum(lengths) / len(lengths) if lengths else 0.0


def _print_basis(m: Measurement) -> None:
    table = open_table(
        "measured", "attempts", "tokens each", "prompt", "cut off", "right", "ms each"
    )
    for name, one in m.sampled.items():
        ms = 1e3 * (one.fixed / one.full + one.each)
        table.add_row(
            name, str(one.attempts), f"{one.tokens:.0f}", f"{one.prompt_tokens:.0f}",
            f"{one.truncated:.0%}", f"{one.correct:.0%}", f"{ms:.1f}",
        )  # fmt: skip
    print_result(table)
    say(
        f"It rests on {m.took:.0f} s of measuring: engine open in {m.opening:.1f} s, verdict "
        f"{1e3 * m.verdict:.1f} ms, label {1e3 * m.label:.1f} ms, mid-training "
        f"{m.midtrain_step:.2f} s a step + {m.midtrain_once:.1f} s, RL {m.rl_step:.2f} s a step + "
        f"{m.rl_once:.1f} s. Assumed: one piece of work at a time; texts of arms mid-trained on "
        f"heuristics {m.ratio:.1f} times as long as plain ones; analyse and report by a rule of "
        "thumb; select by its labeller (a reward model or a judge takes longer). What else runs on "
        "this machine, now or later, changes times in proportion."
    )


def _print_rounds(forecast: Forecast) -> None:
    """Say that pools of later rounds are priced by the base model."""
    if any(row.stage == "generate" and "@round" in row.work for row in forecast.rows):
        say(
            "Pools of later rounds are priced as if the base model wrote them: their length and "
            "share of right attempts are those of a checkpoint that does not exist yet. Where more "
            "of them are right, midtrain.epochs takes more steps."
        )


def _warn_disk(forecast: Forecast, root: Path) -> None:
    needed = sum(row.disk or 0 for row in forecast.rows) + (forecast.peak or 0)
    there = next(path for path in (root, *root.resolve().parents) if path.exists())
    free = shutil.disk_usage(there).free
    unknown = "" if forecast.peak else " (checkpoints not counted: the model's size is not known)"
    if any(row.attempts and row.disk is None and row.tokens is None for row in forecast.rows):
        unknown += " (attempts not counted: their length was not measured)"
    say(
        f"Disk: {needed / MIB:,.0f} MiB at the most{unknown}, {(forecast.peak or 0) / MIB:,.0f} of "
        f"it only while a training runs; {free / MIB:,.0f} MiB are free."
    )
    if needed > free:
        say(f"WARNING: the disk of '{there}' is too small for this run: choose another --out.")


def _stages(rows: Iterable[ExpectedCost]) -> list[str]:
    return list(dict.fromkeys(row.stage for row in rows))


def _sums(rows: Sequence[ExpectedCost]) -> tuple[float, float, float]:
    return (
        sum(row.attempts for row in rows),
        sum(row.tokens or 0 for row in rows),
        sum(row.seconds or 0 for row in rows),
    )


def _cells(rows: Sequence[ExpectedCost]) -> list[str]:
    attempts, tokens, seconds = _sums(rows)
    disk = sum(row.disk or 0 for row in rows) / MIB
    known = any(row.seconds is not None for row in rows)
    shown = f"{disk:,.1f}" if disk else "-"
    return [
        str(len(rows)), _count(attempts), _count(tokens), _time(seconds) if known else "-", shown,
    ]  # fmt: skip


def _count(value: float) -> str:
    return f"{value:,.0f}" if value else "-"


def _time(seconds: float) -> str:
    """Seconds below two minutes, minutes below two hours, hours above."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


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
    from manyways.commands.run import resolve_recipe  # a run reads the forecast that was kept of it

    if path.is_dir():
        run = open_for_reading(path)
        third_party.recipe_looked_at(run)
        compare(run)
        return
    recipe, root = resolve_recipe(path, out, overrides=overrides, data_dir=data_dir)
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
    """Say that every problem counts while rates are not measured."""
    rl, generate = ctx.recipe.rl, ctx.recipe.generate
    ranges = {"generate.pass_rate": generate.pass_rate}
    ranges |= {"rl.evaluate_pass_rate": rl.evaluate_pass_rate}
    keys = " and ".join(key for key, wanted in ranges.items() if wanted)
    if keys:
        say(f"{keys}: until the rates are measured, every problem counts as taken.")


def _measured(ctx: Context) -> tuple[Measurement | None, float | None]:
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


def forecast(ctx: Context, measured: Measurement | None, size: float | None) -> Forecast:
    """What each piece of the recipe's work will cost; only amounts without a measurement."""
    works = planned_work(ctx)
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


def planned_work(ctx: Context) -> list[Amount]:
    """Every piece of work, in the order in which it runs and under the name of its stamp."""
    return [amount for step in steps(ctx) for amount in step.amount()]


def sampling_seconds(sampled: SamplingCost, attempts: int) -> float:
    """Seconds to sample ``attempts``, in as many full batches as that takes."""
    return -(-attempts // sampled.full) * sampled.fixed + attempts * sampled.each


def _expected(
    ctx: Context, work: Amount, measured: Measurement | None, size: float | None
) -> ExpectedCost:
    ctx = ctx.of(work.line) if work.line else ctx
    copies = 0
    if work.stage in ("midtrain", "rl"):
        copies = 1 + (kept_steps(ctx.recipe.rl) if work.stage == "rl" else 0)
    row = ExpectedCost(
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


def _sampling(
    ctx: Context, work: Amount, row: ExpectedCost, *, measured: Measurement
) -> ExpectedCost:
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


def _generate(ctx: Context, row: ExpectedCost, measured: Measurement) -> ExpectedCost:
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


def _closing(row: ExpectedCost, evaluated: int) -> ExpectedCost:
    if row.stage == "analyse":
        return replace(row, seconds=ANALYSE_ONCE + evaluated * ANALYSE_EACH, disk=RESULT_BYTES)
    if row.stage == "report":
        return replace(row, seconds=REPORT_ONCE, disk=0.0)
    return row


def examples(ctx: Context, arm: Arm, measured: Measurement) -> float:
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
