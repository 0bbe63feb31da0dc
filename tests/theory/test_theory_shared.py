import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from manyways.theory.dynamics import escape_time
from manyways.theory.shared import (
    frozen_leak_time,
    modal_leak,
    natural_lag,
    shared_rate,
    transfer,
    unimodal_leak,
    vanilla_drift,
)
from manyways.theory.trajectories import composed_speed, tree_success

COMPLEMENTARY = ((0.9, 0.4), (0.4, 0.9))

RELAXED = settings(deadline=None, max_examples=50)


@RELAXED
@given(st.floats(-8, 8), st.floats(-3, 6))
def test_both_forms_of_the_shared_rate_agree(gap: float, stickiness: float) -> None:
    y, h = math.exp(stickiness), 2 * math.cosh(gap)
    expected = (1 - y + y * h) / (1 + y * y + y * h)
    assert shared_rate(gap, stickiness) == pytest.approx(expected, rel=1e-9)
    assert shared_rate(gap, stickiness) == pytest.approx(shared_rate(-gap, stickiness))


def test_the_shared_rate_rises_with_the_gap_to_one() -> None:
    rates = [shared_rate(g, 2) for g in (0, 0.5, 1, 3, 10, 1000)]
    assert all(b > a for a, b in pairwise(rates))
    assert rates[-1] == pytest.approx(1)
    assert shared_rate(0, 2) == pytest.approx(modal_leak(2, 2))


def test_composition_appears_on_a_problem_that_was_never_trained_on() -> None:
    two = transfer([0, 60], COMPLEMENTARY, stickiness=2, preference_H=[0, 0])
    assert two == pytest.approx([0.119, 0.784], abs=5e-4)
    one = transfer([0, 60], COMPLEMENTARY, stickiness=2, preference_H=[0, -6])
    assert one == pytest.approx([0.0028, 0.0026], abs=5e-5)


def test_transfer_follows_the_closed_form_of_its_gap() -> None:
    # From u = 0 both types mirror each other: one Euler step gives a gap, and its rate.
    h = 1e-3
    first = np.full(2, 0.5)
    second = softmax(2 * np.eye(2), axis=1)
    gradient = np.zeros(2)
    mass = first[:, None] * second
    reward = np.outer([0.9, 0.4], [0.9, 0.4])
    for i in range(2):
        for j in range(2):
            grad_log = np.eye(2)[i] - first + np.eye(2)[j] - second[i]
            gradient += mass[i, j] * reward[i, j] * grad_log
    gap = h * (gradient[0] - gradient[1]) / 2
    rate = transfer([h], COMPLEMENTARY, stickiness=2, preference_H=[0, 0])[0]
    assert rate - shared_rate(0, 2) == pytest.approx(
        shared_rate(gap, 2) - shared_rate(0, 2), rel=1e-2
    )


def test_modes_raise_the_leak_and_one_mode_lowers_it() -> None:
    leaks = [modal_leak(n, 3) for n in (1, 2, 4, 16, 1000)]
    assert all(b > a for a, b in pairwise(leaks))
    assert leaks[0] == 0
    assert unimodal_leak(16, 3, preference=0) == pytest.approx(modal_leak(16, 3))
    assert unimodal_leak(16, 3, preference=6) < unimodal_leak(16, 3, preference=1)
    policy = softmax(np.array([3.0, 0.0, 0.0, 0.0]))
    assert modal_leak(4, 3) == pytest.approx(policy[1:].sum())
    policy = softmax(np.array([3.0, -2.0, -2.0, -2.0]))
    assert unimodal_leak(4, 3, preference=2) == pytest.approx(policy[1:].sum())
    assert unimodal_leak(1, 3, preference=2) == 0


def test_the_frozen_leak_time_is_slow_in_leak_and_first_mass() -> None:
    assert frozen_leak_time(0.07, first_mass=1, advantage=0.45) == escape_time(
        0.07, 0.45, "vanilla"
    )
    assert frozen_leak_time(0.07, first_mass=0.1, advantage=0.45) == pytest.approx(
        10 * frozen_leak_time(0.07, first_mass=1, advantage=0.45)
    )


def test_one_mode_multiplies_the_vanilla_time_by_about_e_to_its_preference() -> None:
    times = [
        frozen_leak_time(unimodal_leak(2, 3, preference=x), first_mass=1, advantage=0.45)
        for x in (8.0, 9.0)
    ]
    assert times[1] / times[0] == pytest.approx(math.e, rel=0.01)


def test_the_natural_lag_delays_the_odds() -> None:
    # Odds of AB against AA grow as e^{kappa t}: the delay makes up for e^{-Lambda}.
    kappa = 0.9 * (0.9 - 0.4)
    assert math.exp(kappa * natural_lag(4, high=0.9, low=0.4) - 4) == pytest.approx(1)
    assert natural_lag(0, high=0.9, low=0.4) == 0


@pytest.mark.parametrize("mass", [0.2, 0.5, 0.9])
def test_the_vanilla_drift_is_the_derivative_along_the_gradient(mass: float) -> None:
    leak, h = 0.2, 1e-5
    s = np.array([[0.9, 0.5], [0.3, 0.8]])
    reward = tree_success(s)
    logits = np.log([leak / (1 - leak)] * 2)

    def rate(logit: np.ndarray, first: float) -> float:
        leaks = 1 / (1 + np.exp(-logit))
        return first * leaks[0] + (1 - first) * leaks[1]

    # Logits (stay, switch) move by +-gradient, so their difference by twice the gradient.
    slope = leak * (1 - leak)
    gain = np.array(
        [mass * (reward[0, 1] - reward[0, 0]), (1 - mass) * (reward[1, 0] - reward[1, 1])]
    )
    moved = rate(logits + 2 * h * slope * gain, mass)
    expected = (moved - rate(logits, mass)) / h
    assert vanilla_drift(s, leak, first_mass=mass) == pytest.approx(expected, rel=1e-3)
    if mass == 0.5:
        start = np.array([[0.4, 0.1], [0.1, 0.4]])
        assert np.sign(expected) == np.sign(composed_speed(start, reward))


def test_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="gap"):
        shared_rate(math.inf, 2)
    with pytest.raises(ValueError, match="success must be"):
        transfer([1], [[0.1, 0.2]], stickiness=1, preference_H=[0, 0])
    with pytest.raises(ValueError, match="rising"):
        transfer([2, 1], COMPLEMENTARY, stickiness=1, preference_H=[0, 0])
    with pytest.raises(ValueError, match="first_mass"):
        frozen_leak_time(0.1, first_mass=0, advantage=0.4)
    with pytest.raises(ValueError, match="modes"):
        modal_leak(0, 1)
    with pytest.raises(ValueError, match="heuristics"):
        unimodal_leak(0, 1, preference=1)
    with pytest.raises(ValueError, match="low must be below"):
        natural_lag(1, high=0.4, low=0.4)
    with pytest.raises(ValueError, match="s_1A"):
        vanilla_drift([0.1], 0.1, first_mass=0.5)
