"""Every measurable quantity of the theory beside what it expects; ``expectation`` has the rule.

The main contrast is the arm of most heuristics against the one taught a single solution per problem
(``star``, or the base where there is none). Rows exist only for what the run has data for.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from manyways.arms import RL_ALONE, VANILLA, before_rl
from manyways.measures.curves import CURVES
from manyways.measures.material import Material
from manyways.measures.openings import OPENINGS
from manyways.measures.probe import PROBE
from manyways.measures.score_curves import Curve
from manyways.measures.solutions import Policy
from manyways.measures.theory.before_rl import Pair, gate_rows, start_rows
from manyways.measures.theory.between_arms import (
    budget_row,
    crossover_row,
    growth_row,
    random_rows,
    side_by_side,
    wrong_rows,
)
from manyways.measures.theory.expectation import PredictionRow
from manyways.measures.theory.regression import regression_rows
from manyways.measures.theory.through_rl import (
    change_rows,
    direction,
    drift_rows,
    logged_rows,
    replicator_rows,
    swap_row,
)
from manyways.measures.theory.transfer import PartSets, Trained, read_parts, transfer_rows
from manyways.measures.token_modes import token_rows, why_none
from manyways.metrics.intervals import Resampling
from manyways.records import BASE, pooled

if TYPE_CHECKING:
    from manyways.measures.seen import Seen


def prediction_rows(seen: "Seen") -> list[PredictionRow]:
    """All rows, from the start of RL to the comparison of arms."""
    contrast = _Contrast(seen=seen)
    return [*contrast.start(), *contrast.through(), *contrast.between()]


@dataclass(frozen=True, kw_only=True)
class _Contrast:
    """The main arm, and the one that it is compared with."""

    seen: "Seen"

    @property
    def material(self) -> Material:
        return self.seen.material

    @property
    def settings(self) -> Resampling:
        return self.material.settings

    @property
    def group(self) -> int:
        return self.seen.recipe.rl.group_size

    @property
    def main(self) -> str:
        return self.seen.main or ""

    @cached_property
    def few(self) -> str:
        """The arm that many ways are compared with."""
        others = (arm for arm in ("star", VANILLA) if arm in self.seen.recipe.arms)
        return next((arm for arm in others if arm != self.main), "")

    @property
    def start_of_few(self) -> Policy | None:
        """What its RL starts from."""
        return self.policy(before_rl(self.few)) if self.few else None

    @cached_property
    def parts(self) -> PartSets:
        """The problems that join what was trained part by part."""
        return read_parts(self.material.ctx)

    def policy(self, name: str) -> Policy | None:
        """The labelled attempts of a pooled checkpoint."""
        return self.material.policies.get(name)

    def gate(self, arm: str) -> Policy | None:
        """The attempts of an arm at RL's problems, just before RL."""
        return self.material.gate.get(pooled(arm, "mid"))

    def curve(self, checkpoint: str) -> Curve | None:
        """pass@k of a pooled checkpoint on the headline benchmark."""
        return self.material.curves.get((checkpoint, self.seen.headline))

    def start(self) -> Iterator[PredictionRow]:
        """Before RL."""
        many, few = self.policy(pooled(self.main, "mid")), self.start_of_few
        if many and few:
            yield from start_rows(Pair(many=many, few=few, settings=self.settings))
            yield from token_rows(
                self.material.forks,
                self.main,
                few.name,
                self.settings,
                why=why_none(self.material),
            )
        many, few = self.gate(self.main), self.gate(self.few)
        if many and few:
            yield from gate_rows(Pair(many=many, few=few, settings=self.settings), self.group)

    def through(self) -> Iterator[PredictionRow]:
        """Through RL, the main arm first."""
        changes: dict[str, PredictionRow] = {}
        for arm in sorted(self.seen.recipe.arms, key=lambda arm: arm != self.main):
            yield from self._arm(arm, changes)
        for swap in self.seen.rows(PROBE):
            yield swap_row(swap, changes.get(self.main))

    def _arm(self, arm: str, changes: dict[str, PredictionRow]) -> Iterator[PredictionRow]:
        """``changes``: arm -> the change of its composition rate, noted where it is measured."""
        before, after = self.policy(before_rl(arm)), self.policy(pooled(arm, "rl"))
        at_gate = self.gate(arm)
        expected = direction(at_gate, None, None)
        if before and after:
            yield from change_rows(before, after, self.settings)
            if at_gate:
                around = (at_gate, before, after)
                push, change = drift_rows(around, self.group, self.settings)
                expected = direction(at_gate, push.measured, push.seeds)
                changes[arm] = change
                yield from (push, change)
        curves = self.seen.rows(CURVES)
        if any(row.arm == arm and row.stage == "rl" for row in curves):
            yield from logged_rows(arm, curves, expected)
            openings = [row for row in self.seen.rows(OPENINGS) if row.arm == arm]
            if openings or arm == self.main:
                yield from replicator_rows(arm, curves, openings)
        if arm == self.main and before and after:
            if at_gate:
                around = (at_gate, before, after)
                yield from regression_rows(around, self.parts.by_part, self.settings)
            yield from transfer_rows(self._trained(before, after), self.parts, self.settings)

    def _trained(self, before: Policy, after: Policy) -> Trained:
        start, end = self.start_of_few, self.policy(pooled(self.few, "rl"))
        return Trained(
            before=before,
            after=after,
            base=self.policy(BASE.name),
            few=(start, end) if self.few and start and end else None,
        )

    def between(self) -> Iterator[PredictionRow]:
        """Between arms."""
        yield from random_rows(self.seen.pairs, self.main, self.seen.headline)
        for phase in ("mid", "rl"):
            wide, narrow = self.curve(pooled(self.main, phase)), self.curve(pooled(self.few, phase))
            yield from self._race(wide, narrow, ("E2", "a mixture gains with k"))
        words = "RL narrows, as far as logits are shared by problems"
        yield from self._race(self.curve(BASE.name), self.curve(RL_ALONE), ("E5", words))
        yield from self._wrong()
        yield from self._budget()

    def _wrong(self) -> Iterator[PredictionRow]:
        """Wrong solutions in as many ways as the main arm has right ones."""
        arms = (arm for arm in self.seen.arms if arm.name == self.main)
        arm = next((arm for arm in arms if arm.kind.name == "heuristics"), None)
        wrong = self.curve(pooled(arm.as_kind("wrong"), "mid")) if arm else None
        right = self.curve(pooled(self.main, "mid"))
        if wrong and right:
            yield from wrong_rows(wrong, right, self.settings)

    def _race(
        self, wide: Curve | None, narrow: Curve | None, why: tuple[str, str]
    ) -> Iterator[PredictionRow]:
        """How the lead of the wider policy grows with k, and where it overtakes."""
        both = side_by_side(wide, narrow) if wide and narrow else None
        if both:
            yield growth_row(*both, self.settings, proposition=why[0], words=why[1])
            yield crossover_row(*both, self.settings)

    def _budget(self) -> Iterator[PredictionRow]:
        """Many ways on few problems against one way on many."""
        arms = sorted(
            (arm.ways, arm.name)
            for arm in self.seen.arms
            if arm.kind.name == "budget" and not arm.suffix
        )
        if len(arms) < 2:
            return
        (_, one), (ways, many) = arms[0], arms[-1]
        used, every = self._heuristics(one), self._heuristics(many)
        natural = {heuristic: count / used.total() for heuristic, count in used.most_common()}
        natural |= dict.fromkeys(sorted(set(every) - set(natural)), 0.0)
        for phase in ("mid", "rl"):
            a, b = self.policy(pooled(many, phase)), self.policy(pooled(one, phase))
            if a and b and natural:
                yield budget_row(a, b, natural, self.settings, ways=ways)

    def _heuristics(self, arm: str) -> Counter[str]:
        """Heuristic -> examples of an arm's training data."""
        return Counter(
            row.heuristic
            for line, rows in self.material.data.items()
            if line.arm == arm
            for row in rows
        )
