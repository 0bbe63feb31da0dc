"""A forecast: what it consists of, how ``RUN/forecast.json`` keeps it, how it is printed."""

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter

from manyways.progress import open_table, print_result, say
from manyways.run_dir import RunDir, Stamp
from manyways.tables import write_text

FILE = "forecast.json"

MIB = 1024**2


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampled:
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
class Measured:
    """The numbers that a forecast rests on.

    opening:    seconds to open the engine. verdict, label: seconds for each attempt.
    starting:   seconds, once in a run: the first batch warming up, the verifier's workers.
    midtrain_*, rl_*: seconds of one step, and of what is done once.
    ratio:      tokens of attempts under heuristics over those of plain ones, at least 1.
    took:       seconds that measuring took.
    """

    sampled: Mapping[str, Sampled]
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
class Expected:
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
    rows: list[Expected]
    measured: Measured | None
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
    log = run.path(stamp.outputs[0], "metrics.jsonl")
    rows = [json.loads(line) for line in log.read_text().splitlines()] if log.is_file() else []
    lengths = [row["length"] for row in rows if row.get("length") is not None]
    return stamp.counts.get("attempts", 0) * sum(lengths) / len(lengths) if lengths else 0.0


def _print_basis(m: Measured) -> None:
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
    """What no measurement of the base model can know."""
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


def _stages(rows: Iterable[Expected]) -> list[str]:
    return list(dict.fromkeys(row.stage for row in rows))


def _sums(rows: Sequence[Expected]) -> tuple[float, float, float]:
    return (
        sum(row.attempts for row in rows),
        sum(row.tokens or 0 for row in rows),
        sum(row.seconds or 0 for row in rows),
    )


def _cells(rows: Sequence[Expected]) -> list[str]:
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
