"""Before anything is sampled: names resolve, references are judgeable, sets are kept apart."""

import json
import shutil
from dataclasses import replace

import pytest
from made_verl import environment
from sampled_runs import context

from manyways import pipeline
from manyways.commands.show import print_status
from manyways.errors import DataError, NoIsolation, RecipeError
from manyways.measures import write_rows
from manyways.measures.seen import Seen
from manyways.pool import problem_sets
from manyways.problems import normal_form
from manyways.recipe import dump_recipe
from manyways.records import BASE, Problem
from manyways.run_dir import not_judged
from manyways.stages import evaluate, preflight, selection
from manyways.tables import read_table, write_text
from manyways.verifiers import sandbox


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


def programs(split, source):
    """Problems that are judged by running programs."""
    return [
        Problem(
            id="code/test/0", question="Write f.", answer="def f(x):\n    return x", tests="f(1)",
            entry_point="f", verifier="python_tests",
        )
    ]  # fmt: skip


CODE = "test_preflight:programs/test"


@pytest.fixture
def no_isolation(monkeypatch):
    found = sandbox.Isolation(kind="none", missing=("all",), why="bubblewrap is not installed")
    monkeypatch.setattr(sandbox, "detect", lambda *_: found)


def test_programs_that_nothing_keeps_apart_are_left_out(tmp_path, no_isolation, capsys):
    others = list(context(tmp_path).recipe.evaluate.benchmarks)
    ctx = context(tmp_path, evaluate={"benchmarks": [CODE, *others]})
    preflight.run(ctx)
    sentence = (
        f"{CODE} is left out of {len(others) + 1} benchmarks: it is judged by running programs, "
        "and nothing here keeps them apart (bubblewrap is not installed)."
    )
    assert f"{sentence} verify.isolation says where else" in capsys.readouterr().err
    assert [work.name for work in evaluate.plan(ctx, BASE)] == [
        work.name for work in evaluate.plan(context(tmp_path), BASE)
    ]
    assert len(evaluate.amount(ctx, BASE)) == len(others)
    assert not_judged(ctx.run) == [sentence]
    write_rows(ctx.run.path("7-tables", "rates.json"), [])
    assert sentence in Seen(name="run", recipe=ctx.recipe, run=ctx.run).said("caution")
    write_text(ctx.run.path("recipe.toml"), dump_recipe(ctx.recipe))
    print_status(ctx.run.root)
    assert sentence in capsys.readouterr().out.replace("\n", " ")


def test_programs_are_refused_where_nothing_else_is_left_or_they_are_trained_on(
    tmp_path, no_isolation
):
    ctx = context(tmp_path, evaluate={"benchmarks": [CODE]})
    with pytest.raises(NoIsolation, match=f"No benchmark is left without '{CODE}'"):
        preflight.check_names(ctx)
    with pytest.raises(NoIsolation, match=r"verify\.allow_unsafe_code = true"):
        preflight.run(context(tmp_path / "trained", generate={"problems": CODE}))


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


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [("a/data.jsonl", "b/data.jsonl", "file/data/00000"), ("c-d.jsonl", "c_d.jsonl", "one folder")],
)
def test_two_sets_that_would_be_taken_for_one_are_refused(tmp_path, first, second, said):
    for number, name in enumerate((first, second)):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"question": f"What is {number} + 1?", "answer": number + 1}))
    benchmarks = [f"file:{tmp_path / name}" for name in (first, second)]
    with pytest.raises((DataError, RecipeError), match="name=second") as caught:
        preflight.check_names(context(tmp_path / "run", evaluate={"benchmarks": benchmarks}))
    assert said in str(caught.value)
    named = [benchmarks[0], f"{benchmarks[1]}?name=second"]
    preflight.check_names(context(tmp_path / "run", evaluate={"benchmarks": named}))


def by_verl(root, python, **verl):
    """A recipe whose RL is verl's, in an environment at ``python``."""
    table = {"python": str(python), **verl}
    return context(root, rl={"problems": "made_runs:load/rl", "backend": "verl", "verl": table})


def test_verl_is_looked_for_before_anything_is_sampled(tmp_path):
    ctx = by_verl(tmp_path / "run", tmp_path / "absent")
    with pytest.raises(RecipeError, match="python3 -m venv verl-env") as caught:
        preflight.check_reach(ctx, ("generate", "midtrain", "rl"))
    assert caught.value.exit_code == 2
    # Nobody is kept from the data alone, or from the report of what is trained.
    preflight.check_reach(ctx, ("generate", "select"))
    for line in ctx.lines:
        ctx.run.arm_path(line.arm, line.seed, "5-rl", "checkpoint").mkdir(parents=True)
    preflight.check_reach(ctx, ("generate", "midtrain", "rl"))


def test_another_version_of_verl_is_told(tmp_path, capsys):
    python = environment(tmp_path / "env", version="0.10.0")
    preflight.check_reach(by_verl(tmp_path / "run", python), ("rl",))
    assert "verl 0.10.0 is installed" in capsys.readouterr().err


def test_a_setting_that_is_not_the_tables_to_make_is_refused(tmp_path):
    ctx = by_verl(tmp_path, "python", extra={"data.shuffle": True})
    with pytest.raises(RecipeError, match=r"rl.verl.extra.\"data.shuffle\": decided by the recipe"):
        preflight.check_names(ctx)


