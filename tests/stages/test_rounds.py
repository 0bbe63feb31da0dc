import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from command_line import environment
from fake_engines import GuessingEngine
from sampled_runs import context

from manyways import tables
from manyways.pool.solutions import read_requests, requested_attempts, solved_cells, yield_rows
from manyways.records import PLAIN, Verdict
from manyways.stages import generate, selection
from manyways.tables import parts, read_attempts, read_solutions

POOL = {"problems": "made_runs:load/seed?count=10", "samples": 4, "plain_samples": 3}
ADAPTIVE = {**POOL, "sampling": "adaptive"}


@pytest.fixture(autouse=True)
def fresh_engine():
    GuessingEngine.reset()


class JudgeHere:
    """Compares what the box holds, without processes."""

    def verdicts(self, pairs):
        for problem, text in pairs:
            right = f"\\boxed{{{problem.answer}}}" in text
            yield Verdict(status="correct" if right else "wrong", rule="here")

    def close(self):
        pass


def run(root, settings, **changes):
    ctx = context(root, engine="UnevenEngine", generate=settings, **changes)
    ctx.__dict__["verifiers"] = JudgeHere()
    try:
        generate.run(ctx)
    finally:
        ctx.close()
    return ctx


def found(ctx):
    return {
        (a.problem_id, a.heuristic, a.sample): a for a in read_attempts(ctx.run.path("1-attempts"))
    }


def counts(ctx):
    return ctx.run.stamp("generate").counts


def rounds_of(ctx):
    return json.loads(ctx.run.path(".1-attempts.rounds.json").read_text())


def test_fixed_holds_every_attempt_of_adaptive(tmp_path):
    fixed = found(run(tmp_path / "fixed", POOL))
    adaptive = found(run(tmp_path / "adaptive", ADAPTIVE))
    assert 0 < len(adaptive) < len(fixed)
    assert {key: fixed[key] for key in adaptive} == adaptive


def test_a_cell_is_left_with_its_first_solution_and_an_impossible_one_is_given_up(tmp_path):
    ctx = run(tmp_path, ADAPTIVE)
    selection.run(ctx)
    kept = {(s.problem_id, s.heuristic): s.sample for s in read_solutions(
        ctx.run.path("2-solutions.parquet")) if s.kept}  # fmt: skip
    tried = {}
    for problem, way, _ in found(ctx):
        tried[problem, way] = tried.get((problem, way), 0) + 1
    assert len(tried) == 40
    for cell, count in tried.items():
        most = 3 if cell[1] == PLAIN else 4
        assert count == (kept[cell] + 1 if cell in kept else most)
    assert {tried[cell] for cell in tried if cell[1] == "c"} == {4}
    assert counts(ctx)["accepted"] == len(kept)
    assert counts(ctx)["given_up"] == 40 - len(kept)
    assert counts(ctx)["rounds"] == 4
    assert counts(ctx)["tokens"] == rounds_of(ctx)[-1]["tokens"]


def test_coverage_is_that_of_fixed(tmp_path):
    solved = []
    for name, settings in (("fixed", POOL), ("adaptive", ADAPTIVE)):
        ctx = run(tmp_path / name, settings)
        solved.append(solved_cells(ctx, requested_attempts(ctx)))
    assert solved[0] == solved[1]


def test_losing_the_last_parts_changes_nothing(tmp_path):
    settings = ADAPTIVE | {"part_size": 4}
    ctx = run(tmp_path, settings)
    whole = [part.read_bytes() for part in parts(ctx.run.path("1-attempts"))]
    for kept in (1, len(whole) - 1):
        for part in parts(ctx.run.path("1-attempts"))[kept:]:
            part.unlink()
        ctx.run.stamp_path("generate").unlink()
        run(tmp_path, settings)
        assert [part.read_bytes() for part in parts(ctx.run.path("1-attempts"))] == whole


