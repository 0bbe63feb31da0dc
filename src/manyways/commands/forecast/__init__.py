"""``manyways forecast``: what a recipe will cost, or a kept forecast beside what happened.

A forecast is kept in ``RUN/forecast.json``. It assumes, and prints most of this:
- Pieces of work run one after another, and no other program slows them down.
- Checkpoints sample as fast as the base model. After mid-training on heuristics their texts are
  ``ratio`` times as long as plain texts.
- The base model writes the pools of later rounds.
- Analyse and report follow a rule of thumb, which is not measured here.
- Selection uses a labeller. A reward model or a judge takes longer.
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

    fixed, each: n attempts take ``fixed`` seconds for each batch + n x ``each`` seconds.
    full:        attempts in a full batch of the engine.
    tokens, prompt_tokens: means over attempts.
    truncated, correct:    shares of attempts.
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
    """The measured numbers behind a forecast. Times are in seconds.

    opening:        to open the engine.
    starting:       once in a run, for the slower first batch and the workers of the verifier.
    verdict, label: for each attempt.
    midtrain_*, rl_*: for one step, and once in a training.
    ratio:          tokens of attempts under heuristics over tokens of plain attempts, at least 1.
    attempt_bytes:  bytes of an attempt on disk.
    took:           the measurement itself.
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
    """What one piece of work is expected to cost. What was not measured is None."""

    work: str
    stage: str
    attempts: int
    tokens: float | None
    seconds: float | None
    disk: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """A forecast of a whole recipe.

    made: Unix time.
    peak: the most bytes on disk that a running training needs for its own checkpoints.
    """

    name: str
    made: float
    rows: list[ExpectedCost]
    measured: Measurement | None
    peak: float | None
    versions: dict[str, str] = field(default_factory=dict)


_ADAPTER = TypeAdapter(Forecast)


def write_forecast(path: Path, forecast: Forecast) -> None:
    """Keep a forecast in a file."""
    write_text(path, _ADAPTER.dump_json(forecast, indent=1).decode())


def read_forecast(path: Path) -> Forecast | None:
    """The forecast that was kept, None if there is none."""
    return _ADAPTER.validate_json(path.read_bytes()) if path.is_file() else None


def print_forecast(forecast: Forecast, root: Path) -> None:
    """Print the costs by stage, the measured numbers, and a warning if the disk is too small."""
    table = open_table("stage", "pieces", "attempts", "tokens", "time", "disk MiB")
    for stage in _stages(forecast.rows):
        table.add_row(stage, *_columns([row for row in forecast.rows if row.stage == stage]))
    table.add_row("all", *_columns(forecast.rows))
    print_result(table)
    if forecast.measured:
        _print_basis(forecast.measured)
        _print_rounds(forecast)
    else:
        say("Only amounts are known: tokens and times need a measurement.")
    _warn_disk(forecast, root)


def print_comparison(forecast: Forecast, run: RunDir) -> None:
    """Print the forecast beside the actual costs of the pieces of work that are finished."""
    stamps = {stamp.work: stamp for stamp in run.stamps()}
    table = open_table("stage", "done", "attempts", "tokens", "time", "ratio")
    for stage in [*_stages(forecast.rows), "all"]:
        rows = [row for row in forecast.rows if stage in (row.stage, "all")]
        finished = [row for row in rows if row.work in stamps]
        own = [stamps[row.work] for row in finished]
        attempts, tokens, seconds = _sums(finished)
        # The stamp of selection also counts attempts, but it samples none.
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
    """Sampled tokens of a finished piece of work. For RL they come from the lengths in its log."""
    if not stamp.work.startswith("rl/"):
        return stamp.counts.get("tokens", 0)
    rows = logged_steps(run.path(stamp.outputs[0], "metrics.jsonl")).values()
    lengths = [row["length"] for row in rows if row.get("length") is not None]
    return stamp.counts.get("attempts", 0) * sum(lengths) / len(lengths) if lengths else 0.0


def _print_basis(m: Measurement) -> None:
    table = open_table(
        "measured", "attempts", "tokens each", "prompt", "truncated", "correct", "ms each"
    )
    for name, one in m.sampled.items():
        ms = 1e3 * (one.fixed / one.full + one.each)
        table.add_row(
            name, str(one.attempts), f"{one.tokens:.0f}", f"{one.prompt_tokens:.0f}",
            f"{one.truncated:.0%}", f"{one.correct:.0%}", f"{ms:.1f}",
        )  # fmt: skip
    print_result(table)
    say(
        f"Measured in {m.took:.0f} s: engine open in {m.opening:.1f} s, verdict "
        f"{1e3 * m.verdict:.1f} ms, label {1e3 * m.label:.1f} ms, mid-training "
        f"{m.midtrain_step:.2f} s a step + {m.midtrain_once:.1f} s, RL {m.rl_step:.2f} s a step + "
        f"{m.rl_once:.1f} s. Assumed: one piece of work at a time; texts of arms mid-trained on "
        f"heuristics {m.ratio:.1f} times as long as plain texts; analyse and report by a rule of "
        "thumb; select by a labeller (a reward model or a judge takes longer). Other programs on "
        "this machine change the times in proportion."
    )


