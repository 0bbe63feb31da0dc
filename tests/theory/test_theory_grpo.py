import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from simulation import sampled_updates, simulate

from manyways.theory import dynamics
from manyways.theory.dynamics import (
    clock,
    group_escape_time,
    mean_baseline_clock,
)

POLICY = np.array([0.2, 0.5, 0.3])
SUCCESS = np.array([0.9, 0.4, 0.6])

RELAXED = settings(deadline=None, max_examples=50)


@pytest.mark.parametrize(
    ("group", "success"),
    [
        (4, SUCCESS),
        (8, SUCCESS / 10),
        (2, np.array([1.0, 0.0, 0.5])),
    ],
)
def test_sampled_groups_move_as_the_plain_gradient_on_the_clock(
    group: int, success: np.ndarray
) -> None:
    sampled = sampled_updates(POLICY, success, group, groups=60_000, seed=7)
    value = float(POLICY @ success)
    plain = POLICY * (success - value)
    error = sampled.std(axis=0) / math.sqrt(len(sampled))
    assert error.max() < 0.003
    assert (np.abs(sampled.mean(axis=0) - clock(value, group) * plain) < 4 * error).all()
    # The sample must be large enough to tell GRPO from plain policy gradient; they agree for G = 2.
    assert (np.abs(sampled.mean(axis=0) - plain) > 4 * error).any() == (group > 2)


def test_the_seed_decides_the_sample() -> None:
    first = sampled_updates(POLICY, SUCCESS, 4, groups=10, seed=1)
    assert (first == sampled_updates(POLICY, SUCCESS, 4, groups=10, seed=1)).all()
    assert (first != sampled_updates(POLICY, SUCCESS, 4, groups=10, seed=2)).any()


@RELAXED
@given(st.floats(0.001, 0.999), st.integers(2, 64))
def test_the_clock_is_within_its_bounds_and_symmetric(p: float, group: int) -> None:
    assert 1 - 1e-9 <= clock(p, group) <= math.sqrt(group - 1) + 1e-9
    assert clock(p, group) == pytest.approx(clock(1 - p, group), rel=1e-9)
    assert clock(p, group, bessel=True) == pytest.approx(
        clock(p, group) * math.sqrt(1 - 1 / group), rel=1e-12
    )


def test_limits_of_the_clock() -> None:
    assert clock(0, 16) == pytest.approx(math.sqrt(15))
    assert clock(1, 16) == pytest.approx(math.sqrt(15))
    assert clock(1e-7, 16) == pytest.approx(math.sqrt(15), rel=1e-5)
    assert clock(0.3, 2) == pytest.approx(1)
    # A huge floor leaves mean subtraction alone, divided by the floor.
    assert clock(0.3, 8, floor=1e9) * 1e9 == pytest.approx(mean_baseline_clock(8))
    assert clock(0, 8, floor=1e9) * 1e9 == pytest.approx(mean_baseline_clock(8))


def test_the_clock_is_the_mean_over_numbers_of_correct_attempts() -> None:
    p, group = 0.2, 6
    total = 0.0
    for correct in range(1, group):
        rewards = np.array([1.0] * correct + [0.0] * (group - correct))
        advantage = (rewards - rewards.mean()) / rewards.std()
        total += binom.pmf(correct, group, p) * (advantage * rewards).mean()
    assert clock(p, group) == pytest.approx(total / (p * (1 - p)))


def test_the_escape_is_within_its_bounds_and_agrees_with_simulation() -> None:
    vanilla = dynamics.escape_time(0.02, 0.3, "vanilla")
    for group in (3, 4, 8, 64):
        time = group_escape_time(0.02, group, better=0.8, worse=0.5)
        assert vanilla / math.sqrt(group - 1) <= time * (1 + 1e-9) < vanilla
    time = group_escape_time(0.02, 8, better=0.8, worse=0.5)
    end = simulate(
        [0.02, 0.98], [0.8, 0.5], times_N=[time], rule="vanilla", clock=partial(clock, group=8)
    )
    assert end[0, 0] == pytest.approx(0.5, abs=1e-6)
    # With groups of two the clock is 1: nothing but the policy gradient is left.
    assert group_escape_time(0.02, 2, better=0.8, worse=0.5) == pytest.approx(vanilla)


def test_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="group"):
        clock(0.5, 1)
    with pytest.raises(ValueError, match="p must"):
        clock(1.5, 8)
    with pytest.raises(ValueError, match="floor"):
        clock(0.5, 8, floor=-1)
    with pytest.raises(ValueError, match="better"):
        group_escape_time(0.1, 8, better=0.5, worse=0.5)
