from itertools import pairwise, product

import numpy as np
import pytest

from manyways.theory.dynamics import improvement, simulate
from manyways.theory.large_n import (
    best_composed,
    best_pure,
    distinct_heuristics,
    distinct_in_group,
    initial_improvement_natural,
    initial_improvement_vanilla,
    mean_success_after,
)


def test_the_best_composition_and_the_best_pure_by_simulation() -> None:
    strengths = np.random.default_rng(0).random((40_000, 3, 5))
    assert strengths.max(axis=2).prod(axis=1).mean() == pytest.approx(
        best_composed(5, 3), abs=0.005
    )
    assert strengths.prod(axis=1).max(axis=1).mean() == pytest.approx(best_pure(5, 3), abs=0.005)


def test_every_further_heuristic_adds_less() -> None:
    values = [best_composed(n, 1) for n in range(1, 30)]
    gains = [b - a for a, b in pairwise(values)]
    assert all(b < a for a, b in pairwise(gains))
    for n in (1, 4, 64):
        assert best_pure(n, 1) == pytest.approx(best_composed(n, 1), abs=1e-9)
    assert best_pure(1, 3) == pytest.approx(best_composed(1, 3), abs=1e-9)
    assert best_pure(4, 3) < best_composed(4, 3)
    assert best_pure(2, 2) == pytest.approx(10 / 27, abs=1e-9)


def test_distinct_heuristics_by_counting() -> None:
    frequency = np.array([0.5, 0.3, 0.2])
    total = sum(
        np.prod(frequency[list(draw)]) * len(set(draw)) for draw in product(range(3), repeat=4)
    )
    assert distinct_heuristics(frequency, 4) == pytest.approx(total)
    assert distinct_heuristics(frequency, 0) == 0
    assert distinct_heuristics(frequency, 10_000) == pytest.approx(3)
    assert distinct_in_group(16, 1) == pytest.approx(1)


def test_dilution_of_the_first_step() -> None:
    strengths = np.random.default_rng(1).random((4000, 4))
    even = np.full(4, 0.25)
    natural = np.mean([improvement(even, s, "natural") for s in strengths])
    vanilla = np.mean([improvement(even, s, "vanilla") for s in strengths])
    assert natural == pytest.approx(initial_improvement_natural(4), rel=0.03)
    assert vanilla == pytest.approx(initial_improvement_vanilla(4), rel=0.03)
    values = [initial_improvement_vanilla(n) for n in range(1, 20)]
    assert int(np.argmax(values)) + 1 == 2
    assert values[0] == initial_improvement_natural(1) == 0


def test_the_simulation_agrees_with_single_integrations() -> None:
    strengths = np.random.default_rng(5).random((3, 4)).T
    ends = [
        simulate(np.full(3, 1 / 3), s, times_N=[10.0], rule="vanilla")[0] @ s for s in strengths
    ]
    assert mean_success_after(10, 3, draws=4, seed=5) == pytest.approx(np.mean(ends), abs=1e-6)


def test_at_a_fixed_time_there_is_a_best_number_that_grows_with_time() -> None:
    grid = (1, 2, 4, 8, 16, 64)
    early, late = (
        [mean_success_after(time, n, draws=500, seed=0) for n in grid] for time in (10, 40)
    )
    assert grid[int(np.argmax(early))] == 4
    assert grid[int(np.argmax(late))] == 8
    assert early[-1] < max(early) > early[0]


def test_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="modes"):
        best_composed(0, 1)
    with pytest.raises(ValueError, match="steps"):
        best_pure(1, 0)
    with pytest.raises(ValueError, match="draws"):
        distinct_heuristics([1.0], -1)
    with pytest.raises(ValueError, match="variance"):
        initial_improvement_natural(4, -1)
    with pytest.raises(ValueError, match="time"):
        mean_success_after(-1, 4, draws=10, seed=0)
