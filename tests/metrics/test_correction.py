import numpy as np
import pytest

from manyways.metrics.agreement import corrected_rate, corrected_share
from manyways.metrics.intervals import clustered_share


def test_corrected_rate() -> None:
    assert corrected_rate(0.275, sensitivity=0.8, specificity=0.95) == pytest.approx(0.3)
    assert corrected_rate(0.01, sensitivity=0.8, specificity=0.95) == 0.0
    assert corrected_rate(0.99, sensitivity=0.8, specificity=0.95) == 1.0
    with pytest.raises(ValueError, match="exceed 1"):
        corrected_rate(0.5, sensitivity=0.5, specificity=0.5)


def test_the_corrected_share_is_the_corrected_rate_within_its_interval() -> None:
    found = corrected_share([11] * 10, [40] * 10, sensitivity=(80, 100), specificity=(95, 100))
    assert found is not None
    assert found[0] == pytest.approx(corrected_rate(0.275, sensitivity=0.8, specificity=0.95))
    assert 0.15 < found[1] < found[0] < found[2] < 0.45


def test_a_perfect_labeller_leaves_a_rate_as_it_is() -> None:
    many = (10**7, 10**7)
    found = corrected_share([1, 0, 1] * 20, [1] * 60, sensitivity=many, specificity=many)
    plain = clustered_share([1, 0, 1] * 20, [1] * 60)
    assert found == pytest.approx(plain, abs=0.01)


def test_labels_without_information_correct_nothing() -> None:
    assert corrected_share([3], [9], sensitivity=(5, 10), specificity=(5, 10)) is None
    assert corrected_share([3], [9], sensitivity=(0, 0), specificity=(9, 9)) is None
    assert corrected_share([], [], sensitivity=(9, 9), specificity=(9, 9)) is None
    barely = corrected_share([3], [9], sensitivity=(6, 10), specificity=(5, 10))
    assert barely is not None
    assert barely[2] - barely[1] > 0.9, "little is known, and it says so"


def test_a_rate_that_contradicts_the_error_is_not_corrected() -> None:
    error = {"sensitivity": (25, 100), "specificity": (95, 100)}
    assert corrected_share([1] * 78 + [0] * 22, [1] * 100, **error) is None, (
        "more than the sensitivity allows"
    )
    strict = {"sensitivity": (95, 100), "specificity": (50, 100)}
    assert corrected_share([1] * 5 + [0] * 95, [1] * 100, **strict) is None, (
        "fewer than false ones alone would be"
    )
    none = corrected_share([0], [10], **error)
    assert none is not None
    assert none[:2] == (0.0, 0.0), "no composed text at all is not a contradiction"


@pytest.mark.parametrize(("rate", "checked"), [(0.3, 60), (0.6, 20)])
def test_the_interval_holds_the_truth_as_often_as_it_says(
    rate: float, checked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manyways.metrics.agreement.DRAWS", 2000)
    rng, se, sp, rounds = np.random.default_rng(7), 0.8, 0.9, 200
    held = 0
    for _ in range(rounds):
        composed = rng.random(150) < rate
        seen = np.where(composed, rng.random(150) < se, rng.random(150) > sp)
        found = corrected_share(
            seen, np.ones(150),
            sensitivity=(rng.binomial(checked, se), checked),
            specificity=(rng.binomial(checked, sp), checked),
        )  # fmt: skip
        assert found is not None
        held += found[1] <= rate <= found[2]
    assert held / rounds > 0.91
