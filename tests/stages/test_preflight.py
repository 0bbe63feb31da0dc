"""Before anything is sampled: names resolve, references are judgeable, sets are kept apart."""

import json
from dataclasses import replace

import pytest
from sampled_runs import context

from manyways.errors import DataError
from manyways.stages import preflight


def bad(split, source):
    """A problem set whose references no verifier can read."""
    from made_runs import load

    return [replace(problem, answer="") for problem in load(split, source)]


def leaking(split, source):
    """Two problems; the training split shares one of them with the others, in other dress."""
    from manyways.records import Problem

    own = Problem(id=f"leak/{split}/0", question=f"How many are {split}s?", answer="1")
    shared = "What is  3 + 4?" if split == "train" else "what is $3 + 4$?"
    return [Problem(id=f"leak/{split}/1", question=shared, answer="7"), own]


def test_unreadable_references_stop_the_run(tmp_path):
    ctx = context(tmp_path, generate={"problems": "test_preflight:bad/seed"})
    with pytest.raises(DataError, match=r"4 of \d+ reference answers in 'test_preflight:bad/seed'"):
        preflight.run(ctx)
    assert ctx.run.stamp("preflight") is None


def test_sound_references_are_checked_once_and_listed(tmp_path):
    ctx = context(tmp_path)
    preflight.run(ctx)
    listed = json.loads(ctx.run.path("problems.json").read_text())
    assert listed[0]["name"] == ctx.recipe.generate.problems
    assert listed[0]["fingerprint"] == ctx.sets.load(ctx.recipe.generate.problems).fingerprint
    assert ctx.run.stamp("preflight") is not None


def test_a_question_that_a_benchmark_asks_is_not_trained_on(tmp_path):
    sets = {"problems": "test_preflight:leaking/train"}
    benchmarks = {"benchmarks": ["test_preflight:leaking/test"]}
    ctx = context(tmp_path, generate=sets, rl=sets, evaluate=benchmarks)
    kept = ctx.problems("test_preflight:leaking/train", None)
    assert [problem.id for problem in kept] == ["leak/train/0"]
    assert len(ctx.problems("test_preflight:leaking/test", None)) == 2
    preflight.run(ctx)
    listed = json.loads(ctx.run.path("problems.json").read_text())
    assert listed[0]["left_out"] == {"leak/train/1": "leak/test/1"}


def test_training_on_a_benchmark_is_refused(tmp_path):
    name = "test_preflight:leaking/test"
    ctx = context(tmp_path, rl={"problems": name}, evaluate={"benchmarks": [name]})
    with pytest.raises(DataError, match="both trained on and a benchmark"):
        preflight.run(ctx)
