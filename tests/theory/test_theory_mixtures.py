import math

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st

from manyways.theory.mixtures import (
    crossover_k,
    pass_at,
    two_class_pass,
)

SHARES = st.floats(0, 1)

RELAXED = settings(deadline=None, max_examples=50)


def test_pass_at_its_ends() -> None:
    assert pass_at(0.3, 0) == 0
    assert pass_at(0.3, 1) == pytest.approx(0.3)
    assert pass_at(0.3, 2) == pytest.approx(1 - 0.49)
    assert pass_at(1, 1) == 1


@pytest.mark.parametrize(("w", "a", "b"), [(0.2, 0.8, 0.8), (0.05, 0.3, 1.0), (0.4, 0.9, 0.05)])
def test_there_is_one_crossover(w: float, a: float, b: float) -> None:
    k = crossover_k(w, a=a, b=b)
    grid = np.exp(np.linspace(0, math.log(50 * k), 2000))
    lead = np.array(
        [
            two_class_pass(x, w, a=a, b=b, mass=0.5) - two_class_pass(x, w, a=a, b=b, mass=1)
            for x in grid
        ]
    )
    assert (lead[grid < k * 0.999] < 0).all()
    assert (lead[(grid > k * 1.001)] > 0).all()
    assert k > 1


def test_limits_of_two_classes() -> None:
    assert two_class_pass(1, 0.2, a=0.8, b=0.6, mass=1) == pytest.approx(0.8 * 0.8)
    assert two_class_pass(1, 0.2, a=0.8, b=0.6, mass=0.5) == pytest.approx((0.64 + 0.12) / 2)
    assert two_class_pass(1e4, 0.2, a=0.8, b=0.6, mass=1) == pytest.approx(0.8)
    assert two_class_pass(1e4, 0.2, a=0.8, b=0.6, mass=0.5) == pytest.approx(1)


def test_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="below"):
        crossover_k(0.5, a=0.8, b=0.8)
    with pytest.raises(ValueError, match="minority"):
        crossover_k(0, a=0.8, b=0.8)
    with pytest.raises(ValueError, match="b must"):
        crossover_k(0.2, a=0.8, b=0)
    with pytest.raises(ValueError, match="mass"):
        two_class_pass(1, 0.2, a=0.8, b=0.8, mass=1.1)
    with pytest.raises(ValueError, match="k must"):
        pass_at(0.5, -1)
