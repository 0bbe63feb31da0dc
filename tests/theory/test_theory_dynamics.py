import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad

from manyways.theory import dynamics
from manyways.theory.dynamics import (
    discovery,
    entropy_after,
    entropy_speed,
    escape_time,
    expected_success,
    improvement,
    natural_flow,
    simulate,
    speed,
    takeover_time,
)
from manyways.theory.sft import entropy

START = np.array([0.05, 0.6, 0.35])
SUCCESS = np.array([0.8, 0.5, 0.3])
RULES: tuple[dynamics.Rule, ...] = ("natural", "vanilla")


def test_the_replicator_agrees_with_its_closed_form() -> None:
    times = [0.0, 1.0, 5.0, 20.0]
    integrated = simulate(START, SUCCESS, times_N=times, rule="natural")
    for time, policy in zip(times, integrated, strict=True):
        assert policy == pytest.approx(natural_flow(START, SUCCESS, time), abs=1e-8)


@pytest.mark.parametrize("rule", RULES)
def test_speed_and_improvement_are_derivatives_of_the_flow(rule: dynamics.Rule) -> None:
    h = 1e-3
    later = simulate(START, SUCCESS, times_N=[h, 2 * h], rule=rule)
    slope = (4 * later[0] - later[1] - 3 * START) / (2 * h)
    assert slope == pytest.approx(speed(START, SUCCESS, rule), abs=1e-6)
    gained = float(speed(START, SUCCESS, rule) @ SUCCESS)
    assert gained == pytest.approx(improvement(START, SUCCESS, rule), abs=1e-12)
    assert speed(START, SUCCESS, rule).sum() == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("rule", RULES)
def test_success_never_falls_and_one_mode_never_improves(rule: dynamics.Rule) -> None:
    path = simulate(START, SUCCESS, times_N=np.linspace(0, 50, 40), rule=rule)
    values = [expected_success(policy / policy.sum(), SUCCESS) for policy in path]
    assert all(b >= a - 1e-9 for a, b in pairwise(values))
    assert improvement([0.0, 1.0, 0.0], SUCCESS, rule) == 0
    stuck = simulate([0.0, 1.0, 0.0], SUCCESS, times_N=[100.0], rule=rule)
    assert stuck[0].tolist() == [0.0, 1.0, 0.0]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("mass", [0.01, 0.2])
def test_the_escape_takes_as_long_as_it_says(rule: dynamics.Rule, mass: float) -> None:
    time = escape_time(mass, 0.3, rule)
    end = simulate([mass, 1 - mass], [0.8, 0.5], times_N=[time], rule=rule)
    assert end[0, 0] == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("n", [2, 5])
def test_the_best_mode_takes_over_when_it_says(rule: dynamics.Rule, n: int) -> None:
    success = np.where(np.arange(n) == 0, 0.8, 0.5)
    end = simulate(np.full(n, 1 / n), success, times_N=[takeover_time(n, 0.3, rule)], rule=rule)
    assert end[0, 0] == pytest.approx(0.5, abs=1e-6)


def test_orders_of_the_escape_time() -> None:
    small = 1e-8
    assert escape_time(small, 0.3, "vanilla") * 2 * small * 0.3 == pytest.approx(1, abs=1e-5)
    assert escape_time(small, 0.3, "natural") == pytest.approx(math.log(1 / small) / 0.3)
    assert escape_time(0.5, 0.3, "vanilla") == escape_time(0.5, 0.3, "natural") == 0
    for rule in RULES:
        times = [escape_time(mass, 0.3, rule) for mass in (0.001, 0.01, 0.1, 0.4)]
        assert times == sorted(times, reverse=True)
        assert escape_time(0.1, 0.6, rule) == pytest.approx(escape_time(0.1, 0.3, rule) / 2)


def test_discovery_is_the_share_of_runs_that_see_a_reward() -> None:
    hits = np.random.default_rng(0).binomial(64, 0.02 * 0.5, size=40_000) > 0
    sigma = math.sqrt(discovery(0.02, 0.5, 64) * (1 - discovery(0.02, 0.5, 64)) / 40_000)
    assert abs(hits.mean() - discovery(0.02, 0.5, 64)) < 4 * sigma
    assert discovery(0.02, 0.5, 0) == 0
    assert discovery(1, 1, 1) == 1


def test_the_entropy_law() -> None:
    success = np.array([0.9, 0.5, 0.4, 0.1])
    assert entropy_after(success, 0) == pytest.approx(math.log(4))
    lost = quad(lambda t: entropy_speed(success, t), 0, 6)[0]
    assert entropy_after(success, 6) - math.log(4) == pytest.approx(lost, abs=1e-9)
    small = 1e-2
    expected = math.log(4) - small**2 * success.var() / 2
    assert entropy_after(success, small) == pytest.approx(expected, abs=1e-7)
    policy = natural_flow(np.full(4, 0.25), success, 3)
    assert entropy_speed(success, 3) == pytest.approx(-3 * improvement(policy, success, "natural"))


def test_the_natural_flow_is_the_best_trade_of_reward_and_divergence() -> None:
    time = 4.0
    best = natural_flow(START, SUCCESS, time)

    def objective(policy: np.ndarray) -> float:
        divergence = float((policy * np.log(policy / START)).sum())
        return expected_success(policy, SUCCESS) - divergence / time

    random = np.random.default_rng(3)
    others = [0.9 * best + 0.1 * other for other in random.dirichlet(np.ones(3), size=30)]
    assert all(objective(best) > objective(other) for other in others)
    assert entropy(best) > 0


def test_out_of_range_is_refused() -> None:
    for mass in (0.0, 0.6, math.nan):
        with pytest.raises(ValueError, match="mass"):
            escape_time(mass, 0.3, "natural")
    with pytest.raises(ValueError, match="gap"):
        escape_time(0.1, 0.0, "natural")
    with pytest.raises(ValueError, match="rule"):
        escape_time(0.1, 0.3, "other")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="modes"):
        takeover_time(1, 0.3, "vanilla")
    with pytest.raises(ValueError, match="success"):
        natural_flow(START, [0.1, 0.2, 1.2], 1)
    with pytest.raises(ValueError, match="shape"):
        natural_flow(START, [0.1, 0.2], 1)
    with pytest.raises(ValueError, match="time"):
        natural_flow(START, SUCCESS, -1)
    with pytest.raises(ValueError, match="rising"):
        simulate(START, SUCCESS, times_N=[2.0, 1.0], rule="natural")
    with pytest.raises(ValueError, match="attempts"):
        discovery(0.1, 0.1, -1)
