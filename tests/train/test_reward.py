from itertools import combinations

import numpy as np
import pytest

from manyways.errors import VerifierUnwell
from manyways.records import Problem, Verdict
from manyways.train.reward import (
    HEALTH_WINDOW,
    Shown,
    StepReward,
    best_of,
    distance,
    diverse,
    reward_of,
)

PROBLEMS = [Problem(id=f"p/{i}", question="?", answer=str(i)) for i in range(4)]
SIGNS = {"+": "correct", "-": "wrong", "0": "no_answer", "?": "undecided"}


def judge(pairs) -> list[Verdict]:
    """The first letter of a text is its verdict."""
    return [Verdict(status=SIGNS[text[0]]) for _, text in pairs]


def scored(*groups: str, **options) -> tuple[list[float | None], StepReward]:
    reward = StepReward(verify=judge, group_size=len(groups[0]), **options)
    problems = [PROBLEMS[i] for i, group in enumerate(groups) for _ in group]
    return reward.score(problems, [sign for group in groups for sign in group]), reward


@pytest.mark.parametrize(
    ("status", "reward"),
    [("correct", 1.0), ("wrong", 0.0), ("no_answer", 0.0), ("undecided", None)],
)
def test_reward_of_a_verdict(status, reward) -> None:
    assert reward_of(Verdict(status=status)) == reward


def test_the_view_counts_groups_and_leaves_the_undecided_out() -> None:
    rewards, reward = scored("++++", "+-0?", "---?", "????")
    assert rewards[:8] == [1, 1, 1, 1, 1, 0, 0, None]
    view = reward.view
    assert (view.all_right, view.mixed, view.all_wrong) == (0.25, 0.25, 0.25)
    assert view.undecided == 6 / 16
    assert view.reward == 5 / 10
    assert view.composed is None


def test_nothing_judged_has_no_mean_reward() -> None:
    assert scored("??")[1].view.reward is None


def test_labels_are_of_an_even_sample() -> None:
    seen = []

    def read(text: str) -> Shown:
        seen.append(text)
        return Shown(composed=text == "+", opening="a" if text == "+" else "direct")

    view = scored("+" * 64, "-" * 64, read=read)[1].view
    assert len(seen) == 32
    assert seen.count("+") == 16
    assert view.composed == 0.5
    assert view.openings == {"a": (16, 16), "direct": (16, 0)}


