"""Which heuristic RL's own attempts open with, step by step, beside where the theory sends it (B1).

Under the replicator the mass of a heuristic moves at the speed Cov(opens with it, correct) within
problems; GRPO multiplies it by c_G(p). The covariance is taken from the gate's attempts, made just
before RL, so that its noise is not that of the shares whose change it foretells.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from manyways.metrics.intervals import clustered_share
from manyways.metrics.resampling import Resampling
from manyways.records import Score
from manyways.results.tables import CurveRow
from manyways.results.theory import OpeningRow, Part, Point, PredictionRow
from manyways.stages.analysis.change import ENDS, weighted_covariance
from manyways.stages.analysis.contrasts import ByProblem, Policy, contrast
from manyways.stages.analysis.expectation import Expectation, Quantity, decide
from manyways.stages.analysis.passes import over_seeds, score
from manyways.stages.analysis.ways import Solutions

PART: Part = "through RL"
STRETCHES = 10
"""Points of a drawn course at most."""
STEPS = 3
"""Steps that a point is over at least: one step has few problems, and its share no interval."""
SELDOM = 0.01
"""Heuristics that open fewer of all attempts than this have no row."""

Step = Mapping[str, tuple[int, int]]
BySeed = Mapping[int, Mapping[int, Step]]
"""Seed -> step -> heuristic -> (attempts that open with it, correct ones)."""


def logged_openings(arm: str, curves: Sequence[CurveRow]) -> BySeed:
    """What RL of ``arm`` logged; empty for runs made before it did, and for other backends."""
    found: dict[int, dict[int, Step]] = {}
    for row in curves:
        if row.arm == arm and row.stage == "rl" and row.openings:
            found.setdefault(row.seed, {})[row.step] = row.openings
    return found


def opening_rows(
    arm: str,
    curves: Sequence[CurveRow],
    gate: Policy | None,
    *,
    group: int,
    settings: Resampling,
) -> list[OpeningRow]:
    """One row for each heuristic that opens attempts, the most frequent first.

    gate: the arm's attempts just before RL.  group: RL's group size.
    """
    logged = logged_openings(arm, curves)
    total: Counter[str] = Counter()
    if len({step for steps in logged.values() for step in steps}) < 2:
        return []
    for steps in logged.values():
        for step in steps.values():
            total.update({name: tried for name, (tried, _) in step.items()})
    return [
        _row(name, arm, logged, _push(name, gate, group, settings))
        for name, count in total.most_common()
        if count >= SELDOM * total.total()
    ]


def replicator_rows(
    arm: str, curves: Sequence[CurveRow], rows: Sequence[OpeningRow]
) -> Iterator[PredictionRow]:
    """Whether the shares together moved the way that the covariances point; one number per seed.

    The inner product of the changes with the covariances, these scaled to length 1.
    """
    logged = logged_openings(arm, curves)
    quantity = Quantity(
        part=PART,
        name="First-heuristic mass during RL, along the direction of the replicator",
        proposition="B1",
        of=f"{arm} during RL",
    )
    expected = Expectation(words="above 0: mass follows success", side="above")
    push_H = np.array([row.push.value if row.push else 0.0 for row in rows])
    length = float(np.linalg.norm(push_H))
    if not rows or not length:
        why = (
            "RL logged no opening heuristics"
            if not rows
            else ("no heuristic was right more often than another in the gate's attempts")
        )
        yield quantity.row(expected, None, note=f"cannot be measured here because {why}")
        return
    moved = [
        float(sum(_moved(row.heuristic, steps) * x for row, x in zip(rows, push_H, strict=True)))
        for steps in logged.values()
    ]
    values = [x / length for x in moved]
    measured = over_seeds(quantity.name, values)
    seeds = "1 seed" if len(values) == 1 else f"{len(values)} seeds"
    few = f"{np.mean(values):+.3f} over {seeds}; an interval needs three"
    note = "change of each share x its covariance with success before RL" if measured else few
    yield quantity.row(expected, measured, note=note)


def _row(
    name: str, arm: str, logged: BySeed, push: tuple[Score | None, Score | None]
) -> OpeningRow:
    change = _change(name, logged)
    seeds = over_seeds(f"change of {name}", [_moved(name, steps) for steps in logged.values()])
    expected = _towards(push)
    return OpeningRow(
        arm=arm,
        heuristic=name,
        course=list(_course(name, logged)),
        change=change,
        seeds=seeds,
        push=push[0],
        expected=expected.words,
        outcome=decide(expected, change, seeds),
    )


def _push(
    name: str, gate: Policy | None, group: int, settings: Resampling
) -> tuple[Score | None, Score | None]:
    if gate is None:
        return None, None

    def speed(solutions: Solutions) -> ByProblem:
        opens = [way.opening == name for way in solutions.ways]
        return weighted_covariance(solutions, group, opens)

    return contrast(f"Cov(opens with {name}, correct)", gate.values(speed), None, settings)


def _towards(push: tuple[Score | None, Score | None]) -> Expectation:
    scores = [score for score in push if score is not None]
    if scores and all(score.low > 0 for score in scores):
        return Expectation(words="rises, as its covariance with success is above 0", side="above")
    if scores and all(score.high < 0 for score in scores):
        return Expectation(words="falls, as its covariance with success is below 0", side="below")
    why = "cannot be told" if scores else "was not measured"
    return Expectation(
        words=f"the sign of its covariance with success, which {why}", side="unknown"
    )


def _course(name: str, logged: BySeed) -> Iterator[Point]:
    steps = sorted({step for of_seed in logged.values() for step in of_seed})
    for stretch in np.array_split(steps, max(2, min(STRETCHES, len(steps) // STEPS))):
        yield Point(
            step=int(stretch[-1]), share=_share(name, logged, int(stretch[0]), int(stretch[-1]))
        )


def _share(name: str, logged: BySeed, first: int, last: int) -> Score:
    """Of the attempts of the steps from ``first`` to ``last``, each step of a seed a cluster."""
    inside = [
        counts
        for steps in logged.values()
        for step, counts in steps.items()
        if first <= step <= last
    ]
    hits = [counts.get(name, (0, 0))[0] for counts in inside]
    trials = [sum(tried for tried, _ in counts.values()) for counts in inside]
    return score(f"opens with {name}", clustered_share(hits, trials), sum(trials))


def _ends(steps: Sequence[int]) -> tuple[int, int]:
    """The last step of the first fifth, and the first of the last fifth."""
    return max(min(steps), int(ENDS * max(steps))), int((1 - ENDS) * max(steps)) + 1


def _change(name: str, logged: BySeed) -> Score:
    """Newcombe's interval of a difference of two shares (1998, method 10)."""
    steps = [step for of_seed in logged.values() for step in of_seed]
    early, late = _ends(steps)
    a, b = _share(name, logged, late, max(steps)), _share(name, logged, min(steps), early)
    value = a.value - b.value
    down = float(np.hypot(a.value - a.low, b.high - b.value))
    up = float(np.hypot(a.high - a.value, b.value - b.low))
    return score(f"change of {name}", (value, value - down, value + up), a.n + b.n)


def _moved(name: str, steps: Mapping[int, Step]) -> float:
    return _change(name, {0: steps}).value
