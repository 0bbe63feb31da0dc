"""The verdict says Yes or No only of differences that hold."""

from collections.abc import Sequence

import numpy as np
import pytest
from fake_run import recipe_tree

from manyways.measures.catalogue import findings
from manyways.measures.paired import PairedRow, comparisons, paired_rows
from manyways.measures.pass_at_k import PassRow
from manyways.measures.score_curves import Curve, curves
from manyways.measures.seen import Seen
from manyways.metrics.resampling import Resampling
from manyways.recipe.file import parse_recipe
from manyways.records import Checkpoint, Score

ARMS = ("vanilla", "star", "random", "matched-2", "heuristics-2")
OURS = "heuristics-2/rl"


def pair(k: int, low: float, high: float, *, b: str = "vanilla/rl", p: float) -> PairedRow:
    score = Score(name="d", value=(low + high) / 2, low=low, high=high, n=40)
    return PairedRow(a=OURS, b=b, benchmark="test", k=k, difference=score, p=p)


def run(pairs: Sequence[PairedRow], arms: Sequence[str] = ARMS, seeds: int = 1) -> Seen:
    """A finished run that has these comparisons."""
    score = Score(name="s", value=0.4, low=0.3, high=0.5, n=40)
    passed = PassRow(
        checkpoint="base", arm="base", seed=None, phase="base", benchmark="test", k=1,
        attempts=320, score=score,
    )  # fmt: skip
    tables = {"pass_at_k": [passed], "paired": list(pairs), "arms": []}
    recipe = parse_recipe(recipe_tree(tuple(arms), range(seeds)), "test")
    return Seen(name="made", recipe=recipe, tables=tables)


def said(seen: Seen, start: str) -> str:
    return next(f.sentence for f in findings(seen) if f.sentence.startswith(start))


def first(seen: Seen) -> str:
    return next(iter(findings(seen))).sentence


@pytest.mark.parametrize("sign", [1, -1])
def test_what_the_correction_takes_away_is_a_hint(sign: int) -> None:
    ends = sorted((sign * 0.05, sign * 0.4))
    seen = run([pair(1, -0.1, 0.1, p=0.8), pair(8, *ends, p=0.125)])
    assert first(seen).startswith("A hint, no answer: ")
    word = "higher" if sign > 0 else "lower"
    assert f"scores {word} at pass@8 than RL alone" in first(seen)


def test_a_difference_that_holds_beside_a_hint() -> None:
    seen = run([pair(1, 0.1, 0.3, p=0.001), pair(8, 0.01, 0.2, p=0.06)])
    assert first(seen).startswith("Yes: ")
    assert "at pass@1, with a hint of a gain at pass@8" in first(seen)


def test_each_control_is_answered_and_one_way_as_good_leaves_the_question_open() -> None:
    none = [pair(1, -0.1, 0.1, b=f"{b}/rl", p=0.7) for b in ("random", "matched-2")]
    clear = [pair(1, 0.1, 0.3, b=f"{b}/rl", p=0.0005) for b in ("vanilla", "star")]
    seen = run([*clear, *none])
    told = said(seen, "Does heuristics-2 beat each control")
    for words in ("vanilla: yes at pass@1", "star: yes", "random: cannot tell", "matched-2: cann"):
        assert words in told
    few = (
        "Is it better than one way for each problem? random: cannot tell at pass@1; matched-2: can"
    )
    assert few in first(seen)
    question = said(seen, "Many ways, or just heuristics?")
    assert "Cannot tell" in question
    assert "(random, matched-2)" in question


def test_many_ways_matter_where_they_beat_every_arm_of_one_way() -> None:
    rows = [pair(1, 0.1, 0.3, b=f"{b}/rl", p=0.0005) for b in ("vanilla", "random", "matched-2")]
    told = said(run(rows), "Many ways, or just heuristics?")
    assert "Many ways: heuristics-2 beats one way each (random, matched-2)" in told
    halved = [*rows[:2], pair(1, -0.3, -0.1, b="matched-2/rl", p=0.0005)]
    told = said(run(halved), "Many ways, or just heuristics?")
    assert "(matched-2). It does beat random." in told


def test_what_the_run_is_stands_beside_the_answer() -> None:
    told = said(run([pair(1, 0.1, 0.3, p=0.001)], seeds=2), "What this run is")
    assert "training seeds 0, 1, 40 problems of test" in told


def simulated(number: int, seeds: int, effect: float = 0.0) -> Seen:
    """A run of known truth: ``effect`` is what mid-training on many ways adds to every chance."""
    rng = np.random.default_rng([number, seeds])
    chance_P = rng.beta(0.8, 1.5, size=24)
    recipe = run([], seeds=seeds).recipe
    single = [
        _curve(
            rng, Checkpoint(arm=arm, seed=seed, phase="rl"), chance_P + effect * (arm == ARMS[-1])
        )
        for arm in ARMS
        for seed in range(seeds)
    ]
    pairs = comparisons(recipe.parsed_arms)
    rows = paired_rows(curves(single, {}), pairs, Resampling(resamples=999, seed=number))
    return run(list(rows), seeds=seeds)


def _curve(rng: np.random.Generator, checkpoint: Checkpoint, chance_P: np.ndarray) -> Curve:
    right_P = rng.binomial(8, np.clip(chance_P, 0, 1))
    values_PK = np.stack([right_P / 8, right_P > 0], axis=1).astype(float)
    return Curve(
        checkpoint=checkpoint, benchmark="test", problems=tuple(map(str, range(24))),
        strata_P=np.zeros(24, dtype=np.int64), ks=(1, 8), values_PK=values_PK, attempts=192,
        seeds={},
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [1, 3])
def test_without_an_effect_at_most_one_run_in_twenty_is_called_yes(seeds: int) -> None:
    starts = [first(simulated(number, seeds)) for number in range(200)]
    assert len(starts) == 200
    assert sum(start.startswith(("Yes", "Partly")) for start in starts) <= 10


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_large_effect_is_called_yes(seeds: int) -> None:
    starts = [first(simulated(number, seeds, effect=0.4)) for number in range(5)]
    assert all(start.startswith("Yes") for start in starts)
