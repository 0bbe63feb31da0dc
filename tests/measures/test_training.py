import json
from pathlib import Path

from made_runs import attempt, context, put_evaluation, put_pool

from manyways.measures import read_rows, write_rows
from manyways.measures.arms import ArmRow
from manyways.measures.catalogue import MEASURES
from manyways.measures.composition import CompositionRow
from manyways.measures.curves import CurveRow
from manyways.measures.diversity import DiversityRow
from manyways.measures.explorer import ExplorerRow
from manyways.measures.gate import GateRow
from manyways.measures.seen import Seen
from manyways.stages import analyse, selection
from manyways.tables import write_text

TEST = "made_runs:load/test?count=12"


def table(ctx, name: str, kind: type) -> list:
    return read_rows(ctx.run.path("7-tables", f"{name}.json"), kind)


def gate(arm: str, mixed: float) -> GateRow:
    return GateRow(
        checkpoint=f"{arm}/seed-0/mid", arm=arm, seed=0, attempts=8, stop=1.0, no_answer=0.0,
        undecided=0.0, passed=0.5, all_right=0.1, all_wrong=0.1, mixed=mixed, switch=None,
        effective=1.0, decision="fit", sentence="Fit.",
    )  # fmt: skip


def trained(root: Path):
    """One arm that went all the way, one that stopped, on a pool of two problems."""
    ctx = context(root, arms=("vanilla", "star", "heuristics-2", "wrong-2"))
    rows = [attempt(f"made/seed/00{i}", way, 0) for i in (0, 1) for way in ("a", "b", "plain")]
    put_pool(ctx, [*rows, attempt("made/seed/000", "a", 1, status="wrong")])
    selection.run(ctx)
    arm = ctx.run.arm_path("heuristics-2", 0)
    lines = [
        {"step": 1, "reward": 0.2},
        {"step": 2, "reward": 0.3},
        {"step": 2, "reward": 0.4, "new": 1},
    ]
    write_text(
        arm / "5-rl" / "metrics.jsonl", "\n".join(map(json.dumps, lines)) + '\n{"step": 3, "rew'
    )
    write_text(arm / "3-midtrain" / "metrics.jsonl", json.dumps({"step": 5, "loss": 1.5}) + "\n")
    write_rows(arm / "4-gate.json", [gate("heuristics-2", 0.75)])
    write_text(arm / "outcome.json", json.dumps({"outcome": "complete"}))
    stopped = {"outcome": "0 of 2 attempts correct"}
    write_text(ctx.run.arm_path("star", 0, "outcome.json"), json.dumps(stopped))
    return ctx


def test_curves_keep_the_last_of_a_repeated_step_and_survive_a_cut_line(tmp_path: Path) -> None:
    ctx = trained(tmp_path)
    analyse.run(ctx)
    rows = table(ctx, "curves", CurveRow)
    assert [(r.stage, r.step, r.reward, r.loss) for r in rows] == [
        ("midtrain", 5, None, 1.5), ("rl", 1, 0.2, None), ("rl", 2, 0.4, None),
    ]  # fmt: skip


def test_arms_say_how_far_they_came(tmp_path: Path) -> None:
    ctx = trained(tmp_path)
    analyse.run(ctx)
    rows = {row.arm: row for row in table(ctx, "arms", ArmRow)}
    many = rows["heuristics-2"]
    assert (many.examples, many.problems, many.ways) == (4, 2, 2.0)
    assert (many.midtrain_steps, many.rl_steps, many.outcome) == (5, 2, "complete")
    assert rows["star"].outcome == "0 of 2 attempts correct"
    assert rows["vanilla"].outcome == "not begun"
    seen = Seen(name="made", recipe=ctx.recipe, run=ctx.run)
    sentences = " ".join(finding.sentence for finding in seen.findings)
    assert "heuristics-2 0.20 to 0.40" in sentences
    assert "when RL starts: heuristics-2 0.75" in sentences


def test_training_data_has_composition_and_diversity(tmp_path: Path) -> None:
    ctx = trained(tmp_path)
    analyse.run(ctx)
    rows = {r.checkpoint: r for r in table(ctx, "composition", CompositionRow)}
    many = rows["heuristics-2/mid"]
    assert (many.benchmark, many.solutions, many.drift) == ("seed data", 4, None)
    assert many.shares == {"a": 0.5, "b": 0.5}
    assert rows["wrong-2/mid"].composed_correct is None
    diverse = {r.what: r for r in table(ctx, "diversity", DiversityRow)}
    assert set(diverse) == {"data of star", "data of heuristics-2", "data of wrong-2"}
    assert diverse["data of heuristics-2"].vendi.value > diverse["data of star"].vendi.value
    assert diverse["data of heuristics-2"].per_problem.n == 2
    assert diverse["data of star"].per_problem is None


def test_explorer_shows_pool_and_checkpoints_with_labelled_steps(tmp_path: Path) -> None:
    ctx = trained(tmp_path)
    for checkpoint in ("base", "vanilla/seed-0/rl"):
        texts = [attempt(f"made/test/{i:03d}", sample=n) for i in range(12) for n in range(4)]
        put_evaluation(ctx, checkpoint, TEST, texts)
    analyse.run(ctx)
    rows = {row.problem_id: row for row in table(ctx, "explorer", ExplorerRow)}
    seed, test = rows["made/seed/000"], rows["made/test/000"]
    assert [t.kept for t in seed.texts] == [True, True, True, False]
    assert seed.texts[0].steps[0][1] == "a"
    assert seed.texts[-1].note == "wrong; best of 1 wrong, kept for wrong-N arms"
    assert (seed.question, seed.answer) == ("What is 0 + 0?", "0")
    assert [t.source for t in test.texts] == [
        "base",
        "vanilla/seed-0/rl",
    ]  # all are right: one each


def test_every_table_can_be_read_back(tmp_path: Path) -> None:
    ctx = trained(tmp_path)
    analyse.run(ctx)
    names = {path.name for path in ctx.run.path("7-tables").iterdir()}
    assert names == {f"{measure.name}.json" for measure in MEASURES}
    text = "".join(path.read_text() for path in ctx.run.path("7-tables").iterdir())
    assert "NaN" not in text
    assert "Infinity" not in text
