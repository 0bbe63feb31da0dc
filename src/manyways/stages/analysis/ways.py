"""How checkpoints and training data use heuristics: labels of texts become composition rows.

Shapes: _S solutions.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyways.arms import Line
from manyways.heuristics.labelling import Labeller, LabellerError, step_labels
from manyways.metrics import composition as use
from manyways.metrics.correction import corrected_share
from manyways.metrics.entropy import effective_number
from manyways.metrics.intervals import clustered_share, mean_intervals
from manyways.metrics.resampling import Resampling
from manyways.records import Checkpoint, Score
from manyways.results.tables import CompositionRow
from manyways.stages.analysis.evaluated import Evaluation
from manyways.stages.analysis.passes import score
from manyways.stages.arm_data import TrainingRow

Array = NDArray[Any]
ALL = "all"
"""Benchmark name of rows over the solutions of all benchmarks."""
SEED_DATA = "seed data"
PER_PROBLEM = 16
"""Attempts labelled per problem: enough for every rate here, bounded for large runs."""
REMEMBERED = 500_000


class Reader:
    """Reads texts through the run's labeller, each different text once."""

    def __init__(self, labeller: Labeller) -> None:
        self._labeller = labeller
        self._known: dict[str, use.Ways] = {}

    def ways(self, text: str) -> use.Ways:
        """What the labels of ``text`` say."""
        if text not in self._known:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[text] = use.ways_of(step_labels(self._labeller.segments(text)))
        return self._known[text]


@dataclass(frozen=True, kw_only=True)
class Solutions:
    """Labelled solutions of one checkpoint on one benchmark. ``problem``: one name per solution."""

    checkpoint: Checkpoint
    benchmark: str
    problem: list[str]
    ways: list[use.Ways]
    correct: list[bool]
    parts: tuple["Solutions", ...] = ()
    """What it was merged from: counted once, not again for every sum."""

    @cached_property
    def numbered(self) -> tuple[list[str], Array]:
        """The problems in the order of their names, and the number of each solution's problem."""
        names = sorted(set(self.problem))
        place = {name: number for number, name in enumerate(names)}
        return names, np.fromiter(map(place.__getitem__, self.problem), np.int64, len(self.problem))

    @cached_property
    def steps(self) -> Mapping[str, int]:
        """Heuristic -> number of steps, most frequent first."""
        return _summed([one.steps for one in self.parts]) or use.step_counts(self.ways)

    @cached_property
    def pairs(self) -> Mapping[str, int]:
        """``first > second`` -> number of switches, most frequent first."""
        return _summed([one.pairs for one in self.parts]) or use.pair_counts(self.ways)

    @cached_property
    def composed_S(self) -> Array:
        """1.0 for each solution with two or more different heuristics."""
        return np.array([way.composed for way in self.ways], dtype=float)

    @cached_property
    def correct_S(self) -> Array:
        """1.0 for each correct solution."""
        return np.array(self.correct, dtype=float)


def labelled(evaluation: Evaluation, reader: Reader) -> Solutions:
    """The first ``PER_PROBLEM`` attempts at each problem, labelled."""
    texts, ranks = evaluation.texts(), evaluation.ranks.tolist()
    rows = [row for _, group in groupby(range(len(ranks)), key=ranks.__getitem__)
            for row in list(group)[:PER_PROBLEM]]  # fmt: skip
    return Solutions(
        checkpoint=evaluation.checkpoint,
        benchmark=evaluation.benchmark,
        problem=[f"{evaluation.benchmark} {evaluation.problems[ranks[row]]}" for row in rows],
        ways=[reader.ways(texts[row]) for row in rows],
        correct=[bool(evaluation.correct_S[row]) for row in rows],
    )


def of_data(data: Mapping[Line, Sequence[TrainingRow]], reader: Reader) -> list[Solutions]:
    """What each arm was mid-trained on, of its first seed."""
    first: dict[str, Solutions] = {}
    for line, rows in data.items():
        if line.arm not in first:
            first[line.arm] = Solutions(
                checkpoint=Checkpoint(arm=line.arm, phase="mid"),
                benchmark=SEED_DATA,
                problem=[row.problem_id for row in rows],
                ways=[reader.ways(row.text) for row in rows],
                correct=[not line.arm.startswith("wrong")] * len(rows),
            )
    return list(first.values())


