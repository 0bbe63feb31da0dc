"""Pools beside the run's own: of a later round, of another model. Fake engines, no training."""

import json
from pathlib import Path

import pytest
from fake_engines import GuessingEngine
from made_runs import attempt, put_pool
from sampled_runs import context

from manyways import pipeline
from manyways.arms import Line
from manyways.errors import DataError, MissingWork, NothingToTrainOn
from manyways.pool.training_rows import pool_of, ready, training_rows, written_by
from manyways.records import PLAIN
from manyways.run_dir import RunDir
from manyways.stages import distill, generate, preflight, selection
from manyways.tables import append_attempts, read_attempts

LATE = Line(arm="heuristics-2@round2", seed=1)
ARMS = ("star", "heuristics-2", "heuristics-2@round2", "star@round2")


@pytest.fixture(autouse=True)
def fresh_engine():
    GuessingEngine.reset()


def bootstrapped(root: Path, **changes):
    return context(root, arms=ARMS, seeds=(0, 1), **changes)


def train(ctx, arm: str, seed: int = 1, weights: str = "a") -> None:
    """As far as sampling can tell, a checkpoint."""
    folder = ctx.run.arm_path(arm, seed, "3-midtrain", "checkpoint")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(weights)


def sample(ctx, line: Line = LATE):
    pool = pool_of(ctx, line)
    generate.run(pool)
    selection.run(pool)
    return pool


def test_a_round_waits_for_the_checkpoint_of_the_round_before(tmp_path: Path) -> None:
    ctx = bootstrapped(tmp_path)
    assert not ready(ctx, LATE)
    with pytest.raises(MissingWork, match="no checkpoint"):
        pool_of(ctx, LATE)
    train(ctx, "heuristics-2", seed=0)
    assert not ready(ctx, LATE)
    train(ctx, "heuristics-2", seed=1)
    assert ready(ctx, LATE)
    assert pool_of(ctx, Line(arm="heuristics-2", seed=1)) is ctx


def test_the_checkpoint_writes_the_pool_under_the_heuristics_of_the_arm_alone(
    tmp_path: Path,
) -> None:
    ctx = bootstrapped(tmp_path)
    train(ctx, "heuristics-2")
    train(ctx, "star")
    pool = sample(ctx)
    assert pool.base_path == ctx.path_of(Line(arm="heuristics-2", seed=1).start)
    found = list(read_attempts(ctx.run.path("pools/heuristics-2@round2/seed-1/1-attempts")))
    assert {a.heuristic for a in found} == {"a", "b"}
    assert {a.model_hash for a in found} == {pool.base_hash} != {ctx.base_hash}
    assert not ctx.run.path("1-attempts").exists()
    plain = sample(ctx, Line(arm="star@round2", seed=1))
    assert {a.heuristic for a in read_attempts(plain.run.path("1-attempts"))} == {PLAIN}
    assert written_by(ctx, LATE) == "heuristics-2/seed-1/mid"
    rows = training_rows(ctx, LATE)
    assert rows
    assert {row.heuristic for row in rows} <= {"a", "b"}


def test_a_round_is_sampled_adaptively_where_the_first_pool_is(tmp_path: Path) -> None:
    ctx = bootstrapped(tmp_path, generate={"sampling": "adaptive"})
    for arm, ways in (("heuristics-2", {"a", "b"}), ("star", {PLAIN})):
        train(ctx, arm)
        pool = sample(ctx, Line(arm=f"{arm}@round2", seed=1))
        assert {a.heuristic for a in read_attempts(pool.run.path("1-attempts"))} == ways
        assert pool.run.path(".1-attempts.rounds.json").is_file()
    ctx.close()


def test_rounds_do_not_repeat_the_seeds_of_the_first_pool(tmp_path: Path) -> None:
    ctx = bootstrapped(tmp_path)
    train(ctx, "heuristics-2")
    first = {a.seed for a in _after(generate.run, ctx)}
    pool = sample(ctx)
    assert not first & {a.seed for a in read_attempts(pool.run.path("1-attempts"))}


