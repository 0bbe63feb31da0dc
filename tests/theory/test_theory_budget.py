import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyways.theory.budget import (
    best_modes,
    budget_value,
    coverage,
    coverage_elasticity,
    frequency_threshold,
    many_pay,
    missed_forced,
    missed_self_chosen,
)
from manyways.theory.large_n import best_composed
from manyways.theory.signal import mixed_rate
from manyways.theory.wrong_data import (
    best_composed_of_right,
    initial_success,
    raises_signal,
    unlearning_time,
)

RELAXED = settings(deadline=None, max_examples=50)


def test_coverage_is_the_share_of_types_met() -> None:
    draws = np.random.default_rng(0).integers(0, 50, size=(4000, 60))
    met = np.mean([len(np.unique(row)) for row in draws]) / 50
    assert coverage(60, 50) == pytest.approx(met, abs=0.004)
    assert coverage(0, 50) == 0
    assert coverage(1, 50) == pytest.approx(1 / 50)
    assert coverage(1e9, 50) == 1


@RELAXED
@given(st.floats(0.01, 5000))
def test_elasticity_is_the_log_derivative(problems: float) -> None:
    up, down = problems * 1.0005, problems * 0.9995
    slope = (math.log(coverage(up, 200)) - math.log(coverage(down, 200))) / math.log(up / down)
    assert coverage_elasticity(problems, 200) == pytest.approx(slope, abs=1e-6)


def test_elasticity_at_its_ends() -> None:
    assert coverage_elasticity(0, 200) == 1
    assert coverage_elasticity(1e9, 200) == 0
    values = [coverage_elasticity(q, 200) for q in (0.1, 10, 200, 2000)]
    assert all(b < a for a, b in pairwise(values))


def test_the_budget_has_its_best_in_between() -> None:
    n = best_modes(3200, types=200, steps=2, untrained=0.1, largest=64)
    assert 1 < n < 64

    def value(modes: int) -> float:
        return budget_value(modes, 3200, types=200, steps=2, untrained=0.1)

    assert value(n) > max(value(n - 1), value(n + 1))
    # Few problems are enough for 3 types, many are wanted for 10^6.
    assert best_modes(3200, types=3, steps=2, untrained=0.1, largest=64) == 64
    assert best_modes(64, types=10**6, steps=2, untrained=0.24, largest=64) < 64


@pytest.mark.parametrize("n", [2, 8, 32, 64])
def test_the_discrete_rule_agrees_with_the_values(n: int) -> None:
    for solutions in (64, 640, 6400):
        many = budget_value(n, solutions, types=200, steps=2, untrained=0.1)
        one = budget_value(1, solutions, types=200, steps=2, untrained=0.1)
        pay = many_pay(
            best_composed(n, 2), best_composed(1, 2),
            modes=n, solutions=solutions, types=200, untrained=0.1,
        )  # fmt: skip
        assert pay == (many > one)


@pytest.mark.parametrize("n", [1, 4, 16])
def test_forcing_helps_a_heuristic_below_its_threshold_alone(n: int) -> None:
    threshold = frequency_threshold(n, 200)
    assert 1 / n <= threshold + 1e-12
    assert threshold == pytest.approx(1 / n, rel=5e-3)
    forced = missed_forced(n, 800, 200)
    assert missed_self_chosen(threshold, 800, 200) == pytest.approx(forced)
    assert missed_self_chosen(threshold * 0.9, 800, 200) > forced
    if n > 1:
        assert missed_self_chosen(threshold * 1.1, 800, 200) < forced


@RELAXED
@given(st.floats(0, 1), st.floats(0, 1), st.integers(3, 32))
def test_contamination_raises_the_signal_just_where_it_says(
    p: float, wrong: float, group: int
) -> None:
    change = mixed_rate((1 - wrong) * p, group) - mixed_rate(p, group)
    if abs(change) > 1e-9:
        assert raises_signal(p, wrong) == (change > 0)


def test_wrong_data_costs_time_until_it_is_gone() -> None:
    time = unlearning_time(0.375, 0.7, remaining=0.01)
    left = 0.375 / (0.375 + 0.625 * math.exp(0.7 * time))
    assert left == pytest.approx(0.01)
    assert unlearning_time(0.005, 0.7, remaining=0.01) == 0
    assert unlearning_time(0.375, 0.7, remaining=0.001) > time
    assert initial_success(0, 0.7, 3) == pytest.approx(0.343)
    assert initial_success(1, 0.7) == 0


def test_wrong_modes_leave_the_coverage_of_the_right_ones() -> None:
    assert best_composed_of_right(16, 12, 3) == best_composed(4, 3)
    assert best_composed_of_right(16, 16, 3) == 0


def test_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="types"):
        coverage(10, 1)
    with pytest.raises(ValueError, match="problems"):
        coverage(-1, 10)
    with pytest.raises(ValueError, match="solutions"):
        budget_value(8, 4, types=200, steps=2, untrained=0.1)
    with pytest.raises(ValueError, match="largest"):
        best_modes(8, types=200, steps=2, untrained=0.1, largest=0)
    with pytest.raises(ValueError, match="value_one"):
        many_pay(0.5, 0.1, modes=2, solutions=10, types=5, untrained=0.1)
    with pytest.raises(ValueError, match="frequency"):
        missed_self_chosen(1.2, 10, 5)
    with pytest.raises(ValueError, match="modes"):
        frequency_threshold(0, 10)
    with pytest.raises(ValueError, match="wrong"):
        unlearning_time(1, 0.5, remaining=0.1)
    with pytest.raises(ValueError, match="wrong"):
        best_composed_of_right(4, 5, 1)
    with pytest.raises(ValueError, match="p must"):
        raises_signal(1.1, 0.1)
    with pytest.raises(ValueError, match="steps"):
        initial_success(0.1, 0.5, 0)
