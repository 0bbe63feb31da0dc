from itertools import product

import numpy as np
import pytest

from manyways.metrics.composition import (
    effective_number,
    effective_ways,
    entropies,
    switch_rate,
    total_counts,
    ways_of,
)
from manyways.metrics.modes import composed_if_alone, within_covariance


def test_direct_steps_are_counted_but_do_not_interrupt() -> None:
    ways = ways_of(["a", None, "b", "b", None, "a"])
    assert (ways.composed, ways.boundaries, ways.switches) == (True, 3, 2)
    assert ways.steps == {"a": 2, "b": 2, "direct": 2}
    assert ways.pairs == {"a > b": 1, "b > a": 1}


def test_pure_direct_and_empty_solutions_are_not_composed() -> None:
    for labels in (["a", "a"], [None, None], [], ["a", None]):
        assert not ways_of(labels).composed
    assert ways_of([]).boundaries == 0


def test_rates_over_solutions() -> None:
    solutions = [ways_of("ab"), ways_of("aaa"), ways_of([None])]
    assert switch_rate(solutions) == pytest.approx(1 / 3)
    assert switch_rate([ways_of([None])]) is None
    assert list(total_counts(s.steps for s in solutions)) == ["a", "b", "direct"]
    assert total_counts(s.pairs for s in solutions) == {"a > b": 1}
    assert effective_ways([ways_of("ab")] * 500) == pytest.approx(2.0)


def test_within_covariance_is_the_sample_covariance_of_each_problem() -> None:
    random = np.random.default_rng(0)
    problem = np.repeat([0, 1, 2], [5, 1, 7])
    composed, correct = random.integers(0, 2, 13), random.integers(0, 2, 13)
    expected = [np.cov(composed[problem == p], correct[problem == p])[0, 1] for p in (0, 2)]
    assert within_covariance(problem, composed, correct) == pytest.approx(expected)


def test_within_covariance_estimates_c_times_one_minus_c_times_the_gap() -> None:
    share, right_composed, right_pure = 0.3, 0.8, 0.4
    random = np.random.default_rng(1)
    composed = random.random(40_000) < share
    correct = random.random(40_000) < np.where(composed, right_composed, right_pure)
    problem = np.repeat(np.arange(5000), 8)
    drift = within_covariance(problem, composed, correct).mean()
    assert drift == pytest.approx(share * (1 - share) * (right_composed - right_pure), abs=0.005)


def test_easy_problems_that_compose_more_are_no_covariance() -> None:
    """Between problems composing and being right go together; within each they do not."""
    problem = np.repeat([0, 1], 4)
    assert not within_covariance(problem, [1] * 4 + [0] * 4, [1] * 4 + [0] * 4).any()


def test_entropy_of_equal_modes() -> None:
    assert entropies([[5] * 16])[0] == pytest.approx(2.77258872, abs=1e-8)
    assert effective_number([10, 10, 10], corrected=False) == pytest.approx(3.0)
    assert (entropies([[]])[0], effective_number([]), effective_number([7, 0])) == (0.0, 0.0, 1.0)


def test_the_correction_removes_most_of_the_bias() -> None:
    random = np.random.default_rng(2)
    truth = np.array([0.4, 0.3, 0.2, 0.1])
    exact = float(-(truth * np.log(truth)).sum())
    draws = random.multinomial(40, truth, size=4000)
    plain = np.mean(entropies(draws, corrected=False))
    better = np.mean(entropies(draws))
    assert plain < exact - 0.03
    assert abs(better - exact) < 0.005


def test_parts_that_choose_alone_compose_as_counting_every_choice_says() -> None:
    mass_TH = np.array([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3], [0.0, 0.9, 0.1]])
    rate = sum(
        float(np.prod([mass_TH[t, h] for t, h in enumerate(choice)]))
        for choice in product(range(3), repeat=3)
        if len(set(choice) - {0}) > 1
    )
    assert composed_if_alone(mass_TH) == pytest.approx(rate)
    assert composed_if_alone([mass_TH, mass_TH]) == pytest.approx([rate, rate])
    assert composed_if_alone([[0, 1, 0], [0, 0, 1]]) == pytest.approx(1.0)
    assert composed_if_alone([[0.5, 0.5], [0.1, 0.9]]) == pytest.approx(0.0), "one heuristic only"


def test_without_direct_steps_it_is_the_log_linear_rate_without_stickiness() -> None:
    gap = 1.3
    likely = 1 / (1 + np.exp(-gap))
    mass_TH = [[0, likely, 1 - likely], [0, 1 - likely, likely]]
    assert composed_if_alone(mass_TH) == pytest.approx(np.cosh(gap) / (1 + np.cosh(gap)))
