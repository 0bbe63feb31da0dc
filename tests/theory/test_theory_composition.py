from itertools import pairwise

import numpy as np
import pytest

from manyways.theory.composition import (
    best_is_composed_rate,
    complementary_rate,
    complementary_time,
    initial_drift,
    initial_drift_two,
    rate_after_selection,
    two_by_two_rate,
)
from manyways.theory.dynamics import natural_flow, simulate
from manyways.theory.trajectories import (
    composed_rate,
    composed_speed,
    leak_of_rate,
    sticky_rate,
    sticky_tree,
    tree_success,
)

COMPLEMENTARY = ((0.9, 0.4), (0.4, 0.9))
DOMINATED = ((0.9, 0.4), (0.9, 0.4))


@pytest.mark.parametrize(("modes", "steps"), [(2, 2), (3, 4), (5, 1)])
def test_the_sticky_tree_is_a_policy_with_the_composition_of_its_leak(
    modes: int, steps: int
) -> None:
    tree = sticky_tree(modes, steps, 0.15)
    assert tree.shape == (modes,) * steps
    assert tree.sum() == pytest.approx(1)
    assert composed_rate(tree) == pytest.approx(sticky_rate(0.15, steps), abs=1e-12)
    if steps > 1:
        assert leak_of_rate(sticky_rate(0.15, steps), steps) == pytest.approx(0.15)


def test_a_trajectory_succeeds_if_every_step_does() -> None:
    tree = tree_success([[0.9, 0.5], [0.2, 0.4], [0.5, 1.0]])
    assert tree.shape == (2, 2, 2)
    assert tree[0, 1, 1] == pytest.approx(0.9 * 0.4 * 1.0)
    assert tree[1, 0, 0] == pytest.approx(0.5 * 0.2 * 0.5)


def test_the_natural_flow_over_trajectories_is_that_of_separate_steps() -> None:
    start, reward = sticky_tree(2, 2, 0.2), tree_success(COMPLEMENTARY)
    flat = simulate(start.ravel(), reward.ravel(), times_N=[3.0], rule="natural")[0]
    assert flat == pytest.approx(natural_flow(start, reward, 3.0).ravel(), abs=1e-8)
    # Each prefix a softmax of its own, moved by its advantage (d theta = advantage).
    first, second = np.log(start.sum(axis=1)), np.log(start / start.sum(axis=1, keepdims=True))
    h = 1e-3
    for _ in range(3000):
        given = np.exp(second - np.logaddexp.reduce(second, axis=1)[:, None])
        value = (given * reward).sum(axis=1)
        first, second = first + h * value, second + h * (reward - value[:, None])
    tree = np.exp(first - np.logaddexp.reduce(first))[:, None] * given
    assert tree == pytest.approx(natural_flow(start, reward, 3.0), abs=1e-3)


def test_the_price_equation_is_the_derivative_of_the_rate() -> None:
    random = np.random.default_rng(0)
    start = random.dirichlet(np.ones(27)).reshape(3, 3, 3)
    reward = tree_success(random.random((3, 3)))
    h = 1e-4
    rates = [composed_rate(natural_flow(start, reward, t)) for t in (0.0, h, 2 * h)]
    slope = (4 * rates[1] - rates[2] - 3 * rates[0]) / (2 * h)
    assert composed_speed(start, reward) == pytest.approx(slope, abs=1e-7)
    rate = rates[0]
    composed = np.array([len(set(i)) > 1 for i in np.ndindex(3, 3, 3)]).reshape(3, 3, 3)
    mean_composed = (start * reward)[composed].sum() / rate
    mean_pure = (start * reward)[~composed].sum() / (1 - rate)
    expected = rate * (1 - rate) * (mean_composed - mean_pure)
    assert composed_speed(start, reward) == pytest.approx(expected)


def test_the_first_drift_has_the_sign_of_minus_the_covariance() -> None:
    random = np.random.default_rng(1)
    for n in (2, 3, 6):
        s1, s2 = random.random(n), random.random(n)
        exact = composed_speed(sticky_tree(n, 2, 0.2), tree_success([s1, s2]))
        assert initial_drift(s1, s2, 0.2) == pytest.approx(exact, abs=1e-12)
        assert np.sign(exact) == -np.sign(np.cov(s1, s2)[0, 1])


