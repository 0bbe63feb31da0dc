"""Matched arms: sums over problems and over heuristics as in the table of many ways."""

import random
from collections import Counter
from pathlib import Path

import pytest
from made_runs import attempt, context, put_pool

from manyways.arms import Line
from manyways.arms.kinds import mismatch, one_way_each
from manyways.pool.training_rows import training_rows
from manyways.stages import selection

WAYS = "abcdefgh"


def table(rng: random.Random, problems: int, shares: list[float]) -> dict[str, list[str]]:
    """Problems with every way that luck gives them, ``shares``: the chance of each."""
    drawn = {
        str(p): [w for w, share in zip(WAYS, shares, strict=True) if rng.random() < share]
        for p in range(problems)
    }
    return {problem: ways for problem, ways in drawn.items() if ways}


def test_full_tables_are_matched_exactly() -> None:
    ways = {str(p): list(WAYS) for p in range(40)}
    chosen = one_way_each(ways, random.Random(0))
    assert Counter(chosen.values()) == dict.fromkeys(WAYS, 5)
    assert mismatch(ways, chosen) == 0.0


@pytest.mark.parametrize("seed", range(20))
def test_uneven_tables_are_matched_nearly(seed: int) -> None:
    rng = random.Random(seed)
    ways = table(rng, 200, [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8])
    chosen = one_way_each(ways, rng)
    assert list(chosen) == list(ways)
    assert all(way in ways[problem] for problem, way in chosen.items())
    counts = Counter(way for options in ways.values() for way in options)
    made: Counter[str] = Counter()
    for problem, way in chosen.items():
        made[way] += len(ways[problem])
    amiss = sum(abs(made[way] - counts[way]) for way in WAYS) / (2 * counts.total())
    assert mismatch(ways, chosen) == pytest.approx(amiss)
    assert amiss < 0.01


def test_what_cannot_be_matched_is_measured() -> None:
    ways = {"0": ["a", "b"]}
    chosen = one_way_each(ways, random.Random(0))
    assert mismatch(ways, chosen) == 0.5


def test_the_draw_depends_on_the_seed() -> None:
    ways = {str(p): list("abc") for p in range(12)}
    draws = [one_way_each(ways, random.Random(seed)) for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]


def test_the_arm_has_as_many_examples_of_each_problem_and_each_heuristic(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ctx = context(tmp_path, generate={"problems": "made_runs:load/seed?count=9"})
    problems = [f"made/seed/{i:03d}" for i in range(9)]
    put_pool(ctx, [attempt(p, way, 0) for p in problems[:6] for way in "abc"])
    put_pool(ctx, [attempt(p, "c", 0) for p in problems[6:]])
    selection.run(ctx)

    def examples(arm: str) -> list[tuple[str, str]]:
        rows = training_rows(ctx, Line(arm=arm, seed=0))
        return [(row.problem_id, row.heuristic) for row in rows]

    many, one = examples("heuristics-3"), examples("matched-3")
    assert len(one) == len(many) == 21
    for column in (0, 1):
        assert Counter(row[column] for row in one) == Counter(row[column] for row in many)
    assert len(set(one)) == 9
    assert examples("matched-3@25") == one
    # Six problems have both of the first two heuristics, three have neither.
    assert Counter(way for _, way in examples("matched-2")) == {"a": 6, "b": 6}
    assert "under another heuristic" not in capsys.readouterr().err


def test_an_arm_that_cannot_be_matched_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ctx = context(tmp_path)
    put_pool(ctx, [attempt("made/seed/000", way, 0) for way in "ab"])
    selection.run(ctx)
    training_rows(ctx, Line(arm="matched-2", seed=0))
    told = " ".join(capsys.readouterr().err.split())
    assert "50.0% of its examples are under another heuristic than in heuristics-2" in told
