"""One mark for each checkpoint, base first, in the colour and shape of its arm and phase."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from manyways.records import Phase, Score
from manyways.reporting import charts, palette, words
from manyways.reporting.source import Source


class OfCheckpoint(Protocol):
    """A row of a result table about one checkpoint."""

    @property
    def checkpoint(self) -> str:
        """Its name: ``base`` or ``<arm>/<phase>``."""
        ...

    @property
    def arm(self) -> str:
        """Its arm."""
        ...

    @property
    def phase(self) -> Phase:
        """How far it was trained."""
        ...


def lines(
    source: Source, measured: Iterable[tuple[OfCheckpoint, Score, str, str]]
) -> list[charts.Row]:
    """Lines of ``charts.intervals``.

    measured: (row, its score, the score in words, where a click leads or empty).
    """
    return [
        charts.Row(
            label=words.checkpoint_label(row.checkpoint),
            marks=(
                charts.Mark(
                    score=score,
                    colour=source.arm_colour(row.arm, row.phase),
                    words=told,
                    symbol=palette.PHASE_SYMBOLS[row.phase],
                    link=link,
                ),
            ),
        )
        for row, score, told, link in measured
    ]


def listed(drawn: Sequence[charts.Row]) -> str:
    """The same for those who cannot see them."""
    return "; ".join(f"{line.label} {words.number(line.marks[0].score.value)}" for line in drawn)
