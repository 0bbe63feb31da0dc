from itertools import pairwise

import numpy as np
import pytest
from simulation import simulate

from manyways.theory.dynamics import (
    composed_rate,
    natural_flow,
    tree_success,
    two_by_two_rate,
)

COMPLEMENTARY = ((0.9, 0.4), (0.4, 0.9))
COMPLEMENTARY = ((0.9, 0.4), (0.4, 0.9))
DOMINATED = ((0.9, 0.4), (0.9, 0.4))


def test_a_trajectory_succeeds_if_every_step_does() -> None:
    tree = tree_success([[0.9, 0.5], [0.2, 0.4], [0.5, 1.0]])
    assert tree.shape == (2, 2, 2)
    assert tree[0, 1, 1] == pytest.approx(0.9 * 0.4 * 1.0)
    assert tree[1, 0, 0] == pytest.approx(0.5 * 0.2 * 0.5)


def test_complementary_strengths_raise_composition_and_dominated_lower_it() -> None:
    times = np.linspace(0, 15, 16)
    rising = [two_by_two_rate(t, COMPLEMENTARY, leaks=(0.2, 0.2)) for t in times]
    falling = [two_by_two_rate(t, DOMINATED, leaks=(0.2, 0.2)) for t in times]
    assert all(b > a for a, b in pairwise(rising))
    assert all(b < a for a, b in pairwise(falling))
    assert rising[0] == falling[0] == pytest.approx(0.2)


def test_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="steps by heuristics"):
        tree_success([0.1, 0.2])
    with pytest.raises(ValueError, match="same heuristics"):
        composed_rate(np.full((2, 3), 1 / 6))
    with pytest.raises(ValueError, match="s_1A"):
        two_by_two_rate(1, [[0.1, 0.2]], leaks=(0.1, 0.1))


def test_the_natural_flow_over_trajectories_is_that_of_whole_solutions() -> None:
    start = np.array([[0.4, 0.1], [0.2, 0.3]])
    tree = tree_success(COMPLEMENTARY)
    moved = natural_flow(start, tree, 3.0)
    [end] = simulate(start.ravel(), tree.ravel(), times_N=[3.0], rule="natural")
    assert moved.ravel() == pytest.approx(end, abs=1e-8)
    assert composed_rate(moved) > composed_rate(start)
