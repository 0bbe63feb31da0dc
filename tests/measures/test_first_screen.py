"""What the report begins with, as one reads it who never saw the paper."""

import dataclasses
import json
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from fake_run import write_run

from manyways.checkpoints import parameters
from manyways.measures import first_screen
from manyways.measures.arms import ARMS
from manyways.measures.composition import COMPOSITION
from manyways.measures.costs import COSTS, CostRow
from manyways.measures.explorer import EXPLORER
from manyways.measures.paired import PAIRED
from manyways.measures.pass_at_k import PASS_AT_K
from manyways.measures.seen import Seen, load
from manyways.measures.yields import YIELD
from manyways.records import PLAIN, Score
from manyways.reporting import Note, Pipeline, Table, Ways, charts
from manyways.run_dir import Stamp


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return load(write_run(tmp_path_factory.mktemp("run")))


def sized(seen: Seen, size: int) -> Seen:
    """The same run, whose base model has ``size`` parameters."""
    stamp = Stamp(
        work="generate", identity={}, request={}, seconds=1.0, counts={"problems": 200.0},
        outputs=(), versions={}, ended=0.0, facts={"parameters": str(size)},
    )  # fmt: skip
    return dataclasses.replace(seen, stamps=[stamp])


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (1_100_000, "toy model, 1.1 million parameters: a demonstration, no evidence"),
        (494_000_000, "small model made/base, 494 million parameters"),
        (3_210_000_000, "model made/base, 3.21 billion parameters"),
    ],
)
def test_a_model_is_called_what_its_size_makes_it(seen: Seen, size: int, said: str) -> None:
    tags = first_screen.tags(sized(seen, size))
    path = seen.recipe.model.path
    assert any(tag.startswith(said.replace("made/base", path)) for tag in tags), tags
    assert "1 training seed" in tags


def test_a_model_of_unknown_size_is_only_named(seen: Seen) -> None:
    assert f"base model {seen.recipe.model.path}" in first_screen.tags(seen)


def test_parameters_are_counted_from_the_heads_of_the_weights(tmp_path: Path) -> None:
    assert parameters(str(tmp_path)) is None
    head = json.dumps({
        "__metadata__": {"format": "pt"},
        "a": {"dtype": "F32", "shape": [3, 4], "data_offsets": [0, 48]},
        "b": {"dtype": "F32", "shape": [5], "data_offsets": [48, 68]},
    }).encode()  # fmt: skip
    (tmp_path / "config.json").write_text("{}")
    for part in ("1", "2"):
        file = tmp_path / f"model-{part}.safetensors"
        file.write_bytes(len(head).to_bytes(8, "little") + head + bytes(68))
    assert parameters(str(tmp_path)) == 2 * (3 * 4 + 5)


def test_the_picture_of_the_method_counts_what_went_through(seen: Seen) -> None:
    (picture,) = (b for b in first_screen.blocks(sized(seen, 1)) if isinstance(b, Pipeline))
    counts = {step.title: int(step.count.replace(",", "")) for step in picture.steps}
    rows = seen.rows(YIELD)
    assert counts["problems"] == 200
    assert counts["attempts"] == sum(row.attempts for row in rows)
    assert counts["correct"] == sum(row.correct for row in rows)
    assert counts["kept"] == sum(row.kept for row in rows)
    assert counts["mid-trainings"] == sum(row.midtrain_steps > 0 for row in seen.rows(ARMS))
    singles = [
        row for row in seen.rows(PASS_AT_K)
        if row.k == 1 and row.benchmark != "mean" and (row.seed is not None or row.arm == "base")
    ]  # fmt: skip
    assert counts["test attempts"] == sum(row.attempts for row in singles)


def test_words_of_the_method_are_explained_where_they_first_appear(seen: Seen) -> None:
    terms = next(b for b in first_screen.blocks(seen) if isinstance(b, Note) and b.kind == "terms")
    for word in ("Heuristic:", "Arm:", "Mid-training is", "pass@k:"):
        assert any(word in sentence for sentence in terms.sentences), word
    assert seen.model == "the small model that comes with manyways"
    other = seen.recipe.model.model_copy(update={"path": "me/mine"})
    given = dataclasses.replace(seen, recipe=seen.recipe.model_copy(update={"model": other}))
    assert given.model == "the model me/mine"


def test_stages_stand_by_their_time(seen: Seen) -> None:
    spent = (("rl/a", 5.0), ("generate", 60.0), ("rl/b", 50.0), ("rl/c", 9.0))
    costs = [CostRow(work=work, seconds=s, attempts=1, tokens=7) for work, s in spent]
    given = dataclasses.replace(seen, tables={**seen.tables, COSTS.name: costs})
    assert COSTS.shown["costs"](given)[0].title == "Time by stage: rl 64.0 s, generate 60.0 s"


def test_rewarded_attempts_are_those_of_the_trainings_counted(seen: Seen) -> None:
    """A run that once had more arms keeps the stamps of their work."""
    works = [f"rl/{arm}/seed-0" for arm in (*seen.recipe.arms, "favourite@5epochs")]
    costs = [CostRow(work=work, seconds=1.0, attempts=192, tokens=7) for work in works]
    given = dataclasses.replace(seen, tables={**seen.tables, COSTS.name: costs})
    (picture,) = (b for b in first_screen.blocks(given) if isinstance(b, Pipeline))
    (step,) = (step for step in picture.steps if step.title == "RL trainings")
    assert f"{192 * int(step.count):,} rewarded attempts" in step.text


