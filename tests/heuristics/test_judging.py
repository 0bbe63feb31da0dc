import pytest

from manyways.heuristics import load_pack
from manyways.pool.scorers import (
    DISAGREE,
    LEVELS,
    MALFORMED,
    ONE_MALFORMED,
    Case,
    combine,
    judge_prompt,
    ranks_of,
    read_reply,
)

(WAY,) = load_pack("polya", 1)
CASE = Case(question="QUESTION", text="SOLUTION", heuristic=WAY)


def test_the_prompt_holds_everything_and_only_the_options_swap() -> None:
    straight, swapped = (judge_prompt(CASE, swapped=s)[0].content for s in (False, True))
    for part in (WAY.instruction, WAY.signs[0], "QUESTION", "SOLUTION", '"verdict"'):
        assert part in straight
    letters = {s: [s.index(level.text) for level in LEVELS] for s in (straight, swapped)}
    assert letters[straight] == sorted(letters[straight])
    assert letters[swapped] == sorted(letters[swapped], reverse=True)
    assert sorted(straight.split()) == sorted(swapped.split())


@pytest.mark.parametrize(
    ("reply", "straight", "swapped"),
    [
        ('{"reason": "it does", "verdict": "A"}', 1.0, 0.0),
        (' {"verdict": "B"}\n', 0.5, 0.5),
        ('```json\n{"reason": "no", "verdict": "C"}\n```', 0.0, 1.0),
    ],
)
def test_a_letter_means_what_stood_beside_it(reply: str, straight: float, swapped: float) -> None:
    assert read_reply(reply, swapped=False) == straight
    assert read_reply(reply, swapped=True) == swapped


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "A",
        '"A"',
        '{"verdict": "D"}',
        '{"verdict": "AB"}',
        '{"verdict": ""}',
        '{"verdict": "a"}',
        '{"verdict": ["A"]}',
        '{"verdict": "A", "score": 1}',
        '{"reason": "it does"}',
        'Sure: {"verdict": "A"}',
        '{"verdict": "A"',
        "[" * 100_000,
    ],
)
def test_everything_else_is_malformed(reply: str) -> None:
    assert read_reply(reply, swapped=False) is None


def test_the_two_orders_are_averaged_and_doubts_noted() -> None:
    assert (combine(1.0, 1.0).value, combine(1.0, 1.0).note) == (1.0, "")
    assert (combine(1.0, 0.5).value, combine(1.0, 0.5).note) == (0.75, DISAGREE)
    assert (combine(None, 0.5).value, combine(0.5, None).note) == (0.5, ONE_MALFORMED)
    assert (combine(None, None).value, combine(None, None).note) == (None, MALFORMED)


def test_ranks() -> None:
    assert ranks_of([3.1, -2.0, 0.4]) == [1.0, 0.0, 0.5]
    assert ranks_of([1.0, 1.0, 1.0]) == [0.5, 0.5, 0.5]
    assert ranks_of([-9.0]) == [1.0]
    assert ranks_of([]) == []
