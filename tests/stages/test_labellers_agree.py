"""Two labellers on one run: agreement, error, correction of composition rates."""

import json
from pathlib import Path

import pytest
from made_runs import MarkLabeller, attempt, context, put_evaluation, put_pool

from manyways.commands.texts import compare_labellers
from manyways.errors import DataError, UserError
from manyways.measures import read_rows
from manyways.measures.composition import CompositionRow
from manyways.pool.labellers import Pair, compare, error_of, write
from manyways.recipe import dump_recipe
from manyways.records import Segment
from manyways.stages import analyse

TEST = "made_runs:load/test?count=12"
EXACT, SLOPPY = "test_labellers_agree:exact", "made_runs:labeller"


class Exact(MarkLabeller):
    """Right by construction; reads ``<a>`` and, what MarkLabeller does not see, ``[b]``."""

    exact = True

    def segments(self, text: str) -> list[Segment]:
        if "unread" in text:
            return []
        return [
            Segment(text=s.text, heuristic="b" if "[b]" in s.text else s.heuristic)
            for s in super().segments(text)
        ]


def exact(pack) -> Exact:
    return Exact()


class Learner(MarkLabeller):
    """Knows only what it was given."""

    taught: list[set[str]] = []  # noqa: RUF012  one list for all

    def __init__(self, attempts) -> None:
        self.taught.append({text.problem_id for text in attempts()})


def learner(pack, attempts) -> Learner:
    return Learner(attempts)


def pool(ctx) -> None:
    texts = ["<a> x\n<b> y", "<a> x\n[b] y", "<a> x\n<a> y", "[b] x\n[b] y", "unread"]
    put_pool(
        ctx,
        [
            attempt(f"made/seed/{p:03d}", "a", n, text=f"{text} {p}")
            for p in range(4) for n, text in enumerate(texts)
        ],
    )  # fmt: skip


def test_everything_is_counted(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    pool(ctx)
    found = compare(ctx, Pair(first=EXACT, second=SLOPPY))
    assert (found.texts, found.problems, found.exact) == (16, 4, EXACT)
    assert found.confusion == {"a": {"a": 12}, "b": {"direct": 4}}
    assert found.same.value == 0.75
    assert found.kappa is not None
    assert found.kappa.value == pytest.approx((0.75 - 0.75**2) / (1 - 0.75**2))
    assert [score.value for score in found.composed] == [0.5, 0.25]
    assert found.error is not None
    assert (found.error.sensitivity, found.error.specificity) == (0.5, 1.0)
    mirrored = compare(ctx, Pair(first=SLOPPY, second=EXACT))
    assert mirrored.error == found.error, "the exact one is the reference on either side"
    assert compare(ctx, Pair(first=SLOPPY, second=SLOPPY)).error is None


def test_a_learner_is_judged_on_other_problems(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    pool(ctx)
    Learner.taught.clear()
    found = compare(ctx, Pair(first=EXACT, second="test_labellers_agree:learner"))
    assert Learner.taught == [{"made/seed/000", "made/seed/002"}]
    assert (found.problems, found.texts, found.lessons) == (2, 8, 10)
    half = compare(ctx, Pair(first=EXACT, second=SLOPPY, held_out=True))
    assert (half.problems, half.texts, half.lessons) == (2, 8, 0)


def test_its_error_corrects_the_rates_of_the_run(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    texts = ["<a> x\n<b> y", "<a> x\n[b] y", "<a> x\n<a> y", "<b> x"]
    rows = [
        attempt(f"made/test/{p:03d}", sample=n, text=text)
        for p in range(12) for n, text in enumerate(texts)
    ]  # fmt: skip
    put_evaluation(ctx, "base", TEST, rows)
    analyse.run(ctx)
    (before,) = read_rows(ctx.run.path("7-tables", "composition.json"), CompositionRow)
    assert before.corrected is None, "nobody has measured the labeller"
    write(ctx, compare(ctx, Pair(first=SLOPPY, second=EXACT, on="evaluations")))
    assert error_of(ctx, SLOPPY) is not None
    assert error_of(ctx, EXACT) is None
    assert analyse.plan(ctx).why == "inputs or settings changed: inputs"
    analyse.run(ctx)
    (row,) = read_rows(ctx.run.path("7-tables", "composition.json"), CompositionRow)
    assert row.composed.value == 0.25
    assert row.corrected is not None
    assert row.corrected.value == pytest.approx(0.5)
    assert row.corrected.low < 0.5 < row.corrected.high


def test_the_command_prints_and_writes(tmp_path: Path, capsys) -> None:
    ctx = context(tmp_path, pack=("working-backwards", "cases-first"))
    recipe = ctx.recipe.model_copy(
        update={"heuristics": ctx.recipe.heuristics.model_copy(update={"pack": "polya"})}
    )
    (tmp_path / "recipe.toml").write_text(dump_recipe(recipe))
    put_pool(ctx, [attempt(f"made/seed/{p:03d}", "working-backwards", 0) for p in range(4)])
    compare_labellers(tmp_path, first=None, second=EXACT, on="pool", held_out=False)
    printed = capsys.readouterr().out
    assert "specificity" in printed
    assert "exact" in printed
    (file,) = (tmp_path / "agreement").iterdir()
    assert json.loads(file.read_text())["texts"] == 4
    with pytest.raises(DataError, match="run the stage evaluate first"):
        compare_labellers(tmp_path, first=None, second=EXACT, on="evaluations", held_out=False)
    with pytest.raises(UserError, match=r"unknown labeller 'exemplar'. Did you mean 'exemplars'"):
        compare_labellers(tmp_path, first=None, second="exemplar", on="pool", held_out=False)