def _after(stage, ctx):
    stage(ctx)
    return list(read_attempts(ctx.run.path("1-attempts")))


def test_a_finished_pool_is_kept_until_its_writer_changes(tmp_path: Path) -> None:
    ctx = bootstrapped(tmp_path)
    train(ctx, "heuristics-2")
    sample(ctx)
    opened = GuessingEngine.opened
    sample(ctx)
    assert GuessingEngine.opened == opened
    train(ctx, "heuristics-2", weights="other weights")
    assert generate.plan(pool_of(ctx, LATE)).why == "inputs or settings changed: model"
    sample(ctx)
    assert GuessingEngine.opened == opened + 1
    assert list(ctx.run.path("pools/heuristics-2@round2/seed-1/stale").glob("1-attempts-*"))


def test_stamps_of_pools_stand_among_those_of_the_run(tmp_path: Path) -> None:
    ctx = bootstrapped(tmp_path)
    train(ctx, "heuristics-2")
    sample(ctx)
    stamps = {stamp.work: stamp for stamp in ctx.run.stamps()}
    assert set(stamps) == {f"generate/{LATE.name}", f"select/{LATE.name}"}
    (output,) = stamps[f"generate/{LATE.name}"].outputs
    assert ctx.run.path(output).is_dir()


def test_a_dry_run_says_what_a_round_waits_for(tmp_path: Path) -> None:
    ctx = bootstrapped(tmp_path)
    train(ctx, "heuristics-2", seed=0)
    names = [step.name for step in pipeline.steps(ctx) if step.line == LATE]
    assert names[:3] == [f"generate/{LATE.name}", f"select/{LATE.name}", f"midtrain/{LATE.name}"]
    steps = {step.name: step for step in pipeline.steps(ctx)}
    trained, own = steps["midtrain/heuristics-2/seed-1"], steps[f"generate/{LATE.name}"]
    other = steps["midtrain/heuristics-2/seed-0"]
    assert pipeline.feeds(trained, own)
    assert not pipeline.feeds(other, own)
    assert not pipeline.feeds(steps["rl/heuristics-2/seed-1"], own)


def distilling(root: Path, source: Path | None = None, **settings: object):
    table = {"attempts": str(source)} if source else {"model": settings.pop("model")}
    return context(root, arms=("star", "distilled-2"), distill={**table, **settings})


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


TRACES = [
    {"problem": "made/seed/000", "text": "first \\boxed{0}"},
    {"problem": "made/seed/000", "text": "first \\boxed{0}"},
    {"problem": "made/seed/000", "prediction": "no \\boxed{7}"},
    {"problem": "made/seed/000", "text": "cut \\boxed{0}", "finish": "length"},
    {"problem": "made/seed/000", "text": "second \\boxed{0}"},
    {"problem": "made/seed/000", "text": "third \\boxed{0}"},
    {"question": "What is  1 + 0?", "completion": "one \\boxed{1}"},
    {"problem": "elsewhere/7", "text": "\\boxed{7}"},
]


