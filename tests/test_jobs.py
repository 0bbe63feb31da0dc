from manyways.arms import Line
from manyways.jobs import _next


def test_a_later_round_waits_for_the_line_it_goes_on_from() -> None:
    arms = ("star@round3", "star@round2", "star", "heuristics-2")
    lines = [Line(arm=arm, seed=0) for arm in arms]
    waiting = list(enumerate(lines))
    assert _next(waiting, []) == (2, lines[2])
    waiting.remove((2, lines[2]))
    assert _next(waiting, [lines[2]]) == (3, lines[3])
    waiting.remove((3, lines[3]))
    assert _next(waiting, [lines[2]]) is None
    assert _next(waiting, [Line(arm="star", seed=1)]) == (1, lines[1])
    assert _next([], []) is None
