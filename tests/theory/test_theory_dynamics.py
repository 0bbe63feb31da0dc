import math

import numpy as np
import pytest
from simulation import simulate

from manyways.theory import dynamics
from manyways.theory.dynamics import (
    escape_time,
    natural_flow,
)

START = np.array([0.05, 0.6, 0.35])
SUCCESS = np.array([0.8, 0.5, 0.3])
RULES: tuple[dynamics.Rule, ...] = ("natural", "vanilla")


def test_the_replicator_agrees_with_its_closed_form() -> None:
    times = [0.0, 1.0, 5.0, 20.0]
    integrated = simulate(START, SUCCESS, times_N=times, rule="natural")
    for time, policy in zip(times, integrated, strict=True):
        assert policy == pytest.approx(natural_flow(START, SUCCESS, time), abs=1e-8)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("mass", [0.01, 0.2])
def test_the_escape_takes_as_long_as_it_says(rule: dynamics.Rule, mass: float) -> None:
    time = escape_time(mass, 0.3, rule)
    end = simulate([mass, 1 - mass], [0.8, 0.5], times_N=[time], rule=rule)
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


def test_the_natural_flow_is_the_best_trade_of_reward_and_divergence() -> None:
    time = 4.0
    best = natural_flow(START, SUCCESS, time)

    def objective(policy: np.ndarray) -> float:
        divergence = float((policy * np.log(policy / START)).sum())
        return float(policy @ SUCCESS) - divergence / time

    random = np.random.default_rng(3)
    others = [0.9 * best + 0.1 * other for other in random.dirichlet(np.ones(3), size=30)]
    assert all(objective(best) > objective(other) for other in others)


def test_out_of_range_is_refused() -> None:
    for mass in (0.0, 0.6, math.nan):
        with pytest.raises(ValueError, match="mass"):
            escape_time(mass, 0.3, "natural")
    with pytest.raises(ValueError, match="gap"):
        escape_time(0.1, 0.0, "natural")
    with pytest.raises(ValueError, match="rule"):
        escape_time(0.1, 0.3, "other")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="success"):
        natural_flow(START, [0.1, 0.2, 1.2], 1)
    with pytest.raises(ValueError, match="shape"):
        natural_flow(START, [0.1, 0.2], 1)
    with pytest.raises(ValueError, match="time"):
        natural_flow(START, SUCCESS, -1)
