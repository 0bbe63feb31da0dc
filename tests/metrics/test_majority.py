from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyways.metrics import majority
from manyways.metrics.majority import EXACT, majority_at_k


def by_enumeration(answers, correct, k: int) -> float:
    """The mean over all k-subsets, written as the docstring says it."""
    worth = {
        a: np.mean([c for b, c in zip(answers, correct, strict=True) if b == a])
        for a in answers
        if a is not None
    }
    scores = []
    for subset in combinations(answers, k):
        votes = {a: subset.count(a) for a in subset if a is not None}
        winners = [a for a, n in votes.items() if n == max(votes.values())]
        scores.append(np.mean([worth[a] for a in winners]) if winners else 0.0)
    return float(np.mean(scores))


@settings(max_examples=40)
@given(st.lists(st.sampled_from(["1", "2", "3", None]), min_size=1, max_size=8))
def test_is_the_mean_over_all_subsets(answers: list[str | None]) -> None:
    correct = [answer == "1" for answer in answers]
    ks = range(1, len(answers) + 1)
    expected = [by_enumeration(answers, correct, k) for k in ks]
    assert majority_at_k(answers, correct, ks) == pytest.approx(expected, abs=1e-12)


def test_k_1_is_the_share_of_correct_attempts() -> None:
    answers = ["4"] * 20 + ["5"] * 30 + [None] * 14
    assert majority_at_k(answers, [a == "4" for a in answers], [1])[0] == pytest.approx(20 / 64)


def test_ties_split_and_silence_scores_nothing() -> None:
    assert majority_at_k(["a", "b"], [True, False], [2])[0] == 0.5
    assert majority_at_k(["a", "b", "c"], [True, False, False], [3])[0] == pytest.approx(1 / 3)
    assert majority_at_k([None, None], [False, False], [1, 2]) == pytest.approx([0, 0])
    assert majority_at_k([None, None, "a"], [False, False, True], [3])[0] == 1.0


def test_a_group_is_worth_its_share_of_correct_verdicts() -> None:
    assert majority_at_k(["a", "a", "b"], [True, False, False], [3])[0] == 0.5


def test_the_largest_case_in_float_is_still_a_share() -> None:
    answers = [str(i // 2) for i in range(EXACT)]
    scores = majority_at_k(answers, [a == "0" for a in answers], [1, 64, EXACT])
    assert scores == pytest.approx([1 / 64] * 3, rel=1e-9), "by symmetry of 64 equal groups"


def test_random_subsets_agree_with_counting(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = ["a"] * 5 + ["b"] * 4 + [None] * 3
    correct = [a == "a" for a in answers]
    exact = majority_at_k(answers, correct, [3, 8, 12])
    monkeypatch.setattr(majority, "EXACT", 4)
    monkeypatch.setattr(majority, "DRAWS", 20_000)
    random = majority_at_k(answers, correct, [3, 8, 12])
    assert random == pytest.approx(exact, abs=0.015)
    assert random[-1] == exact[-1] == 1.0
    assert (majority_at_k(answers, correct, [3]) == majority_at_k(answers, correct, [3])).all()


def test_too_large_a_k_is_nan_and_bad_input_is_refused() -> None:
    assert np.isnan(majority_at_k(["a"], [True], [2])[0])
    assert np.isnan(majority_at_k([], [], [1])[0])
    with pytest.raises(ValueError, match="at least 1"):
        majority_at_k(["a"], [True], [0])
    with pytest.raises(ValueError, match="every attempt"):
        majority_at_k(["a"], [], [1])
