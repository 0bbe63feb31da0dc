from itertools import pairwise

import numpy as np
import pytest

from manyways.theory.mixtures import (
    best_composed,
)


def test_the_best_composition_and_the_best_pure_by_simulation() -> None:
    strengths = np.random.default_rng(0).random((40_000, 3, 5))
    assert strengths.max(axis=2).prod(axis=1).mean() == pytest.approx(
        best_composed(5, 3), abs=0.005
    )


def test_every_further_heuristic_adds_less() -> None:
    values = [best_composed(n, 1) for n in range(1, 30)]
    gains = [b - a for a, b in pairwise(values)]
    assert all(b < a for a, b in pairwise(gains))


def test_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="modes"):
        best_composed(0, 1)
