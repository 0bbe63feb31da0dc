from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyways.metrics.pass_at_k import (
    crossover,
    pass_at_k,
    pass_matrix,
    powers_of_two,
    sampling_variance,
    signal_rate,
)


def test_equals_the_share_of_subsets_with_a_correct_attempt() -> None:
    for n in range(1, 8):
        for c in range(n + 1):
            right = [i < c for i in range(n)]
            for k in range(1, n + 1):
                subsets = list(combinations(right, k))
                expected = sum(map(any, subsets)) / len(subsets)
                assert pass_at_k(n, c, k)[0] == pytest.approx(expected, abs=1e-15)


def test_equals_the_closed_form_for_every_n_up_to_64() -> None:
    """Against exact rationals, ``1 - prod_{i<k} (n-c-i)/(n-i)``, rounded once: not one bit off."""
    checked = 0
    for n in range(1, 65):
        missed = [Fraction(1)] * (n + 1)
        for k in range(1, n + 1):
            missed = [q * Fraction(max(n - c - k + 1, 0), n - k + 1) for c, q in enumerate(missed)]
            ours = pass_at_k(n, np.arange(n + 1), k)
            assert ours.tolist() == [float(1 - q) for q in missed], (n, k)
            checked += n + 1
    assert checked == sum(n * (n + 1) for n in range(1, 65))


def test_sampling_variance_is_that_of_the_share() -> None:
    p, n = 0.3, 8
    correct = np.random.default_rng(1).binomial(n, p, size=200_000)
    assert sampling_variance(n, correct).mean() == pytest.approx(p * (1 - p) / n, rel=0.01)
    assert np.isnan(sampling_variance(1, 1)[0])
    assert sampling_variance([4, 8], [4, 4]) == pytest.approx([0, 0.25 / 7])


def test_signal_rate_equals_the_share_of_mixed_groups() -> None:
    for n in range(1, 8):
        for c in range(n + 1):
            right = [i < c for i in range(n)]
            for group in range(1, n + 1):
                groups = list(combinations(right, group))
                mixed = sum(any(g) and not all(g) for g in groups) / len(groups)
                assert signal_rate(n, c, group)[0] == pytest.approx(mixed, abs=1e-15)


def test_reference_values() -> None:
    assert pass_at_k(16, 4, 8)[0] == pytest.approx(0.961538462, abs=1e-9)
    assert pass_at_k(32, 3, 4)[0] == pytest.approx(0.339516129, abs=1e-9)
    assert signal_rate(16, 10, 8)[0] == pytest.approx(0.996503497, abs=1e-9)
    assert signal_rate(16, 4, 8)[0] == pytest.approx(0.961538462, abs=1e-9)


def test_large_counts_lose_no_digits() -> None:
    assert pass_at_k(10_000, 1, 5000)[0] == 0.5
    assert pass_at_k(100_000, 1, 1)[0] == 1e-5
    assert pass_at_k(64, 1, 64)[0] == 1.0


def test_is_unbiased() -> None:
    p, n, k = 0.3, 12, 5
    random = np.random.default_rng(0)
    estimates = pass_at_k(n, random.binomial(n, p, size=200_000), k)
    assert estimates.mean() == pytest.approx(1 - (1 - p) ** k, abs=0.002)


def test_too_few_attempts_are_nan_and_impossible_counts_refused() -> None:
    assert np.isnan(pass_at_k([4, 8], [4, 4], 8)[0])
    assert pass_at_k([4, 8], [4, 4], 8)[1] == 1.0
    with pytest.raises(ValueError, match="between 0 and"):
        pass_at_k(4, 5, 1)
    with pytest.raises(ValueError, match="at least 1"):
        pass_at_k(4, 2, 0)


@given(st.integers(1, 40), st.data())
def test_never_falls_with_k_or_c(n: int, data: st.DataObject) -> None:
    c = data.draw(st.integers(0, n - 1))
    row = pass_matrix([n, n], [c, c + 1], range(1, n + 1))
    assert (np.diff(row, axis=1) >= 0).all()
    assert (row[1] >= row[0]).all()
    assert row[0, 0] == pytest.approx(c / n)


def test_powers_of_two() -> None:
    assert powers_of_two(64) == [1, 2, 4, 8, 16, 32, 64]
    assert powers_of_two(63) == [1, 2, 4, 8, 16, 32]
    assert powers_of_two(0) == []


def test_crossover_of_a_unimodal_and_a_bimodal_policy() -> None:
    w, a = 0.2, 0.8
    ks = [1, 2, 3, 4, 8, 16]
    one = [(1 - w) * (1 - (1 - a) ** k) for k in ks]
    two = [1 - (1 - a / 2) ** k for k in ks]
    assert one[4] == pytest.approx(0.799997952, abs=1e-9)
    assert two[4] == pytest.approx(0.98320384, abs=1e-9)
    assert crossover(ks, one, two) == pytest.approx(3.09786375, abs=0.03)
    assert crossover(ks, two, one) is None
    assert crossover([1, 2], [0.5, 0.6], [0.4, 0.5]) is None
    assert crossover([], [], []) is None
