"""Every measurable quantity of the theory, beside what the theory expects of it.

The main comparison is the arm with most heuristics (many) against ``star``, or against RL alone if
the run has no ``star`` (few). A quantity without data in the run has no row. The module
``predictions`` decides whether a row agrees.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from manyways.arms import RL_ALONE, VANILLA, before_rl
from manyways.measures.curves import CURVES
from manyways.measures.material import Material
from manyways.measures.openings import OPENINGS
from manyways.measures.predictions import BEFORE, Expectation, PredictionRow, Quantity
from manyways.measures.probe import PROBE
from manyways.measures.score_curves import Curve, over_seeds, resampled_score
from manyways.measures.solutions import (
    ByProblem,
    Policy,
    Solutions,
    both_means,
    contrast,
    count_openings,
    labels_of,
)
from manyways.measures.theory.arms import (
    budget_row,
    crossover_row,
    growth_row,
    random_rows,
    side_by_side,
    wrong_rows,
)
from manyways.measures.theory.training import (
    change_rows,
    direction,
    drift_rows,
    logged_rows,
    regression_rows,
    replicator_rows,
    swap_row,
)
from manyways.measures.theory.transfer import PartSets, Trained, read_parts, transfer_rows
from manyways.measures.token_modes import token_rows, why_none
from manyways.metrics import modes
from manyways.metrics.composition import effective_numbers
from manyways.metrics.intervals import Resampling
from manyways.metrics.pass_at_k import signal_rate
from manyways.records import BASE, pooled

if TYPE_CHECKING:
    from manyways.measures.seen import Seen


Number = Callable[[Solutions], ByProblem]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A policy taught many ways and one taught few, compared on the same problems."""

    many: Policy
    few: Policy
    settings: Resampling

    @property
    def of(self) -> str:
        """The name of the difference."""
        return f"{self.many.name} − {self.few.name}"

    @property
    def labels(self) -> list[str]:
        """Every opening label of the two."""
        return labels_of([*self.many.seeds.values(), *self.few.seeds.values()])

    def row(self, name: str, proposition: str, words: str, measure: Number) -> PredictionRow:
        """The difference in ``measure``. ``words``: why the theory expects it above 0."""
        a, b = self.many.values(measure), self.few.values(measure)
        measured, seeds = contrast(name, a, b, self.settings)
        many, few = both_means(a, b)
        note = f"{many:.3g} against {few:.3g}" if measured else _nothing(self)
        quantity = Quantity(part=BEFORE, name=name, proposition=proposition, of=self.of)
        expected = Expectation(words=f"above 0: {words}", side="above")
        return quantity.row(expected, measured, seeds, note=note)


def start_rows(pair: Pair) -> Iterator[PredictionRow]:
    """Before RL, on the benchmarks."""
    labels = pair.labels

    def effective(solutions: Solutions) -> ByProblem:
        names, found = count_openings(solutions, labels)
        return dict(zip(names, effective_numbers(found.tried_PH), strict=True))

    def variance(solutions: Solutions) -> ByProblem:
        names, found = count_openings(solutions, labels)
        each = zip(names, modes.selection_variance(found), strict=True)
        return {name: float(value) for name, value in each if np.isfinite(value)}

    title = "Effective number of heuristics, per problem"
    yield pair.row(title, "A1", "the best fit has the modes of its data", effective)
    yield _pooled(pair, labels)
    title = "Switch rate before RL"
    yield pair.row(title, "A2, D6", "at equal steps many ways leave more leak", switch_rates)
    title = "Selection variance (what choosing a heuristic can earn)"
    yield pair.row(title, "C3, B1", "one mode leaves nothing to choose", variance)


def gate_rows(pair: Pair, group: int) -> Iterator[PredictionRow]:
    """Before RL, on RL's own problems, in groups of RL's size."""
    from manyways.theory import dynamics

    def mixed(solutions: Solutions) -> ByProblem:
        return _by_counts(solutions, lambda n, c: signal_rate(n, c, group).tolist())

    def clock(solutions: Solutions) -> ByProblem:
        return _by_counts(
            solutions, lambda n, c: [dynamics.clock(float(p), group) for p in np.divide(c, n)]
        )

    title = f"Mixed groups of {group} before RL"
    yield pair.row(title, "C1, C2", "more modes, more mixed groups", mixed)
    yield _clock(pair, clock, group)


def switch_rates(solutions: Solutions) -> ByProblem:
    """Problem -> switches per boundary; a problem without boundaries is left out."""
    counts: dict[str, list[int]] = {}
    for problem, way in zip(solutions.problem, solutions.ways, strict=True):
        row = counts.setdefault(problem, [0, 0])
        row[0] += way.switches
        row[1] += way.boundaries
    return {problem: s / b for problem, (s, b) in counts.items() if b}


def _by_counts(
    solutions: Solutions, value: Callable[[Sequence[int], Sequence[int]], Sequence[float]]
) -> ByProblem:
    """Problem -> ``value`` of its numbers of attempts and of correct ones."""
    names, problem_S = solutions.numbered
    n_P = np.bincount(problem_S)
    c_P = np.bincount(problem_S, solutions.correct_S).astype(int)
    values = value(n_P.tolist(), c_P.tolist())
    each = zip(names, values, strict=True)
    return {name: float(x) for name, x in each if np.isfinite(x)}


