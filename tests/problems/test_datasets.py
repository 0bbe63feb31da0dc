"""Every published set: from the folder of normalised files, and the same from the Hub's layout."""

import ast
import shutil
from dataclasses import replace
from pathlib import Path

import datasets
import pytest
from hub_layout import as_on_hub, records, write_lines, write_repository
from needs import DATA, needs_data

from manyways.errors import DataError
from manyways.problems import PROBLEM_SETS, Source, is_of_hub, load_problems, load_set
from manyways.problems.datasets import ALL, DAPO, MATH, MBPP, SetSpec, Split, merged
from manyways.problems.overlap import repeats
from manyways.problems.rows import MIRROR

SETS = {spec.name: spec for spec in ALL}
SPLITS = [(name, split) for name, spec in SETS.items() for split in spec.splits]


@pytest.mark.parametrize("name", SETS)
def test_every_published_set_is_in_the_table_under_its_own_name(name: str) -> None:
    assert PROBLEM_SETS[name] == f"manyways.problems.datasets:{_constant(SETS[name])}"


@pytest.mark.parametrize("name", SETS)
def test_a_published_set_is_of_the_hub_unless_a_folder_holds_it(name: str, tmp_path: Path) -> None:
    assert is_of_hub(f"{name}/test", None)
    assert not is_of_hub(f"{name}/test", tmp_path)
    assert is_of_hub("hub:me/mine?split=test", tmp_path)
    assert not is_of_hub("pocket/test", None)


def _constant(spec: SetSpec) -> str:
    from manyways.problems import datasets as sets

    return next(key for key, value in vars(sets).items() if value is spec)


@needs_data
@pytest.mark.filterwarnings("ignore:invalid escape")  # in programs of the benchmarks
@pytest.mark.parametrize(("name", "split"), [s for s in SPLITS if s[0] != "dapo-math-17k"])
def test_folder_gives_the_published_number_of_sound_problems(name: str, split: str) -> None:
    loaded = load_set(f"{name}/{split}", data_dir=DATA)
    assert loaded.total == SETS[name].splits[split].rows
    assert loaded.commit is None
    for problem in loaded.problems:
        assert problem.id.startswith(f"{name}/{split}/")
        assert problem.verifier == SETS[name].verifier
        assert problem.question.strip()
        assert problem.answer.strip()
        if problem.verifier == "choice":
            assert 2 <= len(problem.choices) <= 5
            assert 0 <= ord(problem.answer) - ord("A") < len(problem.choices)
            assert all(text in problem.question for text in problem.choices)
        if problem.verifier == "python_tests":
            _is_program(problem.answer, problem.entry_point)
            assert f"{problem.entry_point}" in problem.tests
            compile(problem.tests, problem.id, "exec")


def _is_program(source: str, name: str) -> None:
    body = ast.parse(source).body
    assert name in {node.name for node in body if isinstance(node, ast.FunctionDef)}


def test_repeated_questions_become_one_and_contradicted_ones_none() -> None:
    rows = [
        {"question": "What is $x$?", "answer": "1"},
        {"question": "Why?", "answer": "3"},
        {"question": "what is  x ?", "answer": "1"},
        {"question": "How many?", "answer": "4"},
        {"question": "How many ?", "answer": "5"},
    ]
    kept = merged(rows)
    assert [row["question"] for row in kept] == ["What is $x$?", "Why?"]
    assert [row["content"] for row in merged(rows[2:3])] == [kept[0]["content"]]


@needs_data
@pytest.mark.slow
def test_dapo_has_no_repeats_and_no_contradictions_and_is_english_by_default() -> None:
    every = load_problems("dapo-math-17k/train?lang=all", data_dir=DATA)
    assert repeats(every) == []
    english = load_problems("dapo-math-17k/train", data_dir=DATA)
    assert english == [p for p in every if p.tags["lang"] == "en"]
    assert (len(every), len(english)) == (16_288, 13_418)
    assert not any("\u4e00" <= c <= "\u9fff" for p in english for c in p.question)
    # Both copies of a question whose copies have the answers 6 and 12 are gone.
    assert not any("(ab + 1)(bc + 1)(ca + 1) = 84" in p.question for p in every)