def test_attempts_of_a_file_are_judged_and_the_first_correct_ones_train(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ctx = distilling(tmp_path / "run", write(tmp_path / "t.jsonl", TRACES))
    distill.run(ctx)
    ctx.close()
    assert "1 attempts are at other problems" in " ".join(capsys.readouterr().err.split())
    found = list(read_attempts(ctx.run.path("pools/distilled/1-attempts")))
    assert len(found) == 7
    assert [a.verdict.status for a in found if a.sample == 2] == ["wrong"]
    line = Line(arm="distilled-2", seed=0)
    rows = training_rows(ctx, line)
    assert [(row.problem_id[-3:], row.text.split()[0], row.sample) for row in rows] == [
        ("000", "first", 0), ("000", "second", 4), ("001", "one", 0),
    ]  # fmt: skip
    assert written_by(ctx, line) == f"another model: {tmp_path / 't.jsonl'}"
    assert distill.plan(ctx).done
    write(tmp_path / "t.jsonl", TRACES[:-1])
    assert distill.plan(ctx).why == "inputs or settings changed: attempts"


def test_a_file_that_was_half_read_goes_on(tmp_path: Path) -> None:
    source = write(tmp_path / "t.jsonl", TRACES)
    whole, cut = distilling(tmp_path / "whole", source), distilling(tmp_path / "cut", source)
    distill.run(whole)
    attempts = list(read_attempts(whole.run.path("pools/distilled/1-attempts")))
    append_attempts(cut.run.path("pools/distilled/1-attempts"), attempts[:3])
    distill.run(cut)
    assert list(read_attempts(cut.run.path("pools/distilled/1-attempts"))) == attempts
    for ctx in (whole, cut):
        ctx.close()


def test_attempts_of_another_run_are_read_from_its_folder(tmp_path: Path) -> None:
    other = context(tmp_path / "other")
    generate.run(other)
    ctx = distilling(tmp_path / "run", other.run.path("1-attempts"))
    distill.run(ctx)
    for one in (ctx, other):
        one.close()
    assert training_rows(ctx, Line(arm="distilled-2", seed=0))


def test_another_model_is_sampled_with_plain_prompts(tmp_path: Path) -> None:
    model = {"path": str(tmp_path / "teacher"), "engine": "fake_engines:AlwaysRight"}
    (tmp_path / "teacher").mkdir()
    (tmp_path / "teacher" / "config.json").write_text("{}")
    ctx = distilling(tmp_path / "run", model=model, samples=3)
    distill.run(ctx)
    ctx.close()
    found = list(read_attempts(ctx.run.path("pools/distilled/1-attempts")))
    assert len(found) == 4 * 3
    assert {a.heuristic for a in found} == {PLAIN}
    assert ctx.base_hash not in {a.model_hash for a in found}
    # All three attempts at a problem read the same.
    assert len(training_rows(ctx, Line(arm="distilled-2", seed=0))) == 4
    assert written_by(ctx, Line(arm="distilled-2", seed=0)).endswith("teacher")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"problem": "made/seed/000"}], r"line 1: no 'text'"),
        ([{"text": "x"}], r"line 1: no 'problem' or 'question'"),
        ([{"problem": "p", "text": "x", "finish": "eos"}], r"'finish' is 'eos'"),
        ([{"problem": "p", "text": "x"}], r"none of the 1 attempts .* ids look like 'made/seed/"),
        ([], r"none of the 0 attempts"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(
    tmp_path: Path, rows: list[dict[str, object]], words: str
) -> None:
    ctx = distilling(tmp_path / "run", write(tmp_path / "t.jsonl", rows))
    with pytest.raises(DataError, match=words):
        distill.run(ctx)


def test_a_source_that_is_not_there_is_refused_before_anything_runs(tmp_path: Path) -> None:
    ctx = distilling(tmp_path / "run", tmp_path / "absent.jsonl")
    with pytest.raises(DataError, match=r"absent\.jsonl' is neither a file nor a folder"):
        preflight._check_distill(ctx)


def test_nothing_correct_says_so(tmp_path: Path) -> None:
    rows = [{"problem": "made/seed/000", "text": "\\boxed{9}"}]
    ctx = distilling(tmp_path / "run", write(tmp_path / "t.jsonl", rows))
    distill.run(ctx)
    ctx.close()
    with pytest.raises(NothingToTrainOn, match="none of the 1 attempts of the other model"):
        training_rows(ctx, Line(arm="distilled-2", seed=0))


def test_a_self_generated_pool_refuses_foreign_attempts(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    generate.run(ctx)
    put_pool(ctx, [attempt("made/seed/000", "a", 99, model_hash="another")])
    with pytest.raises(DataError, match=r"1 of .* written by another model .* 'distilled-N'"):
        selection.run(ctx)
    ctx.close()
    assert RunDir(root=tmp_path).stamp("select") is None
