from pathlib import Path

import pytest
from fake_engines import GuessingEngine
from sampled_runs import HARD, TEST, context

from manyways.arms import Line
from manyways.checkpoints import chat_template_hash
from manyways.errors import MissingWork
from manyways.fingerprint import attempt_seed
from manyways.pool.sampling import LazyEngine
from manyways.records import BASE, PLAIN
from manyways.stages import evaluate
from manyways.tables import read_attempts, write_text


@pytest.fixture(autouse=True)
def fresh_engine():
    GuessingEngine.reset()


@pytest.fixture
def ctx(tmp_path):
    made = context(tmp_path)
    yield made
    made.close()


def found(ctx, checkpoint, benchmark):
    return list(read_attempts(ctx.run.eval_path(checkpoint, benchmark)))


def sample(ctx, checkpoint):
    engine = LazyEngine(lambda: ctx.engine(ctx.path_of(checkpoint)))
    evaluate.sample(ctx, checkpoint, TEST, engine=engine)
    engine.close()


def test_every_benchmark_with_one_engine(ctx):
    evaluate.run(ctx, BASE)
    assert (GuessingEngine.opened, GuessingEngine.closed) == (1, 1)
    assert len(found(ctx, "base", TEST)) == 12 * 4
    hard = found(ctx, "base", HARD)
    assert len(hard) == 10 * 4
    assert {a.heuristic for a in hard} == {PLAIN}
    assert hard[5].seed == attempt_seed(0, hard[5].problem_id, PLAIN, hard[5].sample)
    evaluate.run(ctx, BASE)
    assert GuessingEngine.opened == 1


def test_plan_covers_one_benchmark(ctx):
    sample(ctx, BASE)
    assert evaluate.work_of(ctx, BASE, TEST).done
    assert not evaluate.work_of(ctx, BASE, HARD).done
    assert (GuessingEngine.opened, GuessingEngine.closed) == (1, 1)


def test_more_attempts_keep_the_earlier_ones(ctx, tmp_path):
    sample(ctx, BASE)
    more = context(tmp_path, evaluate={"attempts": 6})
    assert "amount changed: attempts" in evaluate.work_of(more, BASE, TEST).why
    sample(more, BASE)
    assert len(GuessingEngine.seeds) == len(set(GuessingEngine.seeds)) == 12 * 6


def test_noise_follows_the_seed_of_the_line(tmp_path):
    ctx = context(tmp_path)
    for seed in (0, 3):
        late = Line(arm="star", seed=seed)
        write_text(Path(ctx.path_of(late.mid)) / "config.json", f'"{seed}"')
        assert evaluate.work_of(ctx, late.mid, TEST).identity["seed"] == seed
        sample(ctx, late.mid)
        first = found(ctx, late.mid.name, TEST)[0]
        assert first.seed == attempt_seed(seed, first.problem_id, PLAIN, first.sample)
    ctx.close()


def test_a_checkpoint_that_is_not_there_yet(ctx):
    with pytest.raises(MissingWork):
        evaluate.run(ctx, Line(arm="star", seed=0).mid)
    assert GuessingEngine.opened == 0


def test_the_chat_template_is_recorded(ctx, tmp_path):
    sample(ctx, BASE)
    stamp = ctx.run.stamp(evaluate.work_of(ctx, BASE, TEST).name)
    assert stamp.facts == {"chat_template": "unknown"}
    (tmp_path / "tokenizer_config.json").write_text('{"eos_token": "<|eos|>"}')
    default = chat_template_hash(str(tmp_path))
    (tmp_path / "chat_template.jinja").write_text("{{ messages }}")
    assert len({default, chat_template_hash(str(tmp_path)), "unknown"}) == 3
