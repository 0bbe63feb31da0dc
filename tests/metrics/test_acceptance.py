import tracemalloc

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from manyways.metrics.acceptance import LEAST, _Cells, fit_prior


def sampled(chance_PH, tries, seed=0):
    """Attempts at every cell until the first success, at most ``tries``."""
    luck_PHN = np.random.default_rng(seed).random((*chance_PH.shape, tries)) < chance_PH[..., None]
    accepted_PH = luck_PHN.any(axis=2)
    return np.where(accepted_PH, luck_PHN.argmax(axis=2) + 1, tries), accepted_PH


def test_without_attempts_all_cells_are_alike():
    prior = fit_prior(np.zeros((4, 3)), np.zeros((4, 3)))
    assert np.ptp(prior.mean_PH) == pytest.approx(0, abs=1e-9)
    assert np.isfinite(prior.strength)


def test_the_gradient_is_that_of_the_loss():
    tried_PH, accepted_PH = sampled(np.full((3, 2), 0.4), 5)
    tried_PH[1, 1], accepted_PH[1, 1] = 0, False
    cells = _Cells(tried_PH, accepted_PH, np.array([[1.0, 0.2], [-0.5, 0.9], [0.1, -1.1]]))
    theta = np.array([0.3, -0.4, 0.5, -0.2, 0.1, 0.7, -0.6, 0.4, -0.9, 0.8, 0.3])
    spreads = (0.8, 1.3, 0.6)
    numeric = approx_fprime(theta, lambda t: cells.loss(t, spreads)[0], 1e-6)
    assert cells.loss(theta, spreads)[1] == pytest.approx(numeric, abs=1e-4)


def test_the_loss_is_the_beta_binomial_one():
    """One cell, two failures and a success: B(a + 1, b + 2) / B(a, b), and the priors."""
    cells = _Cells(np.array([[3]]), np.array([[1]]))
    m, s = 1 / (1 + np.exp(-0.5)), np.exp(0.7)
    likelihood = s * m * s * (1 - m) * (s * (1 - m) + 1) / (s * (s + 1) * (s + 2))
    penalty = 0.5 * ((0.5 / 3.0) ** 2 + (0.7 / 2.0) ** 2)
    value, _ = cells.loss(np.array([0.5, 0.7, 0.0, 0.0]), (1.0, 1.0, 1.0))
    assert value == pytest.approx(penalty - np.log(likelihood))


def test_heuristics_and_problems_lend_their_attempts_to_cells_that_have_none():
    chance_PH = np.full((40, 4), 0.3)
    chance_PH[:, 0] = 0.8
    chance_PH[:20] *= 0.3
    tried_PH, accepted_PH = sampled(chance_PH, 4)
    tried_PH[::5, :2], accepted_PH[::5, :2] = 0, False
    prior = fit_prior(tried_PH, accepted_PH)
    chance = prior.chance(tried_PH, accepted_PH)
    untried = chance[::5]
    assert untried[:, 0].mean() > 1.5 * untried[:, 1].mean()
    assert chance[20:, 0].mean() > 1.2 * chance[:20, 0].mean()
    assert prior.spreads[0] > LEAST < prior.spreads[1]


def test_chances_are_calibrated():
    """Expected and true chance of the next attempt agree over cells drawn from the model.

    Single fits are off by up to a third, either way: the strength is hard to tell from 3 attempts.
    """
    expected, true = [], []
    for seed in range(6):
        random = np.random.default_rng(seed)
        logit_PH = -1 + random.normal(size=(1, 6)) + 0.7 * random.normal(size=(100, 1))
        mean_PH = 1 / (1 + np.exp(-logit_PH))
        chance_PH = random.beta(2 * mean_PH, 2 * (1 - mean_PH))
        tried_PH, accepted_PH = sampled(chance_PH, 3, seed + 100)
        prior = fit_prior(tried_PH, accepted_PH)
        assert 1 < prior.strength < 4.5
        expected.append(prior.chance(tried_PH, accepted_PH)[~accepted_PH])
        true.append(chance_PH[~accepted_PH])
    expected_C, true_C = np.concatenate(expected), np.concatenate(true)
    for part in np.array_split(np.argsort(expected_C), 3):
        assert expected_C[part].mean() == pytest.approx(true_C[part].mean(), rel=0.25)


def test_failures_lower_the_chance_of_a_cell_faster_where_cells_are_all_or_nothing():
    sure = sampled(
        np.random.default_rng(2).permutation(np.repeat([0.0, 1.0], 60)).reshape(30, 4), 4
    )
    even = sampled(np.full((30, 4), 0.5), 4)
    left = []
    for tried_PH, accepted_PH in (sure, even):
        prior = fit_prior(tried_PH, accepted_PH)
        after = prior.chance(np.full((30, 4), 2), np.zeros((30, 4)))
        left.append((after / prior.mean_PH).mean())
    assert left[0] < 0.2
    assert left[1] > 0.7


def test_a_heuristic_is_expected_where_problems_read_alike():
    """Two sorts of problems, each with a heuristic of its own: only features can tell."""
    sort_P = np.repeat([1.0, -1.0], 30)
    chance_PH = np.where(sort_P[:, None] * np.array([1.0, -1.0, 0.0]) > 0, 0.9, 0.05)
    tried_PH, accepted_PH = sampled(chance_PH, 2)
    tried_PH[::3], accepted_PH[::3] = 0, False
    blind = fit_prior(tried_PH, accepted_PH).mean_PH[::3]
    seeing = fit_prior(tried_PH, accepted_PH, sort_P[:, None])
    untried = seeing.mean_PH[::3]
    assert untried[:10, 0].min() > 5 * untried[:10, 1].max()
    assert untried[10:, 1].min() > 5 * untried[10:, 0].max()
    assert np.ptp(blind[:, 0]) < 0.2
    assert seeing.spreads[2] > 1


def test_features_that_tell_nothing_are_hardly_used():
    random = np.random.default_rng(3)
    chance_PH = random.beta(1, 2, size=(60, 6))
    tried_PH, accepted_PH = sampled(chance_PH, 3)
    noise_PF = random.normal(size=(60, 8)) / np.sqrt(8)
    with_noise = fit_prior(tried_PH, accepted_PH, noise_PF)
    without = fit_prior(tried_PH, accepted_PH)
    assert with_noise.spreads[2] < 0.7
    assert np.abs(with_noise.mean_PH - without.mean_PH).mean() < 0.06


def test_a_fit_is_not_quadratic_in_cells():
    """Eight times the heuristics take about eight times the memory, not 64 times."""
    most = {}
    for heuristics in (2, 16):
        tried_PH, accepted_PH = sampled(np.full((500, heuristics), 0.3), 3)
        cells = _Cells(tried_PH, accepted_PH, np.random.default_rng(0).normal(size=(500, 32)))
        theta = np.full(cells.size, 0.1)
        tracemalloc.start()
        cells.loss(theta, (1.0, 1.0, 1.0))
        most[heuristics] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert most[16] < 12 * most[2]