def test_an_unwell_verifier_stops_training_once_enough_verdicts_say_so() -> None:
    def check(verdicts) -> None:
        if sum(v.status == "undecided" for v in verdicts) / len(verdicts) > 0.05:
            raise VerifierUnwell("sick")

    reward = StepReward(verify=judge, group_size=128, check=check)
    problems = PROBLEMS[:1] * 128
    bad = "?" * 8 + "+" * 120
    for _ in range(HEALTH_WINDOW // 128 - 1):
        reward.score(problems, list(bad))
    with pytest.raises(VerifierUnwell):
        reward.score(problems, list(bad))


def test_as_a_trl_function_it_finds_the_problem_of_each_completion() -> None:
    asked = []

    def remember(pairs) -> list[Verdict]:
        asked.extend(pairs)
        return [Verdict(status="correct")] * len(pairs)

    function = StepReward(verify=remember, group_size=2).trl_function(PROBLEMS)
    turns = [[{"role": "assistant", "content": text}] for text in "abcd"]
    rewards = function(
        completions=turns, problem=[2, 2, 0, 0], completion_ids=[[1]] * 4, trainer_state=0
    )
    assert rewards == [1.0] * 4
    assert asked == [(PROBLEMS[i], t) for i, t in zip((2, 2, 0, 0), "abcd", strict=True)]


def test_attempts_without_advantage_are_known_by_their_tokens() -> None:
    """Those of groups that got equal rewards, unless a mixed group wrote the same."""
    by_text = {"r": "correct", "w": "wrong", "?": "undecided"}

    def judge(pairs) -> list[Verdict]:
        return [Verdict(status=by_text[text]) for _, text in pairs]

    texts = ["r", "r", "r", "w", "w", "?"]
    ids = [[1, 2], [3], [3], [4], [5], [6]]
    reward = StepReward(verify=judge, group_size=2)
    given = {
        "completions": [[{"role": "assistant", "content": text}] for text in texts],
        "problem": [0, 0, 1, 1, 2, 2],
        "completion_ids": ids,
    }
    reward.trl_function(PROBLEMS)(**given)
    assert reward.flat == {(1, 2), (5,), (6,)}
    several = StepReward(verify=judge, group_size=2, gather=lambda own: own)
    several.trl_function(PROBLEMS)(**given)
    assert several.flat == frozenset()


def test_the_best_of_k_is_the_mean_advantage_over_all_subsets() -> None:
    """By enumeration: all subsets of k, what they earn, the mean of those that hold an attempt."""
    for signs, k in (("++--------", 4), ("+---", 2), ("++---", 3), ("+-", 1)):
        subsets = list(combinations(range(len(signs)), k))
        best = np.array([float(any(signs[i] == "+" for i in subset)) for subset in subsets])
        above = (best - best.mean()) / best.std()
        expected = [
            np.mean([a for a, subset in zip(above, subsets, strict=True) if i in subset])
            for i in range(len(signs))
        ]
        earned = best_of(k)(judge([(None, sign) for sign in signs]), list(signs))
        assert earned == pytest.approx(expected)
        assert sum(earned) == pytest.approx(0)


def test_where_no_k_can_fail_the_best_of_k_teaches_nothing() -> None:
    rewards, reward = scored("+++-", "++++", "----", "+-??", earn=best_of(2))
    assert rewards[:12] == [0.0] * 12
    assert rewards[12:] == [0.0, 0.0, None, None]
    assert (reward.view.mixed, reward.view.flat) == (0.5, 1.0)
    assert scored("?", "?", earn=best_of(1))[0] == [None, None]


def test_other_heuristics_earn_a_correct_attempt_more() -> None:
    ways = {"a": {"a"}, "b": {"b"}, "ab": {"a", "b"}, "": set()}
    judged = [Verdict(status=s) for s in ("correct", "correct", "correct", "wrong", "undecided")]
    earned = diverse(0.5, lambda text: frozenset(ways[text]))(judged, ["a", "a", "b", "b", "b"])
    assert earned == [1.25, 1.25, 1.5, 0.0, None]
    alone = diverse(0.5, lambda text: frozenset(ways[text]))(judged[2:], ["a", "b", "ab"])
    assert alone == [1.0, 0.0, None]
    sets = [frozenset(ways[name]) for name in ("a", "ab", "")]
    assert (distance(sets[0], sets[1]), distance(sets[0], sets[2])) == (0.5, 1.0)
    assert distance(sets[2], sets[2]) == 0.0


def test_a_group_of_right_attempts_with_other_heuristics_is_not_flat() -> None:
    options = {
        "earn": diverse(0.5, frozenset),
        "verify": lambda pairs: [Verdict(status="correct") for _ in pairs],
    }
    reward = StepReward(group_size=3, **options)
    texts = ["a", "a", "b", "c", "c", "c"]
    problems = [PROBLEMS[i // 3] for i in range(6)]
    assert reward.alike(problems, texts) == [3, 4, 5]
    assert reward.score(problems, texts) == [1.25, 1.25, 1.5, 1.0, 1.0, 1.0]
    assert (reward.view.all_right, reward.view.flat, reward.view.reward) == (1.0, 0.5, 1.0)
    function = reward.trl_function(PROBLEMS)
    function(
        completions=[[{"content": text}] for text in texts],
        problem=[i // 3 for i in range(6)],
        completion_ids=[[i] for i in range(6)],
    )
    assert reward.flat == {(3,), (4,), (5,)}


def test_a_group_spread_over_processes_earns_as_a_whole(monkeypatch) -> None:
    other = [(Verdict(status="correct"), "b"), (Verdict(status="correct"), "b")]
    monkeypatch.setattr("manyways.train.processes.rank", lambda: 1)
    reward = StepReward(
        verify=lambda pairs: [Verdict(status="correct") for _ in pairs],
        group_size=4,
        earn=diverse(1.0, frozenset),
        gather=lambda own: [*other, *own],
    )
    assert reward.score([PROBLEMS[0]] * 2, ["a", "b"]) == pytest.approx([2.0, 1 + 1 / 3])
