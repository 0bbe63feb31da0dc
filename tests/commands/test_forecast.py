import json
import shutil
from collections import namedtuple
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command_line import ROOT, in_this_process
from made_runs import context

from manyways.arms import Line, parse_arm
from manyways.commands import needs
from manyways.commands.forecast import (
    FILE,
    Measurement,
    SamplingCost,
    compare,
    examples,
    forecast,
    measure,
    planned_work,
    print_forecast,
    read_forecast,
    sampling_seconds,
    write_forecast,
)
from manyways.commands.forecast.measure import fit_line, time_sampling
from manyways.engines import SamplingSettings
from manyways.engines.queueing import stream
from manyways.errors import DataError
from manyways.recipe import load_recipe
from manyways.stages.generate import cells


def sampled(**changes: Any) -> SamplingCost:
    values: dict[str, Any] = {
        "attempts": 20, "fixed": 2.0, "each": 0.5, "full": 10, "tokens": 4.0,
        "prompt_tokens": 9.0, "truncated": 0.0, "correct": 0.5,
    }  # fmt: skip
    return SamplingCost(**(values | changes))


def measured(ctx: Any, **changes: Any) -> Measurement:
    kinds = ("plain", "heuristics", "rl", *ctx.recipe.evaluate.benchmarks)
    values: dict[str, Any] = {
        "sampled": {kind: sampled() for kind in kinds}, "opening": 1.0, "starting": 8.0,
        "verdict": 0.01, "label": 0.02, "midtrain_step": 3.0, "midtrain_once": 4.0,
        "rl_step": 5.0, "rl_once": 6.0,
        "ratio": 2.0, "attempt_bytes": 100.0, "took": 7.0,
    }  # fmt: skip
    return Measurement(**(values | changes))


def test_amounts_are_exact_and_named_like_stamps(tmp_path: Path) -> None:
    ctx = context(tmp_path, rl={"group_size": 4, "prompts_per_step": 2}, generate={"limit": 3})
    found = {work.work: work for work in planned_work(ctx)}
    # 3 problems x (4 plain + 3 heuristics x 4)
    assert found["generate"].attempts == 48
    assert found["gate/star/seed-0"].attempts == 4 * 4
    assert found["rl/star/seed-0"].attempts == 5 * 2 * 4
    assert found["evaluate/base/made-runs-load-test-count-12"].attempts == 12 * 4
    assert "midtrain/vanilla/seed-0" not in found
    assert found["branch/star/seed-0/mid"].attempts == 3
    assert "probe" not in found
    probing = context(tmp_path, probe={"enabled": True, "heuristics": 2, "samples": 3})
    # 4 problems x 2 x 2 heuristics x 3
    assert {work.work: work for work in planned_work(probing)}["probe"].attempts == 48
    assert "evaluate/vanilla/seed-0/mid/made-runs-load-test-count-12" not in found
    assert found["rl/heuristics-2/seed-0"].ways and not found["rl/star/seed-0"].ways


def test_forecast_adds_up(tmp_path: Path) -> None:
    ctx = context(tmp_path, rl={"group_size": 4, "prompts_per_step": 2})
    made = forecast(ctx, measured(ctx), 1000.0)
    rows = {row.work: row for row in made.rows}
    plain, many = rows["rl/vanilla/seed-0"], rows["rl/heuristics-2/seed-0"]
    assert (plain.seconds, many.seconds) == (6 + 5 * 5.0, 6 + 5 * 5.0 * 2)
    # 40 attempts of 4 tokens, twice as long after many ways
    assert (plain.tokens, many.tokens) == (160, 320)
    assert rows["midtrain/star/seed-0"].seconds == 4 + 5 * 3.0
    # 48 attempts: 5 batches of 2 s, half a second each, verdicts, half of an engine's opening
    evaluation = rows["evaluate/base/made-runs-load-test-count-12"]
    assert evaluation.seconds == pytest.approx(5 * 2 + 24 + 0.48 + 0.5)
    assert rows["select"].seconds == pytest.approx(0.3 + 64 * 0.02)
    # A checkpoint, and the 40 attempts: a sample of 64 problems has all that are met.
    assert (plain.disk, many.disk, made.peak) == (1000.0 + 40 * 100, 1000.0 + 40 * 200, 6000.0)