def pooled(solutions: Sequence[Solutions]) -> list[Solutions]:
    """The same over all benchmarks, and both pooled over seeds."""
    by_checkpoint = _merge(solutions, lambda s: replace(s, benchmark=ALL))
    benchmarks = {s.benchmark for s in solutions}
    wide = [*solutions, *(by_checkpoint if len(benchmarks) > 1 else [])]
    seeded = [s for s in wide if s.checkpoint.seed is not None]
    return [*wide, *_merge(seeded, _without_seed)]


def composition_row(
    solutions: Solutions, settings: Resampling, error: LabellerError | None = None
) -> CompositionRow:
    """The rates of one set of solutions; intervals count problems, not attempts.

    error: the labeller's, where it was measured.
    """
    names, problem_S = solutions.numbered
    composed_S, correct_S = solutions.composed_S, solutions.correct_S
    trials = np.bincount(problem_S, minlength=len(names))
    steps = solutions.steps
    total = sum(steps.values())
    return CompositionRow(
        checkpoint=solutions.checkpoint.name,
        arm=solutions.checkpoint.arm,
        phase=solutions.checkpoint.phase,
        benchmark=solutions.benchmark,
        composed=_share("composition rate", np.bincount(problem_S, composed_S), trials),
        switch=_switch(solutions.ways, problem_S),
        effective=effective_number(list(steps.values())),
        shares={name: count / total for name, count in steps.items()},
        pairs=dict(solutions.pairs),
        drift=None
        if solutions.benchmark == SEED_DATA
        else _drift(problem_S, composed_S, correct_S, settings),
        solutions=len(solutions.ways),
        composed_correct=_share(
            "composition rate of correct solutions",
            np.bincount(problem_S, composed_S * correct_S),
            np.bincount(problem_S, correct_S),
        )
        if correct_S.any()
        else None,
        corrected=_corrected(np.bincount(problem_S, composed_S), trials, error),
    )


def _corrected(hits: Array, trials: Array, error: LabellerError | None) -> Score | None:
    found = error and corrected_share(
        hits,
        trials,
        sensitivity=(error.found, error.composed),
        specificity=(error.passed, error.single),
    )
    return score("composition rate, corrected", found, len(trials)) if found else None


def _share(name: str, hits: Array, trials: Array) -> Score:
    return score(name, clustered_share(hits, trials), int((trials > 0).sum()))


def _switch(ways: Sequence[use.Ways], problem_S: Array) -> Score | None:
    switches = np.bincount(problem_S, [way.switches for way in ways])
    boundaries = np.bincount(problem_S, [way.boundaries for way in ways])
    return _share("switch rate", switches, boundaries) if boundaries.any() else None


def _drift(
    problem_S: Array, composed_S: Array, correct_S: Array, settings: Resampling
) -> Score | None:
    """Only problems with several solutions count; None when there is none."""
    cov_P = use.within_covariance(problem_S, composed_S, correct_S)
    if not len(cov_P):
        return None
    mean, low, high = (float(x[0]) for x in mean_intervals(cov_P, settings))
    return score("Cov(composed, correct) within problems", (mean, low, high), len(cov_P))


def _summed(counts: Sequence[Mapping[str, int]]) -> Mapping[str, int]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))


def _without_seed(solutions: Solutions) -> Solutions:
    return replace(solutions, checkpoint=replace(solutions.checkpoint, seed=None))


def _merge(
    solutions: Sequence[Solutions], rename: Callable[[Solutions], Solutions]
) -> list[Solutions]:
    groups: dict[tuple[str, str], list[Solutions]] = {}
    for one in map(rename, solutions):
        groups.setdefault((one.checkpoint.name, one.benchmark), []).append(one)
    return [
        replace(
            members[0],
            problem=[name for one in members for name in one.problem],
            ways=[way for one in members for way in one.ways],
            correct=[right for one in members for right in one.correct],
            parts=tuple(members),
        )
        for members in groups.values()
    ]
