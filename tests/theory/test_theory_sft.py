import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.special import softmax

from manyways.theory.sft import (
    cross_entropy,
    entropy,
    equal_modes_entropy,
    leak_after,
    logit_gap,
    outside_mass,
    pooled_target,
    token_entropy,
)

RELAXED = settings(deadline=None, max_examples=50)


def test_the_loss_is_least_at_the_data() -> None:
    data = np.array([0.5, 0.3, 0.2, 0.0])
    random = np.random.default_rng(0)
    assert cross_entropy(data, data) == pytest.approx(entropy(data))
    for other in random.dirichlet(np.ones(4), size=50):
        assert cross_entropy(data, other) > entropy(data)
    assert cross_entropy(data, [1.0, 0.0, 0.0, 0.0]) == math.inf


@pytest.mark.parametrize("n", [1, 2, 16])
def test_equal_modes_have_entropy_log_n(n: int) -> None:
    assert entropy(np.full(n, 1 / n)) == pytest.approx(equal_modes_entropy(n), abs=1e-12)


@pytest.mark.parametrize(("modes", "heuristics", "start"), [(1, 8, 0.0), (4, 8, 0.7), (7, 8, -1.0)])
def test_the_gap_is_that_of_integrated_gradient_flow(
    modes: int, heuristics: int, start: float
) -> None:
    visited, time = 0.6, 15.0
    target = np.where(np.arange(heuristics) < modes, 1 / modes, 0.0)
    logits = np.where(np.arange(heuristics) < modes, start, 0.0)
    end = solve_ivp(
        lambda _, theta: visited * (target - softmax(theta)),
        (0, time),
        logits,
        rtol=1e-10,
        atol=1e-12,
    ).y[:, -1]
    gap = logit_gap(time, modes=modes, heuristics=heuristics, start=start, visited=visited)
    assert gap == pytest.approx(end[0] - end[-1], abs=1e-8)
    left = outside_mass(gap, modes=modes, heuristics=heuristics)
    assert left == pytest.approx(softmax(end)[modes:].sum(), abs=1e-8)


@RELAXED
@given(st.floats(0, 1e6), st.floats(0.1, 100), st.integers(1, 7))
def test_the_gap_starts_where_it_should_and_grows(time: float, more: float, modes: int) -> None:
    assert logit_gap(0, modes=modes, heuristics=8, start=0.3) == pytest.approx(0.3, abs=1e-12)
    assert logit_gap(time + more, modes=modes, heuristics=8) > logit_gap(
        time, modes=modes, heuristics=8
    )


def test_leak_of_the_model_note() -> None:
    assert leak_after(40, modes=1, heuristics=8) == pytest.approx(0.0243, abs=5e-5)
    assert leak_after(40, modes=4, heuristics=8) == pytest.approx(0.1163, abs=5e-5)


def test_the_leak_falls_as_one_over_time_and_is_the_same_per_example() -> None:
    assert leak_after(0, modes=2, heuristics=2) == pytest.approx(0.5)
    for modes in (1, 4, 8):
        time = 1e6
        expected = 7 * modes / (8 * time)
        assert leak_after(time, modes=modes, heuristics=8) == pytest.approx(expected, rel=1e-3)
    for modes in (2, 8):
        assert leak_after(30 * modes, modes=modes, heuristics=8) == pytest.approx(
            leak_after(30, modes=1, heuristics=8), abs=1e-12
        )


def test_outside_mass_at_its_ends() -> None:
    assert outside_mass(3.0, modes=8, heuristics=8) == 0
    assert outside_mass(0.0, modes=2, heuristics=8) == pytest.approx(0.75)
    assert outside_mass(1e4, modes=2, heuristics=8) == 0
    assert outside_mass(-1e4, modes=2, heuristics=8) == 1


def test_four_heuristics_that_share_two_tokens_show_two_token_modes() -> None:
    opening = np.array([[1, 0], [1, 0], [0, 1], [0, 1]])
    assert token_entropy(np.full(4, 0.25), opening) == pytest.approx(math.log(2))


def test_token_entropy_obeys_the_chain_rule_both_ways() -> None:
    random = np.random.default_rng(1)
    pi, opening = random.dirichlet(np.ones(3)), random.dirichlet(np.ones(5), size=3)
    joint = pi[:, None] * opening
    token_given = entropy(joint.ravel()) - entropy(pi)
    heuristic_given = entropy(joint.ravel()) - token_entropy(pi, opening)
    rows = [entropy(row) for row in opening]
    assert token_given == pytest.approx(pi @ rows)
    assert 0 <= heuristic_given <= entropy(pi)


def test_pooling_hides_whether_a_problem_had_many_ways() -> None:
    many_each = np.full((4, 4), 0.25)
    one_each = np.eye(4)
    assert pooled_target(many_each) == pytest.approx(pooled_target(one_each))
    favourite = np.tile([1.0, 0.0, 0.0, 0.0], (4, 1))
    assert entropy(pooled_target(favourite)) == 0


def test_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="modes"):
        equal_modes_entropy(0)
    with pytest.raises(ValueError, match="heuristics"):
        logit_gap(1, modes=8, heuristics=8)
    with pytest.raises(ValueError, match="time"):
        logit_gap(-1, modes=1, heuristics=8)
    with pytest.raises(ValueError, match="start"):
        logit_gap(1, modes=1, heuristics=8, start=math.nan)
    with pytest.raises(ValueError, match="sum to 1"):
        entropy([0.5, 0.6])
    with pytest.raises(ValueError, match="shape"):
        cross_entropy([1.0], [0.5, 0.5])
    with pytest.raises(ValueError, match="row"):
        token_entropy([0.5, 0.5], [[1.0]])
    with pytest.raises(ValueError, match="heuristics"):
        outside_mass(1, modes=3, heuristics=2)