@needs_data
@pytest.mark.parametrize("name", [name for name in SETS if name != "dapo-math-17k"])
def test_the_hub_gives_the_same_problems_under_the_same_ids(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = SETS[name]
    singles = {key: split for key, split in spec.splits.items() if "+" not in split.hub}
    rows = {
        split.hub: [
            as_on_hub[name](r) for r in records(split.stem) if split.only is None or split.only(r)
        ]
        for split in singles.values()
    }
    write_repository(tmp_path / "mirror", spec.hub_id, spec.hub_config, rows)
    monkeypatch.setenv(MIRROR, str(tmp_path / "mirror"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    for split in spec.splits:
        here = load_set(f"{name}/{split}", data_dir=DATA)
        there = load_set(f"{name}/{split}")
        assert [_seen(p) for p in there.problems] == [_seen(p) for p in here.problems]
        assert there.fingerprint == here.fingerprint
        assert spec.hub_id in there.origin


def _seen(problem: object) -> object:
    """What must agree: not the tags and the other spellings, which the Hub's copy lacks."""
    return replace(problem, tags={}, alternatives=())  # type: ignore[type-var]


@needs_data
@pytest.mark.slow
def test_dapo_on_the_hub_gives_the_same_problems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [as_on_hub["dapo-math-17k"](record) for record in records("dapo_math_17k")]
    write_repository(tmp_path, DAPO.hub_id, DAPO.hub_config, {"train": rows[::-1]})
    monkeypatch.setenv(MIRROR, str(tmp_path))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    here = load_problems("dapo-math-17k/train", data_dir=DATA)
    there = load_problems("dapo-math-17k/train")
    assert {p.id for p in here} == {p.id for p in there}


@needs_data
def test_splits_of_mbpp_are_a_partition() -> None:
    parts = [split for split in MBPP.splits if split != "all"]
    ids = [p.id.rpartition("/")[2] for s in parts for p in MBPP(s, Source(data_dir=DATA))]
    every = [p.id.rpartition("/")[2] for p in MBPP("all", Source(data_dir=DATA))]
    assert sorted(ids) == every
    assert len(set(ids)) == len(ids) == 427


@needs_data
def test_minerva_carries_its_other_spellings() -> None:
    problems = load_problems("minerva/test", data_dir=DATA)
    listed = {f"minerva/test/{i:05d}": r["alt_answers"] for i, r in enumerate(records("minerva"))}
    assert any(listed.values())
    assert {p.id: list(p.alternatives) for p in problems} == listed


@needs_data
def test_a_filter_takes_its_levels_alone() -> None:
    hard = load_problems("math/train?level=4,5", data_dir=DATA)
    assert {p.tags["level"] for p in hard} == {"4", "5"}
    every = load_problems("math/train", data_dir=DATA)
    assert hard == [p for p in every if p.tags.get("level") in ("4", "5")]


@needs_data
def test_a_file_with_a_row_missing_is_refused(tmp_path: Path) -> None:
    write_lines(tmp_path / "aime24.jsonl", records("aime24")[:-1])
    with pytest.raises(DataError, match="29 rows, 30 are published"):
        load_problems("aime24/test", data_dir=tmp_path)
    shutil.copy(DATA / "aime24.jsonl", tmp_path / "aime24.jsonl")
    assert len(load_problems("aime24/test", data_dir=tmp_path)) == 30


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gsm8k/tset", "no split 'tset'. Did you mean 'test'"),
        ("gsm8k/test?lang=en", "no option 'lang'"),
        ("dapo-math-17k/train?langs=en", "Did you mean 'lang'"),
        ("gsm8k/test", "no gsm8k_test.jsonl"),
    ],
)
def test_mistakes_are_answered_with_the_fix(name: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=said.replace(".", r"\.")):
        load_problems(name, data_dir=tmp_path)


def test_an_unknown_value_of_a_filter_names_the_known_ones(tmp_path: Path) -> None:
    small = replace(MATH, splits={"train": Split(stem="small", hub="train", rows=1)})
    write_lines(tmp_path / "small.jsonl", [{"question": "1 + 1?", "answer": "2", "level": 3}])
    with pytest.raises(DataError, match="no problem has level=9; there are 3, and all"):
        small("train", Source(data_dir=tmp_path, options={"level": "9"}))