def _clock(pair: Pair, clock: Number, group: int) -> PredictionRow:
    name = "GRPO clock c_G(p), mean over problems"
    values = pair.many.values(clock)
    measured, seeds = contrast(name, values, None, pair.settings)
    low, high = 2 * (1 - 1 / group), (group - 1) ** 0.5
    words = f"between {low:.2f} and {high:.2f} whatever p is: a speed, not a direction"
    quantity = Quantity(part=BEFORE, name=name, proposition="B3", of=pair.many.name)
    return quantity.row(Expectation(words=words, side=None), measured, seeds)


def _pooled(pair: Pair, labels: Sequence[str]) -> PredictionRow:
    """The effective number over all problems together: one number for each resample."""
    name = "Effective number of heuristics, all problems together"
    tables = [_shares(policy, labels) for policy in (pair.many, pair.few)]
    both = sorted(set(tables[0]) & set(tables[1]))
    counts = [np.array([table[problem] for problem in both]) for table in tables]
    quantity = Quantity(part=BEFORE, name=name, proposition="A1, A4", of=pair.of)
    expected = Expectation(words="above 0: the best fit has the modes of its data", side="above")
    if not both:
        return quantity.row(expected, None, note="no problem in common")
    many_R, few_R = modes.pooled_effective(counts, pair.settings)
    gap_R = many_R - few_R
    measured = resampled_score(name, gap_R, len(both))
    seeds = over_seeds(name, _seed_gaps(pair, labels))
    note = f"{many_R[0]:.3g} against {few_R[0]:.3g}"
    return quantity.row(expected, measured, seeds, note=note)


def _shares(policy: Policy, labels: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Label counts of each problem, summed over seeds."""
    total: dict[str, NDArray[np.float64]] = {}
    for solutions in policy.seeds.values():
        names, found = count_openings(solutions, labels)
        for name, row in zip(names, found.tried_PH, strict=True):
            total[name] = total.get(name, 0.0) + row
    return total


def _seed_gaps(pair: Pair, labels: Sequence[str]) -> list[float]:
    def effective(policy: Policy, seed: int | None) -> float:
        solutions = policy.seeds.get(seed) or policy.seeds[None]
        counts_PH = count_openings(solutions, labels)[1].tried_PH
        return float(modes.pooled_effective([counts_PH], Resampling(resamples=1))[0][0])

    seeds = [seed for seed in pair.many.seeds if seed in pair.few.seeds or None in pair.few.seeds]
    return [effective(pair.many, seed) - effective(pair.few, seed) for seed in seeds]


def _nothing(pair: Pair) -> str:
    silent = [p.name for p in (pair.many, pair.few) if not any(p.seeds.values())]
    return f"no attempts of {', '.join(silent)}" if silent else "no problem where both have a value"


def prediction_rows(seen: "Seen") -> list[PredictionRow]:
    """All rows: before RL, through RL, between arms."""
    contrast = _Contrast(seen=seen)
    return [*contrast.start(), *contrast.through(), *contrast.between()]


@dataclass(frozen=True, kw_only=True)
class _Contrast:
    """The main arm, and the arm that it is compared with."""

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
        """The arm of few ways: ``star``, else ``vanilla``; empty if the recipe has neither."""
        others = (arm for arm in ("star", VANILLA) if arm in self.seen.recipe.arms)
        return next((arm for arm in others if arm != self.main), "")

    @property
    def start_of_few(self) -> Policy | None:
        """The checkpoint from which RL of the arm of few ways starts."""
        return self.policy(before_rl(self.few)) if self.few else None

    @cached_property
    def parts(self) -> PartSets:
        """The problems that join parts which were trained alone."""
        return read_parts(self.material.ctx)

    def policy(self, name: str) -> Policy | None:
        """The labelled attempts of a pooled checkpoint."""
        return self.material.policies.get(name)

    def gate(self, arm: str) -> Policy | None:
        """The attempts of an arm at RL's problems, before RL."""
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
        """``changes``: receives arm -> the change of its composition rate, if it is measured."""
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
        """The main arm against the arm that learns as many ways with wrong answers."""
        arms = (arm for arm in self.seen.arms if arm.name == self.main)
        arm = next((arm for arm in arms if arm.kind.name == "heuristics"), None)
        wrong = self.curve(pooled(arm.as_kind("wrong"), "mid")) if arm else None
        right = self.curve(pooled(self.main, "mid"))
        if wrong and right:
            yield from wrong_rows(wrong, right, self.settings)

    def _race(
        self, wide: Curve | None, narrow: Curve | None, why: tuple[str, str]
    ) -> Iterator[PredictionRow]:
        """How the lead of the wider policy grows with k, and from which k it leads."""
        both = side_by_side(wide, narrow) if wide and narrow else None
        if both:
            yield growth_row(*both, self.settings, proposition=why[0], words=why[1])
            yield crossover_row(*both, self.settings)

    def _budget(self) -> Iterator[PredictionRow]:
        """Many ways of few problems against one way of many problems."""
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
        """Heuristic -> number of examples in the training data of an arm."""
        return Counter(
            row.heuristic
            for line, rows in self.material.data.items()
            if line.arm == arm
            for row in rows
        )
