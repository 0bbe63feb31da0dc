import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from manyways.metrics.agreement import kappa_interval
from manyways.metrics.intervals import Resampling


def kappa(first: list[str], second: list[str]) -> float:
    return kappa_interval(first, second, range(len(first)), Resampling(resamples=10))[0]


def noisy(rng: np.random.Generator, labels: list[str], keep: float) -> list[str]:
    return [x if rng.random() < keep else str(rng.choice(["a", "b", "c"])) for x in labels]


def test_kappa_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    first = [str(x) for x in rng.choice(["a", "b", "c"], 200, p=[0.6, 0.3, 0.1])]
    second = noisy(rng, first, 0.7)
    assert kappa(first, second) == pytest.approx(cohen_kappa_score(first, second))
    assert kappa(first, first) == 1.0
    assert kappa(["a", "a", "b", "b"], ["a", "b", "a", "b"]) == pytest.approx(0.0)


def test_one_label_only_has_no_kappa() -> None:
    assert np.isnan(kappa(["a", "a"], ["a", "a"]))
    assert all(np.isnan(kappa_interval(["a"], ["a"], [0], Resampling(resamples=10))))
    assert all(np.isnan(kappa_interval([], [], [], Resampling(resamples=10))))


def test_the_interval_is_over_problems() -> None:
    rng = np.random.default_rng(1)
    first = [str(x) for x in rng.choice(["a", "b"], 60)]
    second = noisy(rng, first, 0.6)
    settings = Resampling(resamples=400)
    once = kappa_interval(first, second, range(60), settings)
    ten = kappa_interval(first * 10, second * 10, [*range(60)] * 10, settings)
    many = kappa_interval(first * 10, second * 10, range(600), settings)
    assert once[1] < once[0] < once[2]
    assert ten == pytest.approx(once), "ten equal texts on a problem say no more than one"
    assert many[2] - many[1] < 0.5 * (ten[2] - ten[1])


def test_the_interval_covers() -> None:
    rng = np.random.default_rng(2)
    truth = 0.6  # labels kept with 0.6, else drawn evenly from the two: kappa 0.6
    held = 0
    for _ in range(60):
        first = [str(x) for x in rng.choice(["a", "b"], 150)]
        second = [x if rng.random() < 0.6 else str(rng.choice(["a", "b"])) for x in first]
        _, low, high = kappa_interval(first, second, range(150), Resampling(resamples=150))
        held += low <= truth <= high
    assert held >= 52
