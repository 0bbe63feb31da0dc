"""Token modes as a stage: what is laid side by side, what is read once, what the rows say."""

import math
from pathlib import Path

import pytest
from made_runs import attempt, context, put_evaluation, seen_of

from manyways.engines import next_token
from manyways.engines.next_token import NextToken
from manyways.measures import read_rows
from manyways.measures.token_modes import TOKEN_MODES, ForkRow, token_rows, why_none
from manyways.metrics.intervals import Resampling
from manyways.records import Solution
from manyways.stages import branch
from manyways.tables import solutions_table, write_table, write_text

ARMS = ("vanilla", "star", "heuristics-2")
FEW = Resampling(resamples=200)


def solution(number: int, way: str) -> Solution:
    return Solution(
        problem_id=f"made/seed/{number:03d}", heuristic=way, sample=0, text=f"<{way}> of {number}",
        status="correct", adherence=1.0, kept=True, reason="",
    )  # fmt: skip


@pytest.fixture
def ctx(tmp_path: Path):
    """Problems 0 to 2 are solved under a and b, problem 3 under a and plainly."""
    made = context(tmp_path, arms=ARMS)
    made.__dict__.update(base_path=str(tmp_path / "base"), base_hash="hash-of-base")
    rows = [solution(i, way) for i in range(3) for way in "ab"]
    rows += [solution(3, way) for way in ("a", "plain")]
    write_table(tmp_path / "2-solutions.parquet", solutions_table(rows))
    for line in made.lines:
        for path in (made.path_of(line.start), made.path_of(line.rl)):
            if line.arm != "star":
                write_text(Path(path) / "config.json", f'"{line.arm}"')
    return made


@pytest.fixture
def reads(monkeypatch):
    """Stands for the logits: as many equal tokens as the checkpoint's arm has ways."""
    seen: list[tuple[str, list]] = []

    def next_tokens(path, config, forks):
        seen.append((path, list(forks)))
        count = 2 if "heuristics" in path else 1
        for number, _ in enumerate(forks):
            spread = math.log(count + 0.1 * number)
            yield NextToken(entropy=spread, above=count, known=0.5, shared=4) if number else None

    monkeypatch.setattr(next_token, "next_tokens", next_tokens)
    return seen


def test_solutions_under_two_heuristics_are_laid_side_by_side(ctx, reads) -> None:
    branch.run(ctx)
    assert [Path(path).parent.name for path, _ in reads][1:] == ["5-rl", "3-midtrain", "5-rl"]
    for _, forks in reads:
        assert [fork.texts for fork in forks] == [(f"<a> of {i}", f"<b> of {i}") for i in range(3)]
        assert forks[0].messages == ctx.prompt_of("made/seed/000")
    rows = read_rows(ctx.run.path("6-branch/heuristics-2/seed-0/mid.json"), ForkRow)
    assert [row.problem_id for row in rows] == ["made/seed/001", "made/seed/002"]


def test_what_was_read_is_not_read_again_unless_it_changed(ctx, reads) -> None:
    branch.run(ctx)
    before = len(reads)
    branch.run(ctx)
    assert len(reads) == before == len(branch.plan(ctx)) == 4
    assert all(work.done for work in branch.plan(ctx))
    write_text(Path(ctx.path_of(ctx.lines[0].rl)) / "config.json", '"another"')
    branch.run(ctx)
    assert [path for path, _ in reads[before:]] == [ctx.path_of(ctx.lines[0].rl)]


def test_a_model_elsewhere_is_left_out_and_it_is_said(tmp_path: Path, reads, capsys) -> None:
    ctx = context(tmp_path, model={"engine": "http", "http": {"url": "http://localhost:1/v1"}})
    branch.run(ctx)
    assert reads == []
    assert "model.engine is 'http'" in " ".join(capsys.readouterr().err.split())
    assert "model.engine is 'http'" in why_none(seen_of(ctx).material)
    off = context(tmp_path, branch={"enabled": False})
    assert why_none(seen_of(off).material) == "the recipe says branch.enabled = false"


def test_nothing_parts_where_no_problem_was_solved_twice(tmp_path: Path, reads, capsys) -> None:
    ctx = context(tmp_path, arms=("vanilla",))
    ctx.__dict__.update(base_path=str(tmp_path / "base"), base_hash="hash-of-base")
    branch.run(ctx)
    assert reads == []
    said = " ".join(capsys.readouterr().err.split())
    assert "no problem has kept solutions under two heuristics" in said
    assert all(work.done for work in branch.plan(ctx))
    assert seen_of(ctx).material.forks == {}


def test_rows_and_signs(ctx, reads) -> None:
    branch.run(ctx)
    seen = seen_of(ctx)
    rows = {row.checkpoint: row for row in seen.rows(TOKEN_MODES)}
    assert list(rows) == ["base", "vanilla/rl", "heuristics-2/mid", "heuristics-2/rl"]
    assert rows["heuristics-2/mid"].modes.value == pytest.approx(2.15)
    assert rows["base"].modes.value == pytest.approx(1.15)
    assert rows["base"].above.value == 1.0
    many, through = token_rows(seen.material.forks, "heuristics-2", "base", FEW, why="")
    assert (many.outcome, many.measured.n) == ("agrees", 2)
    assert many.note.startswith("2.15 against 1.15")
    assert through.outcome == "cannot tell"
    (row,) = token_rows({}, "heuristics-2", "base", FEW, why="it is far away")
    assert (row.measured, row.note) == (None, "cannot be measured here because it is far away")


def test_the_report_says_why_there_is_none(tmp_path: Path) -> None:
    from manyways.measures.predictions import PredictionRow
    from manyways.stages import analyse

    ctx = context(tmp_path, arms=("star", "heuristics-2"), branch={"enabled": False})
    for arm in ctx.recipe.arms:
        rows = [attempt(f"made/test/{i:03d}", sample=n) for i in range(12) for n in range(2)]
        put_evaluation(ctx, f"{arm}/seed-0/mid", "made_runs:load/test?count=12", rows)
    analyse.run(ctx)
    found = read_rows(tmp_path / "7-tables" / "predictions.json", PredictionRow)
    notes = [row.note for row in found if row.quantity.startswith("Token modes")]
    assert notes == ["cannot be measured here because the recipe says branch.enabled = false"]
