"""The time left of a run, from what is done of it."""

from pathlib import Path

import pytest

from manyways.progress import Left, RunMeter, remaining
from manyways.run_dir import Amount, RunDir

EVALUATIONS = [
    Amount(work=f"evaluate/{name}", stage="evaluate", attempts=n, bound=10 * n, prompts="test")
    for name, n in (("base", 20), ("mid", 20), ("rl", 40))
]
POOL = Amount(work="generate", stage="generate", attempts=50, bound=500, prompts="generate")
TRAINING = Amount(work="rl/star/seed-0", stage="rl", attempts=80, steps=10, bound=800, prompts="rl")
REPORT = Amount(work="report", stage="report")
EVERY = [POOL, *EVALUATIONS, TRAINING, REPORT]


@pytest.mark.parametrize(
    ("took", "expected", "left"),
    [
        # Nothing is done and nothing was forecast.
        ({}, {}, Left(seconds=0.0, whole=False)),
        # 4 s for 20 attempts: 12 s for the other 60. Of RL and the pool nothing is known.
        ({"evaluate/base": 4.0}, {"rl/star/seed-0": 30.0}, Left(seconds=42.0, whole=True)),
        # Sampling goes at the pace of other sampling, here 0.02 s a token; training does not.
        ({"generate": 10.0}, {}, Left(seconds=16.0, whole=False)),
        # What was measured counts more than what was forecast.
        ({"generate": 10.0, "evaluate/base": 1.0}, {"evaluate/rl": 99.0},
         Left(seconds=3.0, whole=False)),
    ],
)  # fmt: skip
def test_what_is_left_goes_at_the_pace_of_what_is_done(
    took: dict[str, float], expected: dict[str, float], left: Left
) -> None:
    todo = [one for one in EVERY if one.work not in took and one != POOL]
    found = remaining(todo, EVERY, took=took, expected=expected)
    assert found.seconds == pytest.approx(left.seconds)
    assert found.whole == left.whole


def test_an_overall_bar_tells_pieces_and_counts_each_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    pieces = {"generate": [POOL], "rl": [TRAINING], "evaluate": EVALUATIONS}
    expected = {"generate": 60.0, "rl/star/seed-0": 600.0, **{e.work: 100.0 for e in EVALUATIONS}}
    run = RunDir(root=tmp_path)
    with RunMeter("smoke", run, pieces, expected=expected, clock=lambda: now[0]) as meter:
        with meter.piece("generate"):
            now[0] = 60.0
        with pytest.raises(ValueError, match="refused"), meter.piece("rl"):
            raise ValueError("refused")
        meter.passed(["rl", "rl"])
        now[0] = 120.0
        meter.passed(["evaluate"])
    assert capsys.readouterr().err.splitlines() == [
        "smoke: 1/3 pieces of work, about 15 min left",
        "smoke: 3/3 pieces of work, about 0 s left",
        "smoke: 3 pieces of work in 120.0 s",
    ]