def test_a_part_is_read_once_by_all_rounds_and_twice_at_the_end(tmp_path, monkeypatch):
    opened, whole = Counter(), tables.pq.ParquetFile

    def noted(path):
        opened[path.name] += 1
        return whole(path)

    monkeypatch.setattr(tables.pq, "ParquetFile", noted)
    ctx = run(tmp_path, ADAPTIVE)
    assert counts(ctx)["rounds"] == 4
    names = {part.name for part in parts(ctx.run.path("1-attempts"))}
    assert {name: opened[name] for name in names} == dict.fromkeys(names, 3)


@pytest.mark.slow
def test_a_killed_run_comes_out_the_same(tmp_path):
    script = Path(__file__).parent / "killed_rounds.py"
    done = subprocess.run(
        [sys.executable, script, tmp_path],
        env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert any(0 < held < seen["attempts"] for held in seen["held"])
    assert seen["same"]


def test_widening_continues(tmp_path):
    first = set(found(run(tmp_path, ADAPTIVE | {"samples": 1})))
    ctx = run(tmp_path, ADAPTIVE)
    assert first < set(found(ctx))
    run(tmp_path, ADAPTIVE | {"samples": 6})
    fixed = run(tmp_path, POOL | {"samples": 6})
    assert len(found(fixed)) == 10 * (3 + 3 * 6)
    assert len(GuessingEngine.seeds) == len(set(GuessingEngine.seeds)) == len(found(fixed))
    assert not ctx.run.path("stale").exists()


def test_narrowed_to_adaptive_what_was_not_asked_for_is_left_out(tmp_path):
    fresh = run(tmp_path / "fresh", ADAPTIVE)
    run(tmp_path / "narrowed", POOL)
    sampled = len(GuessingEngine.seeds)
    narrowed = run(tmp_path / "narrowed", ADAPTIVE)
    assert len(GuessingEngine.seeds) == sampled
    solutions = []
    for ctx in (fresh, narrowed):
        selection.run(ctx)
        solutions.append(read_solutions(ctx.run.path("2-solutions.parquet")))
    assert solutions[0] == solutions[1]
    assert counts(fresh) == counts(narrowed)


def test_a_threshold_of_selection_asks_for_more(tmp_path):
    run(tmp_path, ADAPTIVE, select={"min_adherence": 0.0})
    before = len(GuessingEngine.seeds)
    ctx = context(tmp_path, engine="UnevenEngine", generate=ADAPTIVE)
    assert generate.plan(ctx).why == "amount changed: select"
    assert before == len(found(ctx))


def test_fixed_recipes_keep_their_identity(tmp_path):
    work = generate.plan(context(tmp_path, generate=POOL))
    assert set(work.request) == {"limit", "samples", "plain_samples", "heuristics"}
    assert "sampling" not in work.identity["settings"]
    adaptive = generate.plan(context(tmp_path, generate=ADAPTIVE))
    assert adaptive.identity == work.identity


def test_nothing_asked_is_known_of_a_fixed_pool(tmp_path):
    ctx = run(tmp_path, ADAPTIVE)
    fixed = run(tmp_path, POOL)
    assert len(read_requests(ctx.recipe, ctx.run.path("1-attempts"))) == 40
    assert read_requests(fixed.recipe, fixed.run.path("1-attempts")) is None


def test_rates_come_from_first_attempts_alone(tmp_path):
    rows = {}
    for name, settings in (("adaptive", ADAPTIVE), ("fixed", POOL)):
        ctx = run(tmp_path / name, settings)
        selection.run(ctx)
        rows[name] = {row.heuristic: row for row in yield_rows(ctx)}
    first = [a for a in found(ctx).values() if a.heuristic == "b" and a.sample == 0]
    row = rows["adaptive"]["b"]
    assert row.fair.attempts == len(first) == 10
    assert row.fair.correct == sum(a.verdict.status == "correct" for a in first)
    assert row.correct / row.attempts < row.fair.correct / row.fair.attempts
    assert row.rates is row.fair
    assert rows["fixed"]["b"].fair is None
    assert rows["fixed"]["b"].rates.attempts == 40