def test_what_rl_keeps_and_samples_on_the_way_is_forecast(tmp_path: Path) -> None:
    given = {"group_size": 4, "prompts_per_step": 2, "attempts": "none", "keep": "all",
             "evaluate_every": 2, "evaluate": ["made_runs:load/valid?count=9"],
             "evaluate_limit": 6, "evaluate_attempts": 3}  # fmt: skip
    ctx = context(tmp_path, rl=given)
    found = {work.work: work.attempts for work in planned_work(ctx)}
    names = [f"evaluate/star/seed-0/rl@{n}/made-runs-load-valid-count-9" for n in (0, 2, 4, 5)]
    assert [found[name] for name in names] == [6 * 3] * 4
    assert "evaluate/star/seed-0/mid@0/made-runs-load-valid-count-9" not in found
    asked = measured(ctx)
    asked.sampled["made_runs:load/valid?count=9"] = asked.sampled["rl"]
    rows = {row.work: row for row in forecast(ctx, asked, 1000.0).rows}
    assert rows["rl/star/seed-0"].disk == 3000.0  # the last step's and two on the way
    assert rows[names[0]].disk == 18 * 100.0
    rated = context(tmp_path, rl={"group_size": 4, "pass_rate": [0.1, 0.9]})
    amounts = {work.work: work.attempts for work in planned_work(rated)}
    assert (amounts["gate/base"], amounts["gate/vanilla/seed-0"]) == (4 * 4, 0)
    assert amounts["gate/star/seed-0"] == 4 * 4
    chosen = context(tmp_path, rl=given | {"evaluate_pass_rate": [0.1, 0.9]})
    amounts = {work.work: work.attempts for work in planned_work(chosen)}
    assert amounts["generate/base/made-runs-load-valid-count-9"] == 6 * 3
    assert amounts[names[0]] == 6 * 3


