"""A folder of attempts: the cells asked for, what it holds, and whether it can be trusted."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from manyways.engines import SamplingSettings
from manyways.fingerprint import attempt_seed
from manyways.records import Message, Problem, Verdict
from manyways.tables import read_attempts_table, write_text
from manyways.verifiers.verdicts import check_health

Key = tuple[str, str, int]
"""(problem id, heuristic, sample)."""

ENGINE_FILE = ".engine.json"


def keys(folder: Path) -> set[Key]:
    """The attempts that are there."""
    table = read_attempts_table(folder, ["problem_id", "heuristic", "sample"])
    return set(zip(*(column.to_pylist() for column in table.columns), strict=True))


def statuses(folder: Path) -> list[str]:
    """The verdict status of every attempt."""
    found: list[str] = read_attempts_table(folder, ["status"])["status"].to_pylist()
    return found


def engine_facts(folder: Path) -> list[Mapping[str, str | int]]:
    """What the engines said about themselves, one entry for each time that attempts were added."""
    path = folder / ENGINE_FILE
    return list(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else []


def write_engine_facts(folder: Path, facts: Sequence[Mapping[str, str | int]]) -> None:
    """Replace them."""
    write_text(folder / ENGINE_FILE, json.dumps(facts, indent=1))


def counts(folder: Path, wanted: Mapping[tuple[str, str], int]) -> dict[str, float]:
    """Attempts by status, truncated ones and tokens, among the wanted keys.

    A folder may hold more than is wanted now, from an earlier, larger request.

    wanted: (problem id, heuristic) -> number of samples.
    """
    columns = ["problem_id", "heuristic", "sample", "status", "finish", "tokens"]
    table = read_attempts_table(folder, columns)
    status: Counter[str] = Counter()
    truncated = tokens = 0
    for problem, heuristic, sample, verdict, finish, length in zip(
        *(column.to_pylist() for column in table.columns), strict=True
    ):
        if sample < wanted.get((problem, heuristic), 0):
            status[verdict] += 1
            truncated += finish == "length"
            tokens += length
    return {
        "attempts": status.total(),
        **{kind: status[kind] for kind in ("correct", "wrong", "no_answer", "undecided")},
        "truncated": truncated,
        "tokens": tokens,
    }


def check_undecided(folder: Path, *, limit: float) -> None:
    """Stop when the verdicts in ``folder`` cannot be trusted.

    Raises VerifierUnwell, with the reasons, when more than the share ``limit`` is undecided.
    """
    status = statuses(folder)
    if status.count("undecided") > limit * len(status):
        table = read_attempts_table(folder, ["status", "reason"])
        rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
        check_health(
            [Verdict(status=status, reason=reason) for status, reason in rows], limit=limit
        )


def changed_prompts(
    folder: Path, now: Mapping[tuple[str, str], str], waiting: Iterable[tuple[Key, str]] = ()
) -> bool:
    """Whether an attempt was sampled from another prompt than ``now`` has for it.

    now:     (problem id, heuristic) -> prompt hash.
    waiting: attempts that are in no part yet, and the hash of their prompt.
    """
    table = read_attempts_table(folder, ["problem_id", "heuristic", "prompt_hash"])
    rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
    more = ((problem, heuristic, old) for (problem, heuristic, _), old in waiting)
    return any(
        now.get((problem, heuristic), old) != old for problem, heuristic, old in chain(rows, more)
    )


def remove_leftovers(folder: Path) -> None:
    """Delete what a kill left half-written; call as the folder's only writer."""
    for left in folder.glob(".*.tmp"):
        left.unlink()


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """The attempts wanted at one problem under one heuristic (``records.PLAIN`` for none).

    Example: ``Cell(problem=p, heuristic="induction", messages=prompts.under(...), samples=4)``.
    """

    problem: Problem
    heuristic: str
    messages: tuple[Message, ...]
    samples: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """How and where cells are sampled.

    run_seed:  with the cell and the sample number it gives each attempt's seed.
    label:     what the progress display calls this.
    part_size: attempts per parquet part, at most (a cell is split only when it is larger).
    """

    settings: SamplingSettings
    folder: Path
    run_seed: int
    model_hash: str
    label: str
    part_size: int

    def seed(self, key: Key) -> int:
        """The seed of one attempt."""
        return attempt_seed(self.run_seed, *key)


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """Samples of one cell: ``samples`` are their numbers."""

    cell: Cell
    samples: tuple[int, ...]

    @property
    def keys(self) -> list[Key]:
        """What identifies each of them, in order."""
        return [(self.cell.problem.id, self.cell.heuristic, sample) for sample in self.samples]


def cut(missing: Sequence[Piece], size: int) -> Iterator[list[Piece]]:
    """Parts of at most ``size`` attempts; cells stay whole unless they are larger than that."""
    part: list[Piece] = []
    count = 0
    for whole in missing:
        for start in range(0, len(whole.samples), size):
            piece = replace(whole, samples=whole.samples[start : start + size])
            if part and count + len(piece.samples) > size:
                yield part
                part, count = [], 0
            part.append(piece)
            count += len(piece.samples)
    if part:
        yield part
