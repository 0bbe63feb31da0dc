import pytest
from fake_engines import GuessingEngine
from sampled_runs import context

from manyways.arms import Line
from manyways.errors import GateRefused, MissingWork
from manyways.measures import read_rows
from manyways.measures.gate import GateRow
from manyways.records import PLAIN, Attempt, Verdict
from manyways.stages import gate

VANILLA = Line(arm="vanilla", seed=2)


@pytest.fixture(autouse=True)
def fresh_engine():
    GuessingEngine.reset()


def run(root, **changes):
    ctx = context(root, **changes)
    try:
        gate.run(ctx, VANILLA)
    finally:
        ctx.close()
    return row_of(root)


def row_of(root):
    (row,) = read_rows(root / "arms" / "vanilla" / "seed-2" / "4-gate.json", GateRow)
    return row


def attempt(problem, sample, status, text="<a> one", finish="stop"):
    return Attempt(
        problem_id=problem, heuristic=PLAIN, sample=sample, seed=0, text=text, finish=finish,
        prompt_tokens=1, tokens=1, prompt_hash="", model_hash="", verdict=Verdict(status=status),
    )  # fmt: skip


def test_a_healthy_checkpoint_passes(tmp_path):
    row = run(tmp_path, rl={"group_size": 8})
    assert row.decision == "fit"
    assert row.checkpoint == "base"
    assert row.attempts == 4 * 8
    assert 0.2 < row.passed < 0.8
    assert row.no_answer == pytest.approx(1 - row.stop)
    assert row.mixed == pytest.approx(1 - row.all_right - row.all_wrong)
    assert row.mixed > 0.5
    assert "fit for RL" in row.sentence
    # Right answers go a, b; wrong ones a; the others show nothing.
    assert row.switch == 1.0
    assert 1 < row.effective < 3


def test_groups_are_counted_over_decided_attempts():
    attempts = [
        attempt("right", 0, "correct"), attempt("right", 1, "undecided"),
        attempt("wrong", 0, "wrong"), attempt("wrong", 1, "no_answer"),
        attempt("mixed", 0, "correct"), attempt("mixed", 1, "wrong"),
        attempt("unknown", 0, "undecided"), attempt("unknown", 1, "undecided"),
    ]  # fmt: skip
    assert gate.group_shares(attempts) == gate.Groups(all_right=0.25, all_wrong=0.5, mixed=0.25)


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        ("NeverStops", r"stops by itself in only 0% .* raise rl.max_tokens"),
        ("NoBox", r"100% of attempts hold no answer"),
        ("NeverRight", r"100% are all wrong.* too hard .* easier rl.problems"),
        ("AlwaysRight", r"100% all right.* too easy .* harder rl.problems"),
    ],
)
def test_refusals_say_what_is_wrong_and_what_to_do_every_time(tmp_path, engine, words):
    with pytest.raises(GateRefused, match=words) as first:
        run(tmp_path, engine=engine)
    assert row_of(tmp_path).decision == "refused"
    with pytest.raises(GateRefused) as second:
        run(tmp_path, engine=engine)
    assert str(second.value) == str(first.value) == row_of(tmp_path).sentence
    assert GuessingEngine.seeds
    assert len(GuessingEngine.seeds) == len(set(GuessingEngine.seeds))


def test_an_override_is_recorded(tmp_path):
    row = run(tmp_path, engine="NeverRight", gate={"enforce": False})
    assert row.decision == "overridden"
    assert "gate.enforce = false" in row.sentence


def test_other_thresholds_decide_again_without_sampling(tmp_path):
    with pytest.raises(GateRefused):
        run(tmp_path, engine="NeverRight")
    sampled = len(GuessingEngine.seeds)
    assert run(tmp_path, engine="NeverRight", gate={"min_mixed": 0.0}).decision == "fit"
    assert len(GuessingEngine.seeds) == sampled


def test_a_trained_checkpoint_is_told_to_train_longer(tmp_path):
    ctx = context(tmp_path)
    row = gate.gate_row(ctx, Line(arm="star", seed=0), [attempt("p", 0, "wrong", finish="length")])
    assert row.checkpoint == "star/seed-0/mid"
    assert row.switch is None
    assert "raise midtrain.steps" in gate.decided(ctx, row).sentence


def test_problems_are_spread_over_the_set(tmp_path):
    problems = context(tmp_path).problems("made_runs:load/rl?count=10", None)
    assert [p.answer for p in gate.spread(problems, 4)] == ["0", "2", "5", "7"]
    assert gate.spread(problems, 99) == problems


def test_no_checkpoint_yet(tmp_path):
    with pytest.raises(MissingWork):
        gate.plan(context(tmp_path), Line(arm="star", seed=0))