def test_the_problem_shown_has_different_correct_solutions(seen: Seen) -> None:
    (shown,) = (b for b in first_screen.blocks(seen) if isinstance(b, Ways))
    assert 2 <= len(shown.ways) <= 3
    assert len({way.steps for way in shown.ways}) == len(shown.ways)
    asked = dict(parse_qsl(shown.target.partition("?")[2]))
    (row,) = (r for r in seen.rows(EXPLORER) if r.problem_id == asked["problem"])
    assert (asked["source"], asked["of"]) == ("pool", str(row.attempts))
    here = sum(text.source == "pool" for text in row.texts)
    assert here < row.attempts
    assert shown.link == f"Read {here} of the {row.attempts} attempts"
    for way in shown.ways:
        texts = [t for t in row.texts if seen.heuristic_name(t.heuristic) == way.name]
        kept = [t for t in texts if t.kept and t.status == "correct" and t.heuristic != PLAIN]
        assert tuple(step for step, _, _ in way.steps) in {
            tuple(step for step, _ in text.steps) for text in kept
        }


def test_each_control_stands_with_its_question_its_words_and_its_sizes(seen: Seen) -> None:
    tables = (b for b in first_screen.blocks(seen) if isinstance(b, Table) and b.whole)
    (table,) = tables
    rows = {str(row[1]): row for row in table.rows}
    assert list(rows) == ["vanilla", "star"]
    assert rows["star"][0] == "Is it mid-training at all, on one's own correct answers?"
    assert rows["star"][-2:] == ("400", "330")
    assert "heuristics-8 itself learned from 400 problems and 1,108 examples" in table.note


def controls(seen: Seen) -> Table:
    (table,) = (b for b in first_screen.blocks(seen) if isinstance(b, Table) and b.whole)
    return table


def with_seeds(seen: Seen, over: Score | None) -> Seen:
    """The same comparisons, with this interval over seeds."""
    rows = [dataclasses.replace(row, seeds=over) for row in seen.rows(PAIRED)]
    return dataclasses.replace(seen, tables={**seen.tables, PAIRED.name: rows})


def test_what_a_verdict_on_a_control_rests_on_stands_beside_it(seen: Seen) -> None:
    one = controls(with_seeds(seen, None))
    assert "over seeds" not in one.head
    assert "A hint: the interval leaves out 0." in one.note
    three = controls(with_seeds(seen, Score(name="d", value=0.25, low=-0.125, high=0.63, n=3)))
    assert three.head.count("over seeds") == sum("at pass@" in head for head in three.head) == 2
    assert {str(row[place]) for row in three.rows for place in (3, 5)} == {"[−0.12, +0.63]"}
    assert three.numeric[3]
    assert "A hint: both intervals leave out 0." in three.note


def nexts(seen: Seen) -> list[str]:
    (note,) = (b for b in first_screen.blocks(seen) if isinstance(b, Note) and b.kind == "next")
    return list(note.sentences)


def test_a_run_cut_short_is_first_to_be_finished(seen: Seen) -> None:
    rows = [dataclasses.replace(row, outcome="not finished") for row in seen.rows(ARMS)]
    cut = dataclasses.replace(seen, tables={**seen.tables, ARMS.name: rows})
    assert (
        f"go on to the end, in the folder that holds this run: `manyways run {seen.name}`."
        in (nexts(cut)[1])
    )
    assert not any("go on to the end" in sentence for sentence in nexts(seen))


def test_nothing_correct_names_the_command_and_a_problem(seen: Seen) -> None:
    rows = [dataclasses.replace(row, correct=0, kept=0) for row in seen.rows(YIELD)]
    none = dataclasses.replace(seen, tables={**seen.tables, YIELD.name: rows})
    problem = seen.rows(EXPLORER)[0].problem_id
    assert f"`manyways show {seen.name} {problem} --texts --wrong`" in nexts(none)[1]


def test_a_label_that_no_prompt_asked_for_says_so_and_has_no_colour(seen: Seen) -> None:
    row = seen.rows(COMPOSITION)[0]
    odd = dataclasses.replace(row, shares={**row.shares, "by-heart": 0.01})
    tables = {**seen.tables, COMPOSITION.name: [odd]}
    given = dataclasses.replace(seen, tables=tables)
    assert given.heuristic_name("by-heart") == "by-heart (not asked for)"
    assert given.heuristic_colour("by-heart") == charts.MUTED[0]
    asked = [row.heuristic for row in seen.rows(YIELD) if row.heuristic != PLAIN]
    assert len({given.heuristic_colour(name) for name in asked}) == len(asked) <= len(charts.HUES)


def test_every_arm_is_explained_on_the_first_screen(tmp_path: Path) -> None:
    arms = ["vanilla", "star", "heuristics-1", "heuristics-8", "random", "star@25", "budget-4"]
    seen = load(write_run(tmp_path, arms=arms))
    said = str(first_screen.blocks(seen))
    for arm in arms:
        assert f"`{arm}`: " in said or f"'{arm}', '" in said, arm


def test_what_to_do_next_names_the_command(seen: Seen) -> None:
    (note,) = (b for b in first_screen.blocks(seen) if isinstance(b, Note) and b.kind == "next")
    said = " ".join(note.sentences)
    assert "What it cost: " in said
    assert f"`manyways run {seen.name} --set 'seeds=[0, 1, 2]'`" in said
    assert '--set \'arms=["vanilla", "star", "heuristics-8", "matched-8"]\'`' in said


def test_a_run_without_rl_alone_is_first_to_be_given_it(seen: Seen, tmp_path: Path) -> None:
    first = nexts(load(write_run(tmp_path, arms=("star", "heuristics-8"))))[1]
    assert first.startswith("What to do next (1): add vanilla and matched-8")
    assert nexts(seen)[1].startswith("What to do next (1): train with 3 seeds")
