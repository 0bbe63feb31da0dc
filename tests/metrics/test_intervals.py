import numpy as np
import pytest
from scipy import stats
from scipy.special import betaln

from manyways.metrics.differences import difference_intervals, holm, sign_flip
from manyways.metrics.intervals import (
    Resampling,
    clustered_share,
    mean_intervals,
    score_intervals,
    t_interval,
    wilson,
)
from manyways.metrics.pass_at_k import pass_at_k

FAST = Resampling(resamples=1000)


def test_wilson_reference_values() -> None:
    assert wilson(7, 30) == pytest.approx((0.117923881, 0.409283262), abs=1e-9)
    assert wilson(17, 30) == pytest.approx((0.39197307, 0.726225144), abs=1e-9)
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(0, 30)[0] == 0.0
    assert wilson(30, 30)[1] == 1.0


@pytest.mark.parametrize("kind", ["bca", "percentile"])
def test_the_interval_of_a_mean_covers_as_often_as_it_says(kind: str) -> None:
    random = np.random.default_rng(1)
    hits = 0
    trials = 400
    for i in range(trials):
        values = random.beta(0.5, 1.0, size=60)
        _, low, high = mean_intervals(values, Resampling(resamples=400, seed=i, kind=kind))
        hits += low[0] <= 1 / 3 <= high[0]
    assert 0.91 <= hits / trials <= 0.98


def test_the_stratified_interval_covers() -> None:
    random = np.random.default_rng(2)
    strata = np.repeat([0, 1], [20, 80])
    hits = 0
    for i in range(300):
        values = np.concatenate([random.random(20) * 0.4, 0.5 + random.random(80) * 0.5])
        mean, low, high = mean_intervals(values, Resampling(resamples=400, seed=i), strata)
        assert mean[0] == pytest.approx((values[:20].mean() + values[20:].mean()) / 2)
        hits += low[0] <= (0.2 + 0.75) / 2 <= high[0]
    assert 0.90 <= hits / 300 <= 0.985


def test_bca_agrees_with_scipy() -> None:
    values = np.random.default_rng(3).exponential(size=40)
    _, low, high = mean_intervals(values, Resampling(resamples=20_000))
    ours = (low[0], high[0])
    theirs = stats.bootstrap(
        (values,), np.mean, method="BCa", n_resamples=20_000, rng=np.random.default_rng(4)
    ).confidence_interval
    assert ours == pytest.approx(tuple(theirs), rel=0.02)


def test_columns_share_their_resamples_and_are_seeded() -> None:
    values = np.random.default_rng(0).random(30)
    both = mean_intervals(np.stack([values, values], axis=1), FAST)
    assert (both[1][0], both[2][0]) == (both[1][1], both[2][1])
    assert mean_intervals(values, FAST)[1][0] == both[1][0]
    assert mean_intervals(values, Resampling(resamples=1000, seed=1))[1][0] != both[1][0]


def test_constant_values_still_get_an_interval() -> None:
    mean, low, high = score_intervals(np.ones(20), FAST)
    assert (mean[0], high[0]) == (1.0, 1.0)
    assert low[0] == pytest.approx(wilson(20, 20)[0])
    mean, low, high = difference_intervals(np.zeros(30), FAST)
    assert high[0] == pytest.approx(1 - 0.05 ** (1 / 30))
    assert low[0] == -high[0]


def test_near_certainty_the_interval_is_never_narrower_than_wilsons() -> None:
    """199 problems solved and one nearly: resampling that knows nothing of the unseen hard ones."""
    saturated = np.array([1.0] * 199 + [0.99])
    alone = mean_intervals(saturated, FAST)
    assert alone[1][0] > 0.999
    mean, low, _ = score_intervals(saturated, FAST)
    assert low[0] == pytest.approx(wilson(mean[0] * 200, 200)[0])
    spread = np.random.default_rng(0).random(200)
    assert score_intervals(spread, FAST)[1][0] == mean_intervals(spread, FAST)[1][0]