def test_tokens_never_exceed_the_limit(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    long = {k: sampled(tokens=8.0) for k in measured(ctx).sampled}
    rows = {row.work: row for row in forecast(ctx, measured(ctx, sampled=long), None).rows}
    row = rows["rl/heuristics-2/seed-0"]
    assert row.tokens == row.attempts * 9


def test_epochs_become_steps(tmp_path: Path) -> None:
    ctx = context(tmp_path, midtrain={"steps": None, "epochs": 2.0, "batch_size": 4})
    assert ctx.midtraining(Line(arm="star", seed=0)).steps_for(100) == 50


def test_examples_are_those_of_the_arm(tmp_path: Path) -> None:
    """4 problems, 3 heuristics, 4 attempts at each cell, half of them right."""
    ctx = context(tmp_path)
    solved = 1 - 0.5**4
    expected = {
        "star": 4 * solved,
        "random": 4 * (1 - (1 - solved) ** 3),
        "heuristics-2": 8 * solved,
        "matched-3": 12 * solved,
        "wrong-2": 8 * solved,
        "budget-3": 4 * solved,
        "distilled-5": 20,
        "star@round2": 4 * solved,
    }
    made = measured(ctx)
    found = {name: examples(ctx, parse_arm(name), made) for name in expected}
    assert found == pytest.approx(expected)
    fixed = context(tmp_path, select={"budget": 7})
    assert examples(fixed, parse_arm("budget-2"), made) == pytest.approx(7)


def test_a_forecast_of_rounds_says_whose_texts_it_took(tmp_path: Path, capsys: Any) -> None:
    for arms, said in ((("star",), False), (("star", "star@round2"), True)):
        ctx = context(tmp_path, arms=arms)
        print_forecast(forecast(ctx, measured(ctx), 1.0), tmp_path)
        heard = " ".join("".join(capsys.readouterr()).split())
        assert ("assumes that the base model writes their pools" in heard) == said


def test_pools_of_rounds_and_of_another_model_are_counted(tmp_path: Path) -> None:
    arms = ("star", "heuristics-2", "star@round2", "heuristics-2@round2", "distilled-2")
    other = {"model": {"path": "other"}, "samples": 3}
    ctx = context(tmp_path, arms=arms, seeds=(0, 1), distill=other)
    attempts = {work.work: work.attempts for work in planned_work(ctx)}
    assert attempts["generate/star@round2/seed-1"] == 4 * 4
    assert attempts["generate/heuristics-2@round2/seed-0"] == 4 * 2 * 4
    assert attempts["generate/distilled"] == 4 * 3
    rows = {row.work: row for row in forecast(ctx, measured(ctx), None).rows}
    assert rows["generate/distilled"].tokens == 12 * 4.0


def test_two_points_make_a_line_and_noise_does_not() -> None:
    assert fit_line((8, 3.0), (28, 8.0)) == (1.0, 0.25)
    assert fit_line((8, 3.0), (16, 2.0)) == (0.0, 0.125)
    assert fit_line((8, 1.0), (8, 2.0)) == (0.0, 0.25)
    assert fit_line((8, 0.5), (16, 2.0)) == (0.0, 0.125)
    assert sampling_seconds(sampled(), 11) == 2 * 2.0 + 11 * 0.5


def test_timing_reads_every_kind_of_cell(tmp_path: Path) -> None:
    from fake_engines import AlwaysRight

    ctx = context(tmp_path)
    pool = cells(ctx, ctx.problems(ctx.recipe.generate.problems, None))
    found = time_sampling(
        AlwaysRight("nowhere", ctx.recipe.model), pool, SamplingSettings(max_tokens=9),
        batch_tokens=640,
    )  # fmt: skip
    assert found.full == 640 // (7 + 9)
    assert found.points[0][0] == 8
    assert len(found.attempts) == found.points[1][0] == 40
    assert {a.heuristic for a in found.attempts} == {"plain", "a", "b", "c"}
    assert len({(a.problem_id, a.heuristic, a.sample) for a in found.attempts}) == 40


def test_a_slow_engine_is_timed_by_a_few_tokens_of_a_wide_batch(
    tmp_path: Path, monkeypatch: Any
) -> None:
    from fake_engines import AlwaysRight

    ctx = context(tmp_path)
    pool = cells(ctx, ctx.problems(ctx.recipe.generate.problems, None))
    asked: list[tuple[int, int]] = []

    class Slow(AlwaysRight):
        """A second for each token of a row, told by a clock of its own."""

        def sample(self, requests: Any, settings: Any) -> Any:
            found = list(super().sample(requests, settings))
            asked.append((sum(map(len, found)), settings.max_tokens))
            clock[0] += asked[-1][0] * settings.max_tokens
            return iter(found)

    clock = [0.0]
    monkeypatch.setattr(measure.time, "monotonic", lambda: clock[0])
    engine = Slow("nowhere", ctx.recipe.model)
    found = time_sampling(engine, pool, SamplingSettings(max_tokens=9), batch_tokens=640)
    assert found.slow
    assert asked == [(8, 9), (40, 1 + measure.STRIDE), (40, 1)]
    assert len(found.attempts) == 8
    assert found.points == ((8, 72.0), (40, 40 * found.tokens))
    longer = replace(found, attempts=[replace(a, tokens=4) for a in found.attempts])
    shorter = measure.timing_like_plain(longer, SamplingSettings(max_tokens=2))
    assert {a.tokens for a in shorter.attempts} == {2}
    assert shorter.points[1] == (40, found.points[1][1] / 2)


def test_a_slow_engine_that_tells_of_its_passes_is_timed_between_them(
    tmp_path: Path, monkeypatch: Any
) -> None:
    from fake_engines import AlwaysRight

    from manyways.engines import Going

    ctx = context(tmp_path)
    pool = cells(ctx, ctx.problems(ctx.recipe.generate.problems, None))
    asked: list[tuple[int, int, float]] = []

    class Slow(AlwaysRight):
        """100 seconds for the prompts, half of which join late, then 2 seconds a pass."""

        def stream(self, requests: Any, settings: Any) -> Any:
            chosen = list(requests)
            count = sum(len(one.seeds) for one in chosen)
            asked.append((count, settings.max_tokens, settings.temperature))
            for begun in (count // 2, count - count // 2):
                clock[0] += 50.0
                yield Going(running=count, begun=begun)
            for _ in range(settings.max_tokens - 1):
                clock[0] += 2.0
                yield Going(running=count)
            yield from stream(AlwaysRight("nowhere", ctx.recipe.model), chosen, settings)

    clock = [0.0]
    monkeypatch.setattr(measure.time, "monotonic", lambda: clock[0])
    settings = SamplingSettings(max_tokens=9, temperature=0.7)
    engine = Slow("nowhere", ctx.recipe.model)
    found = time_sampling(engine, pool, settings, batch_tokens=640)
    assert asked == [(8, 9, 0.7), (40, 1 + measure.STRIDE, measure.PARTING)]
    stride = 100.0 + 2.0 * measure.STRIDE
    assert found.points[1] == (40, stride + 2.0 * (found.tokens - 1 - measure.STRIDE))
    asked.clear()
    time_sampling(engine, pool, replace(settings, temperature=0.0), batch_tokens=640)
    assert [temperature for *_, temperature in asked] == [0.0, 0.0], "greedy texts never part"


def test_a_slow_measurement_says_how_far_it_is(
    tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    from fake_engines import AlwaysRight

    from manyways.engines import Going

    class Slow(AlwaysRight):
        """It tells of its tokens before the first attempt ends."""

        def stream(self, requests: Any, settings: Any) -> Any:
            chosen = list(requests)
            count = sum(len(one.seeds) for one in chosen)
            yield Going(running=count, begun=count, tokens=lambda: [3] * count)
            yield from stream(AlwaysRight("nowhere", ctx.recipe.model), chosen, settings)

    ctx = context(tmp_path)
    pool = cells(ctx, ctx.problems(ctx.recipe.generate.problems, None))
    monkeypatch.setattr("manyways.progress.FIRST_SECONDS", 0.0)
    engine = Slow("nowhere", ctx.recipe.model)
    time_sampling(engine, pool, SamplingSettings(max_tokens=9), batch_tokens=640)
    first = capsys.readouterr().err.splitlines()[0]
    assert first.startswith("forecast: 0/8 attempts, 8 running")


def test_comparison_counts_finished_work_only(tmp_path: Path, capsys: Any) -> None:
    ctx = context(tmp_path, rl={"group_size": 4, "prompts_per_step": 2})
    with pytest.raises(DataError, match="no forecast was kept"):
        compare(ctx.run)
    made = forecast(ctx, measured(ctx), 1000.0)
    write_forecast(tmp_path / FILE, made)
    assert read_forecast(tmp_path / FILE) == made
    out = tmp_path / "arms" / "star" / "seed-0" / "5-rl"
    with ctx.run.work("rl/star/seed-0", identity={}, outputs=(out,)) as work:
        work.counts.update(steps=5, attempts=40)
        out.mkdir(parents=True)
        lines = [json.dumps({"step": i, "length": 3.0 + i}) for i in range(3)]
        (out / "metrics.jsonl").write_text("\n".join(lines))
    compare(ctx.run)
    rows = [line.split("│") for line in capsys.readouterr().out.splitlines()]
    row = next([cell.strip() for cell in r] for r in rows if r[0].strip() == "rl")
    # 40 attempts of 4 tokens forecast; 40 x mean length 4 sampled
    assert row[1:4] == ["1/3", "40 / 40", "160 / 160"]
    assert row[4].startswith("31.0 s / 0.")


def test_short_disk_is_warned_of(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(9, 9, 9))
    ctx = context(tmp_path)
    print_forecast(forecast(ctx, measured(ctx), 1000.0), tmp_path / "not" / "yet")
    assert "WARNING: the disk" in capsys.readouterr().err


def test_amounts_alone_need_no_model_and_keep_nothing(tmp_path: Path, capsys: Any) -> None:
    smoke, out = ROOT / "recipes" / "smoke.toml", tmp_path / "run"
    outcome = in_this_process(capsys, "forecast", smoke, "--out", out, "--no-measure")
    assert outcome.code == 0, outcome.err
    assert "Only amounts" in outcome.err
    assert "without attempts" in outcome.err
    row = next(line for line in outcome.out.splitlines() if line.startswith("generate"))
    assert [cell.strip() for cell in row.split("│")][1:3] == ["1", "72"]
    assert not out.exists()


@pytest.mark.slow
def test_a_slow_engine_trains_for_fewer_steps(
    tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.setattr(measure, "SLOW", 0.0)
    smoke, out = ROOT / "recipes" / "smoke.toml", tmp_path / "run"
    outcome = in_this_process(capsys, "forecast", smoke, "--out", out)
    assert outcome.code == 0, outcome.err
    assert outcome.err.count(": 2 steps") == 2, "mid-training and RL"
    made = read_forecast(out / FILE)
    assert made and all(row.seconds for row in made.rows if row.stage in ("midtrain", "rl"))


@pytest.mark.slow
def test_measuring_the_smoke_recipe_leaves_a_forecast(tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "run"
    outcome = in_this_process(capsys, "forecast", ROOT / "recipes" / "smoke.toml", "--out", out)
    assert outcome.code == 0, outcome.err
    made = read_forecast(out / FILE)
    assert made and made.measured
    assert "midtrain" in outcome.err and "3 steps" in outcome.err, "the trainings say so too"
    assert all(row.seconds and row.seconds > 0 for row in made.rows if row.stage != "select")
    assert [path.name for path in out.iterdir() if path.name != ".lock"] == [FILE]


def test_verls_sharded_steps_are_on_the_disk_until_they_are_merged() -> None:
    """Five steps: weights and two moments of each, and four that are merged before the last."""
    recipe = load_recipe(ROOT / "recipes" / "paper-verl.toml")
    watched = recipe.rl.model_copy(update={"steps": 45, "evaluate_every": 10})
    assert needs._trainer_copies(watched) == 5 * 3 + 4
    assert needs._trainer_copies(recipe.rl) == needs.TRAINER_COPIES
