"""The tables that findings are made from, and the words that numbers are put in."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from manyways.arms import Arm, main_arm
from manyways.records import Score
from manyways.results.scores import MATH_MEAN, MEAN, headline
from manyways.results.tables import (
    ArmRow,
    CompositionRow,
    CurveRow,
    DiversityRow,
    GateRow,
    PairedRow,
    PassRow,
    RateRow,
    YieldRow,
)
from manyways.results.theory import PredictionRow, ProbeRow


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Rows of every table, the arms and the number of seeds of the recipe."""

    arms: tuple[Arm, ...]
    seeds: int
    passes: Sequence[PassRow]
    pairs: Sequence[PairedRow]
    composition: Sequence[CompositionRow]
    gates: Sequence[GateRow]
    yields: Sequence[YieldRow]
    diversity: Sequence[DiversityRow]
    rates: Sequence[RateRow]
    curves: Sequence[CurveRow]
    outcomes: Sequence[ArmRow]
    predictions: Sequence[PredictionRow] = ()
    swaps: Sequence[ProbeRow] = ()

    @cached_property
    def benchmarks(self) -> list[str]:
        """The benchmarks that have scores, without their mean."""
        names = dict.fromkeys(row.benchmark for row in self.passes)
        return [name for name in names if name not in (MEAN, MATH_MEAN)]

    @cached_property
    def scope(self) -> str:
        """The benchmark that sentences speak of."""
        return headline(row.benchmark for row in self.passes)

    @property
    def main(self) -> str | None:
        """The arm of the main question, where there is one."""
        arm = main_arm(self.arms)
        return arm.name if arm else None

    def curve(self, checkpoint: str) -> dict[int, Score]:
        """K -> pass@k of a pooled checkpoint on ``scope``."""
        return {
            row.k: row.score
            for row in self.passes
            if (row.checkpoint, row.benchmark) == (checkpoint, self.scope)
        }

    def differences(self, a: str, b: str) -> list[PairedRow]:
        """The rows a - b on ``scope``, smallest k first."""
        rows = [r for r in self.pairs if (r.a, r.b, r.benchmark) == (a, b, self.scope)]
        return sorted(rows, key=lambda row: row.k)

    def use(self, checkpoint: str) -> CompositionRow | None:
        """Composition of a pooled checkpoint over all benchmarks (or the only one)."""
        rows = [r for r in self.composition if r.checkpoint == checkpoint]
        rows = [r for r in rows if r.benchmark != "seed data"]
        return next((r for r in rows if r.benchmark == "all"), rows[0] if len(rows) == 1 else None)

    def seeds_of(self, checkpoint: str) -> int:
        """How many seeds a pooled checkpoint was evaluated with; those of the recipe for base."""
        rows = [row for row in self.passes if f"{row.arm}/{row.phase}" == checkpoint]
        return len({row.seed for row in rows if row.seed is not None}) or self.seeds

    def gate(self, arm: str) -> list[GateRow]:
        """The gate's rows of one arm, over its seeds."""
        return [row for row in self.gates if row.arm == arm]


def sign_of(row: PairedRow) -> int:
    """1 or -1 where a difference was found, else 0 (see the module ``findings``)."""
    scores = [row.difference, *([row.seeds] if row.seeds else [])]
    if all(s.low > 0 for s in scores):
        return 1
    return -1 if all(s.high < 0 for s in scores) else 0


def clause(row: PairedRow, evidence: Evidence) -> str:
    """``at pass@1 0.48 against 0.33, difference +0.15 [+0.08, +0.22]``."""
    a, b = (evidence.curve(name).get(row.k) for name in (row.a, row.b))
    values = f" {a.value:.2f} against {b.value:.2f}, difference" if a and b else ""
    seeds = f", over {row.seeds.n} seeds {bounds(row.seeds)}" if row.seeds else ""
    difference = f"{row.difference.value:+.2f} {bounds(row.difference)}"
    return f"at pass@{row.k}{values} {difference}{seeds}"


def bounds(score: Score) -> str:
    """``[+0.08, +0.22]``."""
    return f"[{score.low:+.2f}, {score.high:+.2f}]"


def rate(score: Score) -> str:
    """``0.31 [0.24, 0.39]``."""
    return f"{score.value:.2f} [{score.low:.2f}, {score.high:.2f}]"


def apart(a: Score, b: Score) -> bool:
    """Whether two intervals do not overlap: a cautious sign of a difference."""
    return a.high < b.low or b.high < a.low
