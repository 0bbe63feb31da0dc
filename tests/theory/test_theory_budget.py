import numpy as np
import pytest
from hypothesis import settings

from manyways.theory.mixtures import (
    best_modes,
    budget_value,
    coverage,
)

RELAXED = settings(deadline=None, max_examples=50)


def test_coverage_is_the_share_of_types_met() -> None:
    draws = np.random.default_rng(0).integers(0, 50, size=(4000, 60))
    met = np.mean([len(np.unique(row)) for row in draws]) / 50
    assert coverage(60, 50) == pytest.approx(met, abs=0.004)
    assert coverage(0, 50) == 0
    assert coverage(1, 50) == pytest.approx(1 / 50)
    assert coverage(1e9, 50) == 1


def test_the_budget_has_its_best_in_between() -> None:
    n = best_modes(3200, types=200, steps=2, untrained=0.1, largest=64)
    assert 1 < n < 64

    def value(modes: int) -> float:
        return budget_value(modes, 3200, types=200, steps=2, untrained=0.1)

    assert value(n) > max(value(n - 1), value(n + 1))
    # Few problems are enough for 3 types, many are wanted for 10^6.
    assert best_modes(3200, types=3, steps=2, untrained=0.1, largest=64) == 64
    assert best_modes(64, types=10**6, steps=2, untrained=0.24, largest=64) < 64


def test_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="types"):
        coverage(10, 1)
    with pytest.raises(ValueError, match="problems"):
        coverage(-1, 10)
    with pytest.raises(ValueError, match="solutions"):
        budget_value(8, 4, types=200, steps=2, untrained=0.1)
    with pytest.raises(ValueError, match="largest"):
        best_modes(8, types=200, steps=2, untrained=0.1, largest=0)