def test_a_nearly_saturated_set_is_covered() -> None:
    random = np.random.default_rng(9)
    truth = 1 - np.exp(betaln(2, 0.3 + 8) - betaln(2, 0.3))
    hits = 0
    for i in range(300):
        values = pass_at_k(64, random.binomial(64, random.beta(2, 0.3, size=100)), 8)
        _, low, high = score_intervals(values, Resampling(resamples=400, seed=i % 4))
        hits += low[0] <= truth <= high[0]
    assert hits / 300 >= 0.95, "0.82 by BCa alone"


def test_no_problems_give_nan() -> None:
    assert np.isnan(mean_intervals(np.empty((0, 2)), FAST)[0]).all()


def test_sign_flip_enumerates_small_samples() -> None:
    assert sign_flip([0.5, 0.5, 0.5], FAST) == 2 / 8
    assert sign_flip([0.5, -0.5], FAST) == 1.0
    assert sign_flip([0.0, 0.0], FAST) == 1.0
    assert sign_flip([0.1, 0.0, 0.0, 0.3], FAST) == 2 / 4, "problems that agree say nothing"


def test_sign_flip_agrees_with_scipy_beyond_enumeration() -> None:
    differences = np.random.default_rng(5).normal(0.25, 1.0, size=40)
    theirs = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=20_000,
        rng=np.random.default_rng(6),
    ).pvalue  # fmt: skip
    assert sign_flip(differences, Resampling(resamples=20_000)) == pytest.approx(theirs, abs=0.015)


def test_sign_flip_draws_more_where_no_pattern_is_as_large() -> None:
    clear = np.linspace(0.5, 1.0, 40)
    assert sign_flip(clear, Resampling(resamples=200)) == 1 / 1001
    unclear = np.tile([0.5, -0.4], 20)
    assert sign_flip(unclear, Resampling(resamples=200)) * 201 == pytest.approx(
        round(sign_flip(unclear, Resampling(resamples=200)) * 201)
    )


def test_sign_flip_is_level_under_the_null() -> None:
    random = np.random.default_rng(7)
    p = [sign_flip(random.normal(size=25), Resampling(resamples=200, seed=i)) for i in range(500)]
    assert np.mean(np.array(p) <= 0.05) <= 0.08
    assert min(p) > 0


def test_stratified_differences_weigh_benchmarks_equally() -> None:
    differences = np.array([1.0] + [0.0] * 9 + [0.0])
    strata = np.array([0] * 10 + [1])
    assert mean_intervals(differences, FAST, strata)[0][0] == pytest.approx(0.05)


def test_clustered_share_widens_with_agreement_inside_clusters() -> None:
    same = clustered_share([4, 0] * 15, [4] * 30)
    mixed = clustered_share([2] * 30, [4] * 30)
    assert same[0] == mixed[0] == 0.5
    assert same[1:] == pytest.approx(wilson(14.5, 29), abs=0.002), "as 30 problems, not 120"
    assert mixed[1:] == pytest.approx(wilson(60, 120)), "never more than the attempts"
    assert clustered_share([0] * 30, [4] * 30)[1:] == wilson(0, 30)
    assert clustered_share([0], [0])[1:] == (0.0, 1.0)


def test_clustered_share_covers() -> None:
    random = np.random.default_rng(8)
    hits = 0
    for _ in range(1000):
        p_P = random.beta(0.6, 1.4, size=40)
        _, low, high = clustered_share(random.binomial(8, p_P), np.full(40, 8))
        hits += low <= 0.3 <= high
    assert 0.93 <= hits / 1000 <= 0.975


def test_t_interval() -> None:
    assert t_interval([1.0, 2.0, 3.0]) == pytest.approx((2.0, 2 - 2.484138, 2 + 2.484138), abs=1e-6)
    assert np.isnan(t_interval([1.0])[1])


def test_holm() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])
    assert holm([]).size == 0


def test_an_interval_does_not_depend_on_the_columns_beside_it():
    random = np.random.default_rng(0)
    for problems in (3, 7, 20, 60):
        correct_P = random.integers(0, 9, problems)
        values_PK = np.stack([pass_at_k([8] * problems, correct_P, k) for k in (1, 2, 4, 8)], 1)
        together = np.stack(score_intervals(values_PK, Resampling()))
        alone = [np.concatenate(score_intervals(values_PK[:, k], Resampling())) for k in range(4)]
        assert together == pytest.approx(np.stack(alone, axis=1), abs=1e-9)
