import numpy as np
import pytest

from manyways.metrics.composition import effective_numbers
from manyways.metrics.intervals import Resampling, bootstrap_means, draw_counts, mean_intervals
from manyways.metrics.modes import (
    Openings,
    moved_towards_success,
    openings,
    pooled_effective,
    selection_variance,
)


def test_openings_count_attempts_and_right_ones() -> None:
    found = openings([0, 0, 1, 1, 1], [1, 1, 0, 2, 2], [True, False, True, True, True], labels=3)
    assert found.tried_PH.tolist() == [[0, 2, 0], [1, 0, 2]]
    assert found.right_PH.tolist() == [[0, 1, 0], [1, 0, 2]]
    assert found.success_P.tolist() == [0.5, 1.0]


def test_effective_number_has_less_small_sample_bias() -> None:
    random = np.random.default_rng(0)
    counts = random.multinomial(8, [0.25] * 4, size=4000).astype(float)
    plain = np.exp([-(p[p > 0] * np.log(p[p > 0])).sum() for p in counts / 8]).mean()
    corrected = effective_numbers(counts).mean()
    assert abs(corrected - 4) < 0.65 * abs(plain - 4), "less biased than the plug-in"
    assert effective_numbers(np.array([[5.0, 0.0]])).tolist() == [1.0]


def test_selection_variance_is_unbiased_and_zero_for_one_mode() -> None:
    random = np.random.default_rng(1)
    problems, each = 4000, 4
    tried = np.full((problems, 2), float(each))
    right = random.binomial(each, [0.8, 0.5], size=(problems, 2)).astype(float)
    found = selection_variance(Openings(tried_PH=tried, right_PH=right))
    error = found.std() / np.sqrt(problems)
    assert found.mean() == pytest.approx(0.0225, abs=4 * error)
    assert found.min() < 0, "unbiased, so not truncated at 0"
    one = Openings(tried_PH=np.array([[6.0, 0.0]]), right_PH=np.array([[3.0, 0.0]]))
    assert selection_variance(one).tolist() == [0.0]
    alone = Openings(tried_PH=np.array([[1.0, 1.0]]), right_PH=np.array([[1.0, 0.0]]))
    assert np.isnan(selection_variance(alone)).all()


def test_mass_that_moves_to_success_counts_positive_and_noise_counts_nothing() -> None:
    before = Openings(tried_PH=np.array([[4.0, 4.0]]), right_PH=np.array([[4.0, 0.0]]))
    up = Openings(tried_PH=np.array([[8.0, 0.0]]), right_PH=np.zeros((1, 2)))
    assert moved_towards_success(before, up).tolist() == [0.5]
    assert moved_towards_success(before, before).tolist() == [0.0]
    random = np.random.default_rng(2)
    tried = random.multinomial(8, [0.7, 0.3], size=3000).astype(float)
    noisy = Openings(tried_PH=tried, right_PH=random.binomial(tried.astype(int), 0.5).astype(float))
    later = random.multinomial(8, [0.5, 0.5], size=3000).astype(float)
    moved = moved_towards_success(noisy, Openings(tried_PH=later, right_PH=later))
    assert moved.mean() == pytest.approx(0.0, abs=4 * moved.std() / np.sqrt(3000))


def test_pooled_effective_uses_the_same_resamples() -> None:
    counts = np.eye(4) * 10
    a, b = pooled_effective([counts, counts], Resampling(resamples=50))
    assert (a == b).all()
    assert a[0] == pytest.approx(4.0, rel=1e-2)
    assert len(a) == 51
    assert a[1:].min() < 4


def test_resamples_and_bootstrap_means_agree_with_the_intervals() -> None:
    settings = Resampling(resamples=400, kind="percentile")
    values = np.random.default_rng(3).random((30, 2))
    mean_K, means_RK = bootstrap_means(values, settings)
    assert means_RK == pytest.approx(draw_counts(30, settings) @ values / 30, rel=1e-5)
    mean, low, high = mean_intervals(values, settings)
    assert mean_K == pytest.approx(mean)
    assert low == pytest.approx(np.quantile(means_RK, 0.025, axis=0))
    assert high == pytest.approx(np.quantile(means_RK, 0.975, axis=0))
