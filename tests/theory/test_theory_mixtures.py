import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyways.theory.dynamics import natural_flow
from manyways.theory.grpo import clock
from manyways.theory.mixtures import (
    crossover_k,
    mixture_pass,
    one_each_pass,
    pass_at,
    pooled_success,
    resting_minority,
    two_class_pass,
    vertex_pushes,
)

SHARES = st.floats(0, 1)

RELAXED = settings(deadline=None, max_examples=50)


@RELAXED
@given(st.lists(SHARES, min_size=2, max_size=6), st.integers(1, 64))
def test_a_mixture_never_passes_less_often_than_its_modes(values: list[float], k: int) -> None:
    even = np.full(len(values), 1 / len(values))
    mixture, single = mixture_pass(even, values, k)
    assert mixture >= single - 1e-12
    if k == 1:
        assert mixture == pytest.approx(single)
    each, mixed = one_each_pass(values)
    assert each >= mixed - 1e-12


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


def test_one_logit_for_all_problems_collapses_on_the_majority() -> None:
    success = pooled_success(0.2, a=0.8, b=0.8)
    end = natural_flow([0.5, 0.5], success, 60)
    before = [two_class_pass(k, 0.2, a=0.8, b=0.8, mass=0.5) for k in (1, 16)]
    after = [two_class_pass(k, 0.2, a=0.8, b=0.8, mass=float(end[0])) for k in (1, 16)]
    assert before == pytest.approx([0.400, 0.9997], abs=5e-5)
    assert after == pytest.approx([0.640, 0.800], abs=5e-4)


def test_large_groups_keep_the_minority() -> None:
    towards, away = vertex_pushes(0.3, a=0.8, b=0.8, group=64)
    assert towards < away
    kept = resting_minority(0.3, a=0.8, b=0.8, group=64)
    assert kept == pytest.approx(0.031, abs=5e-4)
    left = 0.7 * 0.8 * clock((1 - kept) * 0.8, 64)
    assert left == pytest.approx(0.3 * 0.8 * clock(kept * 0.8, 64), rel=1e-6)
    towards, away = vertex_pushes(0.3, a=0.8, b=0.8, group=2)
    assert towards > away
    assert resting_minority(0.3, a=0.8, b=0.8, group=2) == 0
    assert resting_minority(0.9, a=0.1, b=0.9, group=2) == 1


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
    with pytest.raises(ValueError, match="k - 1"):
        mixture_pass([1.0], [0.5], 0.5)
    with pytest.raises(ValueError, match="group"):
        vertex_pushes(0.3, a=0.8, b=0.8, group=1)
