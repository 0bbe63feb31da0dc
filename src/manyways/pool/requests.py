"""What is wanted of an engine: cells, how they are sampled, and their pieces in parts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from manyways.engines import SamplingSettings
from manyways.fingerprint import attempt_seed
from manyways.pool.attempt_files import Key
from manyways.records import Message, Problem


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
