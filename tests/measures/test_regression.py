"""The regression M5: what was put in comes out, and what cannot be told is said."""

import numpy as np
import pytest

from manyways.measures.solutions import Policy, Solutions
from manyways.measures.theory.training import regression_rows
from manyways.metrics.composition import Ways, ways_of
from manyways.metrics.intervals import Resampling
from manyways.records import Checkpoint

LABELS = ("a", "b", "c", "d", "e")
SUCCESS = np.array([0.2, 0.5, 0.8, 0.3, 0.6])
START = np.array([0.36, 0.3, 0.16, 0.1, 0.08])
ATTEMPTS = 400
FEW = Resampling(resamples=60)


def policy(name: str, mass_H: np.ndarray, problems: int = 6) -> Policy:
    """The same counts at every problem, as near to the masses as whole attempts can be."""
    problem, ways, correct = [], [], []
    for number in range(problems):
        for label, mass, success in zip(LABELS, mass_H, SUCCESS, strict=True):
            tried = round(mass * ATTEMPTS)
            for i in range(tried):
                problem.append(f"p{number}")
                ways.append(Ways(composed=False, boundaries=0, switches=0, steps={}, pairs={},
                                 opening=label))  # fmt: skip
                correct.append(i < round(success * tried))
    solutions = Solutions(
        checkpoint=Checkpoint(arm="x", seed=0, phase="mid"), benchmark="b",
        problem=problem, ways=ways, correct=correct,
    )  # fmt: skip
    return Policy(name=name, seeds={0: solutions})


def flowed(speed_H: np.ndarray) -> np.ndarray:
    mass = START * np.exp(speed_H)
    return mass / mass.sum()


def rows(after_H: np.ndarray):
    before = policy("x/mid", START)
    return list(regression_rows((before, before, policy("x/rl", after_H)), {}, FEW))


@pytest.mark.parametrize("natural", [True, False])
def test_the_gradient_that_moved_the_masses_is_found(natural: bool) -> None:
    advantage = SUCCESS - START @ SUCCESS
    speed = 1.5 * advantage if natural else 5.0 * START * advantage
    first, second = rows(flowed(speed))
    wanted = (1.5, 0.0) if natural else (0.0, 5.0)
    assert first.measured.value == pytest.approx(wanted[0], abs=0.15)
    assert second.measured.value == pytest.approx(wanted[1], abs=0.7)
    assert first.outcome == second.outcome == "no sign expected"
    assert first.measured.n == 4


def test_few_heuristics_are_too_few() -> None:
    gone = flowed(np.array([0.0, 0.0, 0.0, -9.0, -9.0]))
    for row in rows(gone):
        assert row.measured is None
        assert "cannot be measured here because only 2 heuristics, one of each part" in row.note


PARTS = ("p", "q", "r", "s")
MASS = np.array([[0.6, 0.25, 0.15], [0.2, 0.2, 0.6], [0.3, 0.5, 0.2], [0.15, 0.7, 0.15]])
GOOD = np.array([[0.2, 0.95, 0.15], [0.9, 0.3, 0.5], [0.1, 0.8, 0.3], [0.25, 0.6, 0.95]])
OPENS = (("a", "b", "c"), ("a", "c", "d"), ("a", "d", "e"), ("a", "e", "b"))
"""Every part has three ways, of which "a" is the only one that all share."""
PART_OF = {f"{part}{i}": part for part in PARTS for i in range(5)}


def by_part(name: str, mass_KH: np.ndarray) -> Policy:
    problem, ways, correct = [], [], []
    for asked, part in PART_OF.items():
        k = PARTS.index(part)
        for label, mass, success in zip(OPENS[k], mass_KH[k], GOOD[k], strict=True):
            tried = round(mass * ATTEMPTS)
            one = Ways(composed=False, boundaries=0, switches=0, steps={}, pairs={}, opening=label)
            problem += [asked] * tried
            ways += [one] * tried
            correct += [i < round(success * tried) for i in range(tried)]
    solutions = Solutions(
        checkpoint=Checkpoint(arm="x", seed=0, phase="mid"), benchmark="b",
        problem=problem, ways=ways, correct=correct,
    )  # fmt: skip
    return Policy(name=name, seeds={0: solutions})


