"""The regression M5: what was put in comes out, and what cannot be told is said."""

import numpy as np
import pytest

from manyways.metrics.composition import Ways
from manyways.metrics.resampling import Resampling
from manyways.stages.analysis.contrasts import Policy
from manyways.stages.analysis.evaluated import Checkpoint
from manyways.stages.analysis.flow import flow_rows
from manyways.stages.analysis.ways import Solutions

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
        checkpoint=Checkpoint(name=name, arm="x", seed=0, phase="mid"), benchmark="b",
        problem=problem, ways=ways, correct=correct,
    )  # fmt: skip
    return Policy(name=name, seeds={0: solutions})


def flowed(speed_H: np.ndarray) -> np.ndarray:
    mass = START * np.exp(speed_H)
    return mass / mass.sum()


def rows(after_H: np.ndarray):
    before = policy("x/mid", START)
    return list(flow_rows(before, before, policy("x/rl", after_H), FEW))


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
        assert "cannot be measured here because 3 of the labels, not 4 or more" in row.note
