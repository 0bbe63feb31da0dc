"""Time left from tokens: on simulated streams whose true time left is known."""

import heapq

import numpy as np
import pytest

from manyways.engines.meter import Lengths, Pace, fit

FIXED, EACH, START = 0.5, 0.02, 0.3
"""Seconds of a step, more for each attempt in it, and to take up an attempt."""


def lengths_of(kind, count, most, seed):
    random = np.random.default_rng(seed)
    drawn = {
        "lognormal": lambda: random.lognormal(np.log(140), 0.5, count),
        "weibull": lambda: 160 * random.weibull(1.8, count),
        "even": lambda: random.uniform(60, 240, count),
        "cut off": lambda: random.lognormal(np.log(220), 0.6, count),
    }[kind]()
    return np.clip(drawn.round(), 1, most).astype(int)


def simulate(lengths, rows, most):
    """Estimated over true time left whenever another twentieth of the attempts has ended."""
    now, step = [0.0], 0
    pace = Pace(total=len(lengths), most=most, clock=lambda: now[0])
    waiting, running, told = list(lengths[::-1]), [], []
    marks = [len(lengths) * n // 20 for n in range(2, 19)]

    def tokens():
        return [step - begin for _, begin in running]

    while waiting or running:
        begun = 0
        while waiting and len(running) < rows:
            heapq.heappush(running, (step + waiting.pop(), step))
            begun += 1
        if begun:
            now[0] += START * begun
            pace.step(len(running), begun, tokens)
        now[0] += FIXED + EACH * len(running)
        step += 1
        while running and running[0][0] <= step:
            end, begin = heapq.heappop(running)
            pace.end(end - begin, cut_off=end - begin >= most)
        pace.step(len(running), 0, tokens)
        if marks and pace.finished >= marks[0]:
            marks.pop(0)
            told.append((pace.left(), now[0]))
    return [left / (now[0] - moment) for left, moment in told]


SHAPES = [(kind, *size) for kind in ("lognormal", "even", "cut off")
          for size in ((40, 8), (400, 64), (1000, 64))]  # fmt: skip


# Of a Weibull distribution many attempts are very short: told well in long streams alone.
@pytest.mark.parametrize(("kind", "count", "rows"), [*SHAPES, ("weibull", 1000, 64)])
def test_the_time_left_is_within_a_factor_of_one_and_a_half(kind, count, rows):
    """At four of five moments between a tenth and nine tenths of the attempts, in the mean."""
    ratios = [simulate(lengths_of(kind, count, 512, seed), rows, 512) for seed in range(4)]
    assert np.mean([2 / 3 <= ratio <= 1.5 for told in ratios for ratio in told]) >= 0.8
    assert all(2 / 3 <= told[0] <= 1.5 for told in ratios), "once a tenth is done"


@pytest.mark.parametrize("kind", ["lognormal", "cut off"])
def test_so_it_is_where_all_attempts_run_at_once(kind):
    """Only the shortest have ended, and the last one decides."""
    ratios = [simulate(lengths_of(kind, 40, 512, seed), 40, 512) for seed in range(4)]
    assert np.mean([2 / 3 <= ratio <= 1.5 for told in ratios for ratio in told]) >= 0.8


def test_before_any_attempt_ends_the_limit_counts():
    now = [0.0]
    pace = Pace(total=10, most=100, clock=lambda: now[0])
    assert pace.left() is None
    pace.step(10, 10, lambda: [0] * 10)
    assert pace.left() is None, "prompts alone tell nothing of the time that a token takes"
    for step in range(1, 21):
        now[0] += 2.0
        pace.step(10, 0, lambda step=step: [step] * 10)
    assert pace.left() == pytest.approx(80 * 2.0, rel=0.02)
    assert pace.rate == pytest.approx(200 / 40)


def test_an_engine_that_tells_no_tokens_is_judged_by_its_attempts():
    now = [0.0]
    pace = Pace(total=10, most=100, clock=lambda: now[0])
    for _ in range(4):
        now[0] += 5.0
        pace.end(30, cut_off=False)
    pace.step(6, 0, tuple)
    assert pace.left() == pytest.approx(30.0)
    assert pace.rate == pytest.approx(6.0)


@pytest.mark.parametrize("spread", [0.3, 0.5, 0.9])
def test_running_attempts_are_censored_observations(spread):
    """All begin together and a third has ended: their mean alone would be far too short."""
    drawn = np.random.default_rng(0).lognormal(5, spread, 2000)
    now = np.quantile(drawn, 1 / 3)
    ended = drawn[drawn <= now]
    found = fit(ended, [now] * (len(drawn) - len(ended)), 5000)
    assert (found.mean, found.spread) == pytest.approx((5, spread), rel=0.07)
    assert found.left([0])[0] == pytest.approx(drawn.mean(), rel=0.1)
    assert ended.mean() < 0.8 * drawn.mean()


def test_expected_tokens_are_bounded_by_the_limit():
    wide = Lengths(mean=20.0, spread=1.0, most=300)
    assert wide.left([0, 100, 300]) == pytest.approx([300, 200, 0], abs=1)
    assert wide.longest([100, 200]) == pytest.approx(200, abs=1)
    exact = Lengths(mean=np.log(80), spread=0.01, most=5000)
    assert exact.left([0, 30]) == pytest.approx([80, 50], rel=0.5)
    assert exact.longest([0, 30]) == pytest.approx(80, rel=0.05)


def test_one_attempt_and_none():
    assert fit([], [5, 6], 100) is None
    assert fit([7], [], 100).mean == pytest.approx(np.log(7))
