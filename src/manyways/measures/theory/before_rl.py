"""Measured beside expected, before RL: modes, switch rate, mixed groups, what a choice earns."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manyways.measures.score_curves import over_seeds, score
from manyways.measures.solutions import (
    ByProblem,
    Policy,
    Solutions,
    both_means,
    contrast,
    labels_of,
    numbered,
)
from manyways.measures.theory.expectation import Expectation, Part, PredictionRow, Quantity
from manyways.metrics import composition
from manyways.metrics.composition import effective_numbers
from manyways.metrics.intervals import Resampling
from manyways.metrics.pass_at_k import signal_rate

PART: Part = "before RL"


Number = Callable[[Solutions], ByProblem]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A policy taught many ways and one taught few, compared on the same problems."""

    many: Policy
    few: Policy
    settings: Resampling

    @property
    def of(self) -> str:
        """How the difference is called."""
        return f"{self.many.name} − {self.few.name}"

    @property
    def labels(self) -> list[str]:
        """Every opening label of the two."""
        return labels_of([*self.many.seeds.values(), *self.few.seeds.values()])

    def row(self, name: str, proposition: str, words: str, measure: Number) -> PredictionRow:
        """The difference in ``measure``, expected above 0 for the reason in ``words``."""
        a, b = self.many.values(measure), self.few.values(measure)
        measured, seeds = contrast(name, a, b, self.settings)
        many, few = both_means(a, b)
        note = f"{many:.3g} against {few:.3g}" if measured else _nothing(self, a)
        quantity = Quantity(part=PART, name=name, proposition=proposition, of=self.of)
        expected = Expectation(words=f"above 0: {words}", side="above")
        return quantity.row(expected, measured, seeds, note=note)


def start_rows(pair: Pair) -> Iterator[PredictionRow]:
    """Before RL, on the benchmarks."""
    labels = pair.labels

    def effective(solutions: Solutions) -> ByProblem:
        names, found = numbered(solutions, labels)
        return dict(zip(names, effective_numbers(found.tried_PH), strict=True))

    def variance(solutions: Solutions) -> ByProblem:
        names, found = numbered(solutions, labels)
        each = zip(names, composition.selection_variance(found), strict=True)
        return {name: float(value) for name, value in each if np.isfinite(value)}

    title = "Effective number of heuristics, per problem"
    yield pair.row(title, "A1", "the best fit has the modes of its data", effective)
    yield _pooled(pair, labels)
    title = "Switch rate before RL"
    yield pair.row(title, "A2, D6", "at equal steps many ways leave more leak", switch_rates)
    title = "Selection variance (what choosing a heuristic can earn)"
    yield pair.row(title, "C3, B1", "one mode leaves nothing to choose", variance)


def gate_rows(pair: Pair, group: int) -> Iterator[PredictionRow]:
    """Just before RL, on RL's own problems, in groups of its own size."""
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
    """Switches per boundary at each problem that has boundaries."""
    counts: dict[str, list[int]] = {}
    for problem, way in zip(solutions.problem, solutions.ways, strict=True):
        row = counts.setdefault(problem, [0, 0])
        row[0] += way.switches
        row[1] += way.boundaries
    return {problem: s / b for problem, (s, b) in counts.items() if b}


def _by_counts(
    solutions: Solutions, value: Callable[[Sequence[int], Sequence[int]], Sequence[float]]
) -> ByProblem:
    """``value`` of the numbers of attempts and of correct ones at each problem."""
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
    quantity = Quantity(part=PART, name=name, proposition="B3", of=pair.many.name)
    return quantity.row(Expectation(words=words, side=None), measured, seeds)


def _pooled(pair: Pair, labels: Sequence[str]) -> PredictionRow:
    """Effective number over all problems together: one number, so it is resampled as a whole."""
    name = "Effective number of heuristics, all problems together"
    tables = [_shares(policy, labels) for policy in (pair.many, pair.few)]
    both = sorted(set(tables[0]) & set(tables[1]))
    counts = [np.array([table[problem] for problem in both]) for table in tables]
    quantity = Quantity(part=PART, name=name, proposition="A1, A4", of=pair.of)
    expected = Expectation(words="above 0: the best fit has the modes of its data", side="above")
    if not both:
        return quantity.row(expected, None, note="no problem in common")
    many_R, few_R = composition.pooled_effective(counts, pair.settings)
    gap_R = many_R - few_R
    low, high = np.quantile(gap_R[1:], [0.025, 0.975])
    measured = score(name, (gap_R[0], low, high), len(both))
    seeds = over_seeds(name, _seed_gaps(pair, labels))
    note = f"{many_R[0]:.3g} against {few_R[0]:.3g}"
    return quantity.row(expected, measured, seeds, note=note)


def _shares(policy: Policy, labels: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Label counts of each problem, summed over seeds."""
    total: dict[str, NDArray[np.float64]] = {}
    for solutions in policy.seeds.values():
        names, found = numbered(solutions, labels)
        for name, row in zip(names, found.tried_PH, strict=True):
            total[name] = total.get(name, 0.0) + row
    return total


def _seed_gaps(pair: Pair, labels: Sequence[str]) -> list[float]:
    def pooled(policy: Policy, seed: int | None) -> float:
        solutions = policy.seeds.get(seed) or policy.seeds[None]
        counts_PH = numbered(solutions, labels)[1].tried_PH
        return float(composition.pooled_effective([counts_PH], Resampling(resamples=1))[0][0])

    seeds = [seed for seed in pair.many.seeds if seed in pair.few.seeds or None in pair.few.seeds]
    return [pooled(pair.many, seed) - pooled(pair.few, seed) for seed in seeds]


def _nothing(pair: Pair, values: object) -> str:
    silent = [p.name for p in (pair.many, pair.few) if not any(p.seeds.values())]
    return f"no attempts of {', '.join(silent)}" if silent else "no problem where both have a value"
