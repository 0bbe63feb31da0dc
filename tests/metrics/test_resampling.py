"""Bootstrap samples drawn in blocks are those drawn at once."""

import numpy as np
import pytest

from manyways.metrics import intervals
from manyways.metrics.intervals import Resampling, draw_counts, resampled_sums


def test_sums_in_blocks_are_those_of_all_samples_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = np.random.default_rng(0).integers(0, 9, size=(37, 3)).astype(float)
    settings = Resampling(resamples=50, seed=4)
    expected = draw_counts(37, settings) @ counts
    monkeypatch.setattr(intervals, "BLOCK", 37 * 8)
    assert (resampled_sums(counts, settings) == expected).all()
    assert expected.shape == (50, 3)