@pytest.mark.parametrize("mass", [0.0, 0.3, 0.99])
def test_the_first_drift_of_an_uneven_start(mass: float) -> None:
    start = np.array([[mass * 0.9, mass * 0.1], [(1 - mass) * 0.1, (1 - mass) * 0.9]])
    exact = composed_speed(start, tree_success(COMPLEMENTARY))
    drift = initial_drift_two(COMPLEMENTARY, 0.1, first_mass=mass)
    assert drift == pytest.approx(exact, abs=1e-12)
    if mass == 0.99:
        assert drift > initial_drift_two(COMPLEMENTARY, 0.1, first_mass=0.5) > 0


def test_complementary_strengths_raise_composition_and_dominated_lower_it() -> None:
    times = np.linspace(0, 15, 16)
    rising = [complementary_rate(t, 0.2, high=0.9, low=0.4) for t in times]
    falling = [two_by_two_rate(t, DOMINATED, leaks=(0.2, 0.2)) for t in times]
    assert all(b > a for a, b in pairwise(rising))
    assert all(b < a for a, b in pairwise(falling))
    general = [two_by_two_rate(t, COMPLEMENTARY, leaks=(0.2, 0.2)) for t in times]
    assert rising == pytest.approx(general, abs=1e-12)
    assert complementary_rate(1e6, 0.2, high=0.9, low=0.4) == 1


def test_the_time_to_a_rate_undoes_the_rate() -> None:
    for leak, target, low in ((0.233, 0.567, 0.4), (1e-6, 0.999, 0.0), (0.3, 0.30001, 0.5)):
        time = complementary_time(target, leak, high=0.9, low=low)
        rate = complementary_rate(time, leak, high=0.9, low=low)
        assert rate == pytest.approx(target, abs=1e-9)
    assert complementary_time(0.3, 0.3, high=0.9, low=0.4) == 0


def test_selection_keeps_the_mass_of_correct_attempts() -> None:
    kept = sticky_tree(2, 2, 0.233) * tree_success(COMPLEMENTARY)
    expected = composed_rate(kept / kept.sum())
    assert rate_after_selection(0.233, high=0.9, low=0.4) == pytest.approx(expected)


def test_no_leak_stays_no_composition() -> None:
    pure = sticky_tree(2, 2, 0.0)
    assert composed_speed(pure, tree_success(COMPLEMENTARY)) == 0
    assert composed_rate(natural_flow(pure, tree_success(COMPLEMENTARY), 1e3)) == 0


def test_drift_and_limit_can_disagree() -> None:
    success = np.array([[0.9, 0.5, 0.1], [0.8, 0.85, 0.1]])
    start, reward = sticky_tree(3, 2, 0.2), tree_success(success)
    rates = [composed_rate(natural_flow(start, reward, t)) for t in np.linspace(0, 60, 601)]
    assert rates[0] == pytest.approx(0.2)
    assert initial_drift(*success, 0.2) < 0
    assert min(rates) == pytest.approx(0.138, abs=5e-4)
    assert composed_rate(natural_flow(start, reward, 1e3)) == pytest.approx(1)


def test_the_best_trajectory_is_composed_as_often_as_it_says() -> None:
    strengths = np.random.default_rng(2).random((20_000, 3, 4))
    best = strengths.argmax(axis=2)
    share = (best != best[:, :1]).any(axis=1).mean()
    assert share == pytest.approx(best_is_composed_rate(4, 3), abs=0.007)
    assert best_is_composed_rate(1, 5) == best_is_composed_rate(5, 1) == 0


def test_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="leak"):
        sticky_rate(1.2, 3)
    with pytest.raises(ValueError, match="steps - 1"):
        leak_of_rate(0.2, 1)
    with pytest.raises(ValueError, match="too many"):
        sticky_tree(16, 8, 0.1)
    with pytest.raises(ValueError, match="steps by heuristics"):
        tree_success([0.1, 0.2])
    with pytest.raises(ValueError, match="same heuristics"):
        composed_rate(np.full((2, 3), 1 / 6))
    with pytest.raises(ValueError, match="heuristics"):
        initial_drift([0.5], [0.5], 0.1)
    with pytest.raises(ValueError, match="s_1A"):
        two_by_two_rate(1, [[0.1, 0.2]], leaks=(0.1, 0.1))
    with pytest.raises(ValueError, match="low must be below"):
        complementary_rate(1, 0.2, high=0.4, low=0.9)
    with pytest.raises(ValueError, match="target"):
        complementary_time(0.1, 0.2, high=0.9, low=0.4)
    with pytest.raises(ValueError, match="heuristics"):
        best_is_composed_rate(0, 2)
