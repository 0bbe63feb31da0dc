from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from manyways.metrics.pass_at_k import signal_rate
from manyways.theory.signal import (
    mixed_rate,
    mixed_rate_bernoulli,
    mixed_rate_beta,
    mixed_rate_expansion,
    selection_variance,
    several_modes_rate,
)

RELAXED = settings(deadline=None, max_examples=50)


@RELAXED
@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 64))
def test_the_rate_is_concave_and_symmetric(p: float, q: float, group: int) -> None:
    assert mixed_rate(p, group) == pytest.approx(mixed_rate(1 - p, group), abs=1e-12)
    chord = (mixed_rate(p, group) + mixed_rate(q, group)) / 2
    assert mixed_rate((p + q) / 2, group) >= chord - 1e-12


def test_ends_of_the_rate() -> None:
    assert mixed_rate(0, 8) == mixed_rate(1, 8) == mixed_rate(0.4, 1) == 0
    assert mixed_rate(0.4, 10_000) == 1


def test_the_estimator_from_counts_is_unbiased_for_it() -> None:
    p, attempts, group = 0.3, 10, 4
    weights = stats.binom.pmf(np.arange(attempts + 1), attempts, p)
    estimates = signal_rate(attempts, np.arange(attempts + 1), group)
    assert weights @ estimates == pytest.approx(mixed_rate(p, group), abs=1e-12)


def test_more_modes_never_lower_the_mean_rate() -> None:
    rates = [mixed_rate_bernoulli(0.3, n, 8) for n in (1, 2, 3, 8, 32, 2000)]
    assert rates[0] == pytest.approx(0, abs=1e-15)
    assert all(b > a for a, b in pairwise(rates))
    assert rates[-1] == pytest.approx(mixed_rate(0.3, 8), abs=1e-3)


def test_the_expansion_is_good_to_second_order() -> None:
    for n in (200, 400):
        exact = mixed_rate_bernoulli(0.3, n, 4)
        error = abs(exact - mixed_rate_expansion(0.3, n, 4, variance=0.21))
        assert error < 3 / n**2
    same = mixed_rate_expansion(0.3, 1, 4, variance=0)
    assert same == mixed_rate(0.3, 4)


def test_the_beta_form_is_the_mean_over_the_density() -> None:
    grid = (np.arange(20_000) + 0.5) / 20_000
    mean = np.mean([1 - grid**8 - (1 - grid) ** 8] * stats.beta.pdf(grid, 2, 3))
    assert mixed_rate_beta(2, 3, 8) == pytest.approx(mean, abs=1e-6)
    assert mixed_rate_beta(1e8, 1e8, 8) == pytest.approx(mixed_rate(0.5, 8), abs=1e-6)


def test_variance_splits_into_noise_and_selection() -> None:
    policy, success = np.array([0.2, 0.5, 0.3]), np.array([0.9, 0.4, 0.6])
    p = policy @ success
    noise = policy @ (success * (1 - success))
    assert noise + selection_variance(policy, success) == pytest.approx(p * (1 - p))
    assert selection_variance([1.0, 0.0], [0.5, 0.9]) == 0


def test_several_modes_in_a_group_by_counting() -> None:
    groups = list(product(range(3), repeat=4))
    assert several_modes_rate(3, 4) == pytest.approx(
        sum(len(set(g)) > 1 for g in groups) / len(groups)
    )
    assert several_modes_rate(1, 4) == several_modes_rate(3, 1) == 0


def test_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="p must"):
        mixed_rate(-0.1, 8)
    with pytest.raises(ValueError, match="group"):
        mixed_rate(0.1, 0)
    with pytest.raises(ValueError, match="modes"):
        mixed_rate_bernoulli(0.1, 0, 8)
    with pytest.raises(ValueError, match="a must"):
        mixed_rate_beta(0, 1, 8)
    with pytest.raises(ValueError, match="variance"):
        mixed_rate_expansion(0.3, 4, 8, variance=0.3)
