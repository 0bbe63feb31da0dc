import numpy as np
import pytest
from simulation import simulate

from manyways.theory.dynamics import (
    Rule,
    complementarity,
    flow_coefficients,
    step_independence,
)


def test_complementarity_is_minus_the_covariance_under_independent_steps() -> None:
    random = np.random.default_rng(0)
    s1, s2 = random.random(5), random.random(5)
    matrix = np.outer(s1, s2)
    covariance = (s1 * s2).mean() - s1.mean() * s2.mean()
    assert complementarity(matrix) == pytest.approx(-5 / 4 * covariance)
    assert complementarity([[0.1, 0.6], [0.4, 0.3]]) == pytest.approx(0.3)
    assert step_independence(matrix) == pytest.approx(0, abs=1e-12)
    assert step_independence(np.eye(3)) == pytest.approx(1)
    assert step_independence(np.zeros((2, 2))) == 0


@pytest.mark.parametrize(("rule", "expected"), [("natural", (1, 0)), ("vanilla", (0, 1))])
def test_the_regression_tells_the_two_gradients_apart(
    rule: Rule, expected: tuple[float, float]
) -> None:
    success = np.array([0.3, 0.9, 0.6, 0.5])
    step = 1e-3
    times = np.linspace(0, 10, 11)
    path = simulate([0.4, 0.1, 0.2, 0.3], success, times_N=times, rule=rule)
    rows = []
    for masses in path:
        policy = masses / masses.sum()
        after = simulate(policy, success, times_N=[step], rule=rule)[0]
        advantage = success - policy @ success
        change = np.log(after / after[0]) - np.log(policy / policy[0])
        weighted = policy * advantage
        rows += list(zip(change, advantage - advantage[0], weighted - weighted[0], strict=True))[1:]
    change, advantage, weighted = np.array(rows).T
    found = flow_coefficients(change / step, advantage, weighted)
    assert found == pytest.approx(expected, abs=5e-3)


def test_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="square"):
        complementarity([[0.1, 0.2]])
    with pytest.raises(ValueError, match="two or more"):
        step_independence([[0.1, 0.2]])
    with pytest.raises(ValueError, match="proportional"):
        flow_coefficients([1, 2, 3], [1, 2, 3], [2, 4, 6])
    with pytest.raises(ValueError, match="one length"):
        flow_coefficients([1, 2], [1], [1, 2])