HASHES = "End with '#### ' and the number."


def test_the_prompt_decides_what_counts_as_an_answer(tmp_path):
    problem = Problem(id="x/y/0", question="2 + 2?", answer="4")
    for instruction, texts in {
        "Put it within \\boxed{}.": ["\\boxed{4}", "#### 4"],
        HASHES: ["#### 4", "\\boxed{4}"],
        'Finish with "The answer is X".': ["The answer is 4.", "#### 4"],
    }.items():
        ctx = context(tmp_path, prompt={"instruction": instruction})
        verdicts = ctx.verifiers.verdicts([(problem, text) for text in texts])
        assert [verdict.status for verdict in verdicts] == ["correct", "no_answer"]


def test_exemplars_in_another_form_than_the_prompt_asks_for_are_refused(tmp_path):
    shown = {"pack": "polya", "count": 2, "shots": 1, "labeller": "exemplars"}
    asked = {"instruction": HASHES}
    ctx = context(tmp_path, prompt=asked, heuristics=shown)
    with pytest.raises(RecipeError, match=r"asks for '#### \.\.\.', but the exemplars of 'polya'"):
        preflight.run(ctx)
    for changes in ({"heuristics": shown | {"shots": 0}}, {"verify": {"policy": "lenient"}}):
        merged = {"heuristics": shown, **changes}
        preflight.run(context(tmp_path, prompt=asked, **merged))


def test_the_pool_alone_needs_no_benchmark_and_leaves_out_what_one_asks_once_it_is_there(
    tmp_path, capsys
):
    file = tmp_path / "test.jsonl"
    name = f"file:{file}?name=mine"
    ctx = context(tmp_path / "run", evaluate={"benchmarks": [name]}, midtrain={})
    pipeline.run(ctx, until="select")
    assert capsys.readouterr().err.count("mine cannot be read") == 1
    pool = [problem.id for problem in ctx.problems(ctx.recipe.generate.problems, None)]
    listed = json.loads(ctx.run.path("problems.json").read_text())
    assert [row["name"] for row in listed] == [ctx.recipe.generate.problems]
    with pytest.raises(DataError, match="there is no such file"):
        pipeline.run(context(tmp_path / "run", evaluate={"benchmarks": [name]}))

    question = ctx.problems(ctx.recipe.generate.problems, None)[0].question
    file.write_text(json.dumps({"question": question, "answer": "1"}))
    later = context(tmp_path / "run", evaluate={"benchmarks": [name]})
    assert selection.plan(later).why == "inputs or settings changed: left_out"
    pipeline.run(later, until="select")
    solved = set(read_table(later.solutions, ["problem_id"])["problem_id"].to_pylist())
    assert solved
    assert solved <= {*pool[1:]}


def test_fewer_stages_forget_nothing_that_was_checked_for_more(tmp_path):
    ctx = context(tmp_path)
    preflight.run(ctx)
    listed, stamp = ctx.run.path("problems.json").read_text(), ctx.run.stamp("preflight")
    preflight.run(context(tmp_path), ["generate", "select"])
    assert ctx.run.path("problems.json").read_text() == listed
    assert ctx.run.stamp("preflight") == stamp


def test_a_run_folder_on_another_machine_reads_its_own_copy_of_a_file(tmp_path, capsys):
    file = tmp_path / "train.jsonl"
    rows = [{"question": f"What is {n} + 0?", "answer": str(n)} for n in range(4)]
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    name = f"file:{file}"
    ctx = context(tmp_path / "run", generate={"problems": name})
    preflight.run(ctx)
    asked = ctx.problems(name, None)
    file.unlink()
    for looking in (False, True):
        moved = replace(context(tmp_path / "run", generate={"problems": name}), looking=looking)
        assert moved.problems(name, None) == asked
        assert capsys.readouterr().err.count("is not on this machine") == 1
    with pytest.raises(DataError, match="there is no such file"):
        context(tmp_path / "other", generate={"problems": name}).problems(name, None)
    file.write_text(json.dumps({"q": "changed"}))
    with pytest.raises(DataError, match="no column 'question'"):
        context(tmp_path / "run", generate={"problems": name}).problems(name, None)


def test_and_of_a_set_of_a_folder_of_data(tmp_path, capsys):
    folder = tmp_path / "data"
    folder.mkdir()
    rows = [{"id": f"aime24_{n}", "question": f"What is {n} + 0?", "answer": n} for n in range(30)]
    (folder / "aime24.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))

    def opened():
        pool = {"problems": "aime24/test"}
        return context(tmp_path / "run", data_dir=str(folder), generate=pool)

    preflight.run(opened())
    asked = opened().problems("aime24/test", None)
    shutil.rmtree(folder)
    assert opened().problems("aime24/test", None) == asked
    assert capsys.readouterr().err.count("is not on this machine") == 1


def test_what_a_benchmark_asks_too_is_looked_for_once(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        problem_sets, "normal_form", lambda text: seen.append(text) or normal_form(text)
    )
    ctx = context(tmp_path / "run")
    preflight.run(ctx)
    count = len(seen)
    assert count
    assert not ctx.left_out
    selection.plan(ctx)
    assert len(seen) == count
