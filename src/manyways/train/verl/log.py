"""What verl tells about its steps, in the names of our rows of metrics."""

import json
import math
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

NAMES = {
    "loss": ("actor/pg_loss", "actor/loss"),
    "reward": ("critic/score/mean",),
    "entropy": ("actor/entropy",),
    "length": ("response_length/mean",),
    "truncated": ("response_length/clip_ratio",),
    "seconds": ("perf/time_per_step", "timing_s/step"),
}
"""Field of ``results.CurveRow`` -> verl's name for it, the first that there is."""


def curve(logs: Sequence[Path], rollouts: Path, *, group_size: int) -> list[dict[str, float]]:
    """A row for each step, in order; a step that was taken again counts as it was last.

    logs:     files of verl's ``file`` logger, one for each start, in order.
    rollouts: its folder of attempts, from which come the shares of groups and the undecided.
    """
    rows: dict[int, dict[str, float]] = {}
    for log in logs:
        for step, data in _lines(log):
            found = _named(data)
            if found:
                groups = shares(rollouts / f"{step}.jsonl", group_size=group_size)
                rows[step] = {"step": step, **found, **groups}
    return [rows[step] for step in sorted(rows)]


def shares(path: Path, *, group_size: int) -> dict[str, float]:
    """Shares of mixed, all right and all wrong groups, and of undecided attempts, in [0, 1].

    An undecided attempt was trained on as a wrong one, and so counts as wrong in its group. Nothing
    when there is no such file, or one of another size than whole groups: verl writes it in the
    background, so it may be a part. verl's newer trainer does not tell which are undecided.
    """
    if not path.is_file():
        return {}
    state = path.stat()
    return _shares(path, group_size, (state.st_mtime_ns, state.st_size))


@cache
def _shares(path: Path, group_size: int, _state: tuple[int, int]) -> dict[str, float]:
    """Read once for as long as it does not change: all steps together may be gigabytes."""
    rows = list(rows_of(path))
    if not rows or len(rows) % group_size:
        return {}
    # verl sorts by the id of the prompt, so attempts at one problem are neighbours.
    groups = [rows[i : i + group_size] for i in range(0, len(rows), group_size)]
    right = [sum(row["score"] > 0.5 for row in group) for group in groups]
    found = {
        "mixed": sum(0 < n < group_size for n in right) / len(groups),
        "all_right": sum(n == group_size for n in right) / len(groups),
        "all_wrong": sum(n == 0 for n in right) / len(groups),
    }
    if all("undecided" in row for row in rows):
        found["undecided"] = sum(row["undecided"] for row in rows) / len(rows)
    return found


def _named(data: dict[str, Any]) -> dict[str, float]:
    found = {}
    for name, theirs in NAMES.items():
        values = [data[key] for key in theirs if key in data]
        if values and isinstance(values[0], int | float) and math.isfinite(values[0]):
            found[name] = float(values[0])
    return found


def _lines(log: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for row in rows_of(log):
        yield int(row["step"]), row["data"]


def rows_of(path: Path) -> Iterator[dict[str, Any]]:
    """Each whole line; the last may be half written, or cut within a character."""
    if path.is_file():
        # Not splitlines: texts of a model hold separators that JSON does not escape.
        for line in path.read_bytes().split(b"\n"):
            try:
                yield json.loads(line)
            except ValueError:
                continue