@pytest.mark.parametrize("natural", [True, False])
def test_preferences_by_part_are_told_apart_within_parts_alone(natural: bool) -> None:
    """Each part has masses of its own: all parts as one take the vanilla gradient for a mixture."""
    advantage = GOOD - (MASS * GOOD).sum(axis=1, keepdims=True)
    moved = MASS * np.exp(0.6 * advantage if natural else 1.2 * MASS * advantage)
    before = by_part("x/mid", MASS)
    around = (before, before, by_part("x/rl", moved / moved.sum(axis=1, keepdims=True)))
    wanted = (0.6, 0.0) if natural else (0.0, 1.2)
    within = list(regression_rows(around, PART_OF, FEW))
    assert [row.measured.value for row in within] == pytest.approx(wanted, abs=0.1)
    assert within[0].measured.n == 8
    assert within[0].note.endswith("within 4 parts")
    pooled = list(regression_rows(around, {}, FEW))
    assert "all parts as one" in pooled[0].note
    assert natural or abs(pooled[0].measured.value) > 0.1 > 2 * abs(within[0].measured.value)


def test_parts_of_few_problems_have_no_interval() -> None:
    before = by_part("x/mid", MASS)
    few = {name: part for name, part in PART_OF.items() if not name.endswith("4")}
    for row in regression_rows((before, before, before), few, FEW):
        assert row.measured is None
        assert "only 0 heuristics" in row.note


OPENING = {label: ways_of([label]) for label in LABELS}
STEP = {True: 1.0, False: 3.0}
"""Size of the step under the natural and the vanilla gradient; both move masses alike."""


def sampled(name: str, mass_KH: np.ndarray, problems: int, attempts: int, rng) -> Policy:
    """Attempts drawn from the masses, each right with the chance of its heuristic."""
    seeds = {}
    for seed in range(5):
        problem, ways, correct = [], [], []
        for i in range(problems):
            k = i % len(PARTS)
            for h in rng.choice(3, size=attempts, p=mass_KH[k]):
                problem.append(f"{PARTS[k]}{i}")
                ways.append(OPENING[OPENS[k][h]])
                correct.append(bool(rng.random() < GOOD[k][h]))
        seeds[seed] = Solutions(
            checkpoint=Checkpoint(arm="x", seed=seed, phase="mid"), benchmark="b",
            problem=problem, ways=ways, correct=correct,
        )  # fmt: skip
    return Policy(name=name, seeds=seeds)


def flowed_by_part(natural: bool, steps: int = 100) -> np.ndarray:
    mass = MASS.copy()
    for _ in range(steps):
        advantage = GOOD - (mass * GOOD).sum(axis=1, keepdims=True)
        push = advantage if natural else mass * advantage
        mass = mass * np.exp(STEP[natural] / steps * push)
        mass /= mass.sum(axis=1, keepdims=True)
    return mass


@pytest.mark.slow
@pytest.mark.parametrize("problems", [24, 120])
def test_how_large_a_run_tells_the_gradients_apart(problems: int) -> None:
    """Five seeds; problems of one part at the gate (16 attempts) and before and after RL (8)."""
    rng = np.random.default_rng(problems)
    part_of = {f"{PARTS[i % len(PARTS)]}{i}": PARTS[i % len(PARTS)] for i in range(problems)}
    ranges = {}
    for natural in (True, False):
        found = []
        for _ in range(10):
            around = (
                sampled("x/gate", MASS, problems, 16, rng),
                sampled("x/mid", MASS, problems, 8, rng),
                sampled("x/rl", flowed_by_part(natural), problems, 8, rng),
            )
            rows = list(regression_rows(around, part_of, Resampling(resamples=2)))
            found.append([row.measured.value for row in rows])
        ranges[natural] = np.quantile(found, [0.1, 0.5, 0.9], axis=0)
        law = "natural, truth (1, 0)" if natural else "vanilla, truth (0, 3)"
        print(f"\n{problems} problems, {law}:", *(
            f"{middle:.2f} [{low:.2f}, {high:.2f}]" for low, middle, high in ranges[natural].T
        ))  # fmt: skip
    natural, vanilla = ranges[True], ranges[False]
    assert natural[1] == pytest.approx([1.0, 0.0], abs=0.5)
    assert vanilla[1] == pytest.approx([0.0, 3.0], abs=1.2), "masses change meanwhile"
    apart = natural[0][0] > vanilla[2][0] and natural[2][1] < vanilla[0][1]
    assert apart or problems < 120, "large runs tell them apart"
