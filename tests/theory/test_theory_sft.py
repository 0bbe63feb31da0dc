import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.special import softmax

from manyways.theory.mixtures import (
    leak_after,
    logit_gap,
    outside_mass,
)

RELAXED = settings(deadline=None, max_examples=50)


@pytest.mark.parametrize(("modes", "heuristics", "start"), [(1, 8, 0.0), (4, 8, 0.7), (7, 8, -1.0)])
def test_the_gap_is_that_of_integrated_gradient_flow(
    modes: int, heuristics: int, start: float
) -> None:
    visited, time = 0.6, 15.0
    target = np.where(np.arange(heuristics) < modes, 1 / modes, 0.0)
    logits = np.where(np.arange(heuristics) < modes, start, 0.0)
    end = solve_ivp(
        lambda _, theta: visited * (target - softmax(theta)),
        (0, time),
        logits,
        rtol=1e-10,
        atol=1e-12,
    ).y[:, -1]
    gap = logit_gap(time, modes=modes, heuristics=heuristics, start=start, visited=visited)
    assert gap == pytest.approx(end[0] - end[-1], abs=1e-8)
    left = outside_mass(gap, modes=modes, heuristics=heuristics)
    assert left == pytest.approx(softmax(end)[modes:].sum(), abs=1e-8)


@RELAXED
@given(st.floats(0, 1e6), st.floats(0.1, 100), st.integers(1, 7))
def test_the_gap_starts_where_it_should_and_grows(time: float, more: float, modes: int) -> None:
    assert logit_gap(0, modes=modes, heuristics=8, start=0.3) == pytest.approx(0.3, abs=1e-12)
    assert logit_gap(time + more, modes=modes, heuristics=8) > logit_gap(
        time, modes=modes, heuristics=8
    )


def test_leak_of_the_model_note() -> None:
    assert leak_after(40, modes=1, heuristics=8) == pytest.approx(0.0243, abs=5e-5)
    assert leak_after(40, modes=4, heuristics=8) == pytest.approx(0.1163, abs=5e-5)


def test_the_leak_falls_as_one_over_time_and_is_the_same_per_example() -> None:
    assert leak_after(0, modes=2, heuristics=2) == pytest.approx(0.5)
    for modes in (1, 4, 8):
        time = 1e6
        expected = 7 * modes / (8 * time)
        assert leak_after(time, modes=modes, heuristics=8) == pytest.approx(expected, rel=1e-3)
    for modes in (2, 8):
        assert leak_after(30 * modes, modes=modes, heuristics=8) == pytest.approx(
            leak_after(30, modes=1, heuristics=8), abs=1e-12
        )


def test_outside_mass_at_its_ends() -> None:
    assert outside_mass(3.0, modes=8, heuristics=8) == 0
    assert outside_mass(0.0, modes=2, heuristics=8) == pytest.approx(0.75)
    assert outside_mass(1e4, modes=2, heuristics=8) == 0
    assert outside_mass(-1e4, modes=2, heuristics=8) == 1


def test_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="heuristics"):
        logit_gap(1, modes=8, heuristics=8)
    with pytest.raises(ValueError, match="time"):
        logit_gap(-1, modes=1, heuristics=8)
    with pytest.raises(ValueError, match="start"):
        logit_gap(1, modes=1, heuristics=8, start=math.nan)
    with pytest.raises(ValueError, match="heuristics"):
        outside_mass(1, modes=3, heuristics=2)