def _print_rounds(forecast: Forecast) -> None:
    """Say that the forecast of later rounds uses the base model."""
    if any(row.stage == "generate" and "@round" in row.work for row in forecast.rows):
        say(
            "The forecast of later rounds assumes that the base model writes their pools, because "
            "the checkpoints that will write them do not exist yet. If these write more correct "
            "attempts, midtrain.epochs takes more steps."
        )


def _warn_disk(forecast: Forecast, root: Path) -> None:
    needed = sum(row.disk or 0 for row in forecast.rows) + (forecast.peak or 0)
    there = next(path for path in (root, *root.resolve().parents) if path.exists())
    free = shutil.disk_usage(there).free
    unknown = "" if forecast.peak else " (without checkpoints: the size of the model is not known)"
    if any(row.attempts and row.disk is None and row.tokens is None for row in forecast.rows):
        unknown += " (without attempts: their length was not measured)"
    say(
        f"Disk: at most {needed / MIB:,.0f} MiB{unknown}, {(forecast.peak or 0) / MIB:,.0f} MiB of "
        f"them only while a training runs. {free / MIB:,.0f} MiB are free."
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


def _columns(rows: Sequence[ExpectedCost]) -> list[str]:
    attempts, tokens, seconds = _sums(rows)
    disk = sum(row.disk or 0 for row in rows) / MIB
    time_ = "-" if all(row.seconds is None for row in rows) else _time(seconds)
    disk_ = f"{disk:,.1f}" if disk else "-"
    return [str(len(rows)), _count(attempts), _count(tokens), time_, disk_]


def _count(value: float) -> str:
    return f"{value:,.0f}" if value else "-"


def _time(seconds: float) -> str:
    """Seconds below two minutes, minutes below two hours, hours above."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


ANALYSE_EACH, ANALYSE_ONCE, REPORT_ONCE, SELECT_ONCE = 3e-4, 2.0, 2.0, 0.3
"""Seconds. An analysis of 25,200 evaluated attempts took 8 s."""
RESULT_BYTES = 8e6
"""Bytes of the tables and the report."""


def forecast_recipe(
    path: Path,
    out: Path | None,
    *,
    overrides: Sequence[str],
    measured: bool,
    data_dir: Path | None,
) -> None:
    """Forecast a recipe and keep the forecast in its run folder. Compare a run folder with its own.

    measured: sample and train a little first. Otherwise only amounts are known.

    A run that has begun keeps its old forecast or none, because a later one is no forecast.
    """
    from manyways.commands.run import resolve_recipe  # here, because that module imports this one

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
        say(f"not kept: {root} has begun. `manyways status {root}` prints its earlier forecast.")
    elif costs is not None:
        with open_for_writing(root) as run:
            write_forecast(run.path(FILE), made)
        say(f"kept in {root}: `manyways status {root}` will print it beside what happened.")


def _say_rates(ctx: Context) -> None:
    """Say that every problem counts as long as pass rates are not measured."""
    rl, generate = ctx.recipe.rl, ctx.recipe.generate
    ranges = {"generate.pass_rate": generate.pass_rate}
    ranges |= {"rl.evaluate_pass_rate": rl.evaluate_pass_rate}
    keys = " and ".join(key for key, wanted in ranges.items() if wanted)
    if keys:
        say(f"{keys}: the pass rates are not measured yet, so every problem counts as taken.")


def _measured(ctx: Context) -> tuple[Measurement | None, float | None]:
    # Imported here, because amounts alone must not wait for the engine's libraries.
    from manyways.commands.forecast.measure import measure
    from manyways.stages import preflight

    try:
        preflight.check_names(ctx)
    except Untrusted:
        say(
            "A problem set that was not loaded counts with the limit in the recipe, or with 0 "
            "problems if it has no limit."
        )
        return None, checkpoint_bytes(ctx.base_path)
    return measure(ctx)


def compare(run: RunDir) -> None:
    """Print the kept forecast beside what happened. Raises DataError if there is none."""
    kept = read_forecast(run.path(FILE))
    if kept is None:
        raise DataError(
            f"no forecast was kept in '{run.root}': run `manyways forecast RECIPE` before the run."
        )
    print_comparison(kept, run)


def forecast(ctx: Context, measured: Measurement | None, size: float | None) -> Forecast:
    """What each piece of work of the recipe will cost. Without a measurement, only amounts."""
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
    """Every piece of work in the order of the run, with the name of its stamp."""
    return [amount for step in steps(ctx) for amount in step.amount()]


def sampling_seconds(sampled: SamplingCost, attempts: int) -> float:
    """Seconds to sample ``attempts`` in full batches."""
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
        # The model is opened. Reading the beginning of a text costs about as much as one token.
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
    """The cost of a gate, an RL training, an evaluation or the pool of a later round."""
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
    """Training rows of ``arm``: cells with an attempt that fits, for independent attempts.

    This is an upper bound, because attempts in a cell are alike and selection drops some. A later
    round is assumed to give as much as the base model, and another model to solve every problem.
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
