"""A user's own problems, in every form that is read."""

import csv
import gzip
import json
from pathlib import Path
from urllib.parse import quote

import pyarrow
import pyarrow.parquet
import pytest
from datasets import Dataset, DatasetDict
from hub_layout import write_lines, write_repository

from manyways.errors import DataError
from manyways.problems import load_problems, load_set
from manyways.problems.rows import MIRROR

ROWS = [{"q": "1 + 1?", "a": "2"}, {"q": "2 + 5?", "a": "7"}]
MAP = "question=q&answer=a"


def test_all_file_forms_give_the_same_problems(tmp_path: Path) -> None:
    write_lines(tmp_path / "sums.jsonl", ROWS)
    with gzip.open(tmp_path / "sums.jsonl.gz", "wt") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in ROWS)
    (tmp_path / "sums.json").write_text(json.dumps(ROWS))
    for kind, delimiter in (("csv", ","), ("tsv", "\t")):
        with (tmp_path / f"sums.{kind}").open("w", newline="") as stream:
            writer = csv.DictWriter(stream, ["q", "a"], delimiter=delimiter)
            writer.writeheader()
            writer.writerows(ROWS)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), tmp_path / "sums.parquet")
    Dataset.from_list(ROWS).save_to_disk(tmp_path / "sums")
    names = [
        "sums.jsonl",
        "sums.jsonl.gz",
        "sums.json",
        "sums.csv",
        "sums.tsv",
        "sums.parquet",
        "sums",
    ]
    loaded = {name: load_problems(f"file:{tmp_path / name}?{MAP}") for name in names}
    assert [(p.id, p.question, p.answer) for p in loaded["sums.jsonl"]] == [
        ("file/sums/00000", "1 + 1?", "2"),
        ("file/sums/00001", "2 + 5?", "7"),
    ]
    for name in names:
        assert loaded[name] == loaded["sums.jsonl"], name


def test_answers_of_csv_files_stay_as_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "codes.csv").write_text("question,answer\nWhich agent?,007\n")
    [problem] = load_problems(f"file:{tmp_path}/codes.csv?verifier=exact")
    assert (problem.answer, problem.verifier) == ("007", "exact")


def test_nested_columns_ids_tags_and_other_spellings(tmp_path: Path) -> None:
    row = {
        "prompt": [{"role": "user", "content": "Half of one?"}],
        "reward_model": {"ground_truth": 0.5},
        "uid": "a/b c",
        "also": ["1/2", "50%"],
        "level": 3.0,
    }
    write_lines(tmp_path / "verl.jsonl", [row])
    mapping = (
        "question=prompt.0.content&answer=reward_model.ground_truth&id=uid&alternatives=also"
        "&tag=level&name=halves"
    )
    [problem] = load_problems(f"file:{tmp_path}/verl.jsonl?{mapping}")
    assert problem.id == "file/halves/a-b-c"
    assert (problem.question, problem.answer) == ("Half of one?", "0.5")
    assert problem.alternatives == ("1/2", "50%")
    assert problem.tags == {"level": "3"}


@pytest.mark.parametrize("answer", ["Bob", 1, "1", "B", "b"])
def test_choices_take_a_letter_a_text_or_an_index(answer: object, tmp_path: Path) -> None:
    write_lines(
        tmp_path / "who.jsonl", [{"question": "Who?", "answer": answer, "c": ["Ann", "Bob"]}]
    )
    [problem] = load_problems(f"file:{tmp_path}/who.jsonl?choices=c")
    assert (problem.answer, problem.choices, problem.verifier) == ("B", ("Ann", "Bob"), "choice")
    assert problem.question.endswith("A) Ann\nB) Bob")


def test_options_that_are_numbered_from_one_are_named_by_their_labels(tmp_path: Path) -> None:
    choices = {"text": ["Ann", "Bob", "Cy"], "label": ["1", "2", "3"]}
    write_lines(tmp_path / "who.jsonl", [{"question": "Who?", "answer": "2", "choices": choices}])
    [problem] = load_problems(f"file:{tmp_path}/who.jsonl?choices=choices.text")
    assert (problem.answer, problem.choices[1]) == ("B", "Bob")
    flat = {"question": "Who?", "answer": "2", "c": choices["text"], "n": choices["label"]}
    write_lines(tmp_path / "flat.jsonl", [flat])
    [problem] = load_problems(f"file:{tmp_path}/flat.jsonl?choices=c&labels=n")
    assert problem.answer == "B"


def test_options_may_be_shuffled_where_the_right_one_always_comes_first(tmp_path: Path) -> None:
    rows = [{"question": f"Q{i}", "yes": "right", "no": "wrong", "no2": "bad"} for i in range(60)]
    write_lines(tmp_path / "q.jsonl", rows)
    name = f"file:{tmp_path}/q.jsonl?choices=yes,no,no2&answer=yes&shuffle=yes"
    problems = list(load_problems(name))
    assert {p.answer for p in problems} == {"A", "B", "C"}
    assert all(p.choices["ABC".index(p.answer)] == "right" for p in problems)
    assert [p.question for p in problems] == [p.question for p in load_problems(name)]
    assert {p.answer for p in load_problems(name.removesuffix("&shuffle=yes"))} == {"A"}


@pytest.mark.parametrize(
    ("extract", "cell"), [("boxed", r"so \boxed{\frac12}"), ("hashes", "work\n#### \\frac12")]
)
def test_the_answer_may_be_inside_a_solution(extract: str, cell: str, tmp_path: Path) -> None:
    write_lines(tmp_path / "s.jsonl", [{"question": "Half?", "solution": cell}])
    [problem] = load_problems(f"file:{tmp_path}/s.jsonl?answer=solution&extract={extract}")
    assert problem.answer == r"\frac12"


def test_programs(tmp_path: Path) -> None:
    row = {"question": "Add.", "answer": "def f(a): return a", "t": "assert f(1) == 1", "n": "f"}
    write_lines(tmp_path / "code.jsonl", [row])
    mapping = "tests=t&entry_point=n&verifier=python_tests"
    [problem] = load_problems(f"file:{tmp_path}/code.jsonl?{mapping}")
    assert (problem.tests, problem.entry_point) == ("assert f(1) == 1\n", "f")


def test_a_reference_may_continue_the_prompt_or_a_stub(tmp_path: Path) -> None:
    prompt = 'def f(x):\n    """Add one."""\n'
    row = {"question": prompt, "answer": "    y = x + 1\n    return y\n", "n": "f"}
    row |= {"t": "def check(c):\n    assert c(1) == 2\n", "say": "Write f.", "code": "def f(x):\n"}
    write_lines(tmp_path / "code.jsonl", [row])
    mine = f"file:{tmp_path}/code.jsonl?tests=t&entry_point=n"
    [problem] = load_problems(mine)
    assert (problem.question, problem.answer) == (prompt, f"{prompt}    y = x + 1\n    return y")
    [problem] = load_problems(f"{mine}&question=say&stub=code")
    assert problem.answer == "def f(x):\n    y = x + 1\n    return y"


def test_odd_column_names_are_percent_encoded(tmp_path: Path) -> None:
    write_lines(tmp_path / "odd.jsonl", [{"Q & A?": "1 + 1?", "a.b": 2}])
    mapping = f"question={quote('Q & A?')}&answer=a.b"
    [problem] = load_problems(f"file:{tmp_path}/odd.jsonl?{mapping}")
    assert (problem.question, problem.answer) == ("1 + 1?", "2")


def test_a_saved_dataset_with_splits_needs_one_named(tmp_path: Path) -> None:
    DatasetDict({"dev": Dataset.from_list(ROWS), "test": Dataset.from_list(ROWS[:1])}).save_to_disk(
        tmp_path / "both"
    )
    assert len(load_problems(f"file:{tmp_path}/both?{MAP}&split=test")) == 1
    with pytest.raises(DataError, match="split=dev or test"):
        load_problems(f"file:{tmp_path}/both?{MAP}")


def test_any_dataset_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(MIRROR, str(tmp_path))
    write_repository(tmp_path, "me/sums", "easy", {"dev": ROWS})
    loaded = load_set(f"hub:me/sums?split=dev&config=easy&{MAP}")
    assert [p.id for p in loaded.problems] == ["hub/sums-dev/00000", "hub/sums-dev/00001"]
    assert "me/sums" in loaded.origin


@pytest.mark.parametrize(
    ("rows", "options", "said"),
    [
        (ROWS, "question=q", "no column 'answer'; it has q, a"),
        (ROWS, "questoin=q", "Did you mean 'question'"),
        (ROWS, MAP + "&extract=last", "extract is boxed or hashes"),
        (ROWS, MAP + "&extract=boxed", "line 1: no boxed answer"),
        ([{"question": "Q", "answer": ""}], "", r"line 1: 'answer' \(answer\) is empty"),
        (
            [{"question": "Q", "answer": [1, 2]}],
            "",
            r"is a list.*answer=answer\.0&alternatives=answer",
        ),
        ([{"question": "Q", "answer": "D", "c": ["x", "y"]}], "choices=c", "answer 'D' is none of"),
        ([{"question": "Q", "answer": "A", "c": "x"}], "choices=c", "must be a list"),
        (
            [{"question": "Q", "answer": {"a": 1}}],
            "",
            r"a dict: name a part of it, as in column\.a",
        ),
        (
            [{"question": "Q", "answer": None}],
            "",
            r"line 1: 'answer' \(answer\) is empty \(null or",
        ),
        ([{"question": "Q", "answer": "NaN"}], "", r"line 1: 'answer' \(answer\) is NaN, which"),
        ([{"question": "Q", "answer": "A", "A": "x", "B": "y"}], "", "add choices=A,B"),
        (
            [{"question": "Q", "answer": "def g(): 1", "t": ["assert f(1)"]}],
            "tests=t",
            "entry_point=",
        ),
        (
            [{"question": "Q", "answer": "def f(): 1", "t": []}],
            "tests=t",
            r"'t' \(tests\) is empty",
        ),
        ([{"question": "Q", "answer": "def f(): 1", "t": [1]}], "tests=t", "a list of texts"),
        ([], "", "is empty"),
    ],
)
def test_mistakes_name_the_row_and_the_fix(
    rows: list[dict[str, object]], options: str, said: str, tmp_path: Path
) -> None:
    write_lines(tmp_path / "mine.jsonl", rows)
    with pytest.raises(DataError, match=said):
        load_problems(f"file:{tmp_path}/mine.jsonl" + (f"?{options}" if options else ""))


def test_repeated_ids_are_refused(tmp_path: Path) -> None:
    write_lines(tmp_path / "mine.jsonl", [{**row, "n": 1} for row in ROWS])
    with pytest.raises(DataError, match="the same id"):
        load_problems(f"file:{tmp_path}/mine.jsonl?{MAP}&id=n")


def test_missing_and_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        load_problems(f"file:{tmp_path}/none.jsonl")
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(DataError, match="line 1: not JSON"):
        load_problems(f"file:{tmp_path}/x.json")
    (tmp_path / "x.txt").write_text("hello")
    with pytest.raises(DataError, match=r"\.csv"):
        load_problems(f"file:{tmp_path}/x.txt")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match="save_to_disk"):
        load_problems(f"file:{tmp_path}/folder")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "question,answer\ncaf\xe9,5\n".encode("latin-1"), "not UTF-8"),
        ("a.csv", b"question,answer\nAnn has 3, 4 and 5,12\n", "line 2: more fields"),
        ("a.csv", b'question,answer\nq,"5\nr,6\n', "line 3: unexpected end"),
        ("a.csv", b"question,answer,answer\nq,5,6\n", "two columns have one name"),
        ("a.csv.gz", b"question,answer\n", "cannot be read to its end"),
        ("a.json", b"[" * 100_000, "nested too deeply"),
        ("a.json", b'[{"question": "q", "answer": 1, "answer": 2}]', "stands twice"),
        ("a.json", b'[{"question": "q", "answer": NaN}]', "is empty"),
        ("a.parquet", b"junk", "as parquet"),
    ],
)
def test_damaged_files_are_named(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=said):
        load_problems(f"file:{tmp_path}/{name}")


def test_text_tables_may_be_gzipped_and_fields_long(tmp_path: Path) -> None:
    question = "x" * 200_000
    packed = gzip.compress(f'\ufeffquestion,answer\n"{question}",5\n'.encode())
    (tmp_path / "a.csv.gz").write_bytes(packed)
    (problem,) = load_problems(f"file:{tmp_path}/a.csv.gz")
    assert (problem.question, problem.answer) == (question, "5")


def test_a_bare_path_is_told_how_to_name_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text('{"question": "Q", "answer": "1"}\n')
    with pytest.raises(DataError, match=f"write 'file:{path}'"):
        load_problems(str(path))


@pytest.mark.parametrize(
    ("solution", "answer"),
    [
        ("2-5=<<2-5=-3>>-3\n#### -3", "-3"),
        ("x\n####42", "42"),
        ("So $x = \\boxed{\\frac{1}{2}}$.", "\\frac{1}{2}"),
        ("The answer is 42.", "42"),
        ("70,000", "70,000"),
    ],
)
def test_a_reference_may_be_a_whole_solution(tmp_path: Path, solution: str, answer: str) -> None:
    write_lines(tmp_path / "s.jsonl", [{"question": "Q", "answer": solution}])
    assert load_problems(f"file:{tmp_path}/s.jsonl")[0].answer == answer


def test_options_may_have_a_column_each(tmp_path: Path) -> None:
    (tmp_path / "who.csv").write_text("question,A,B,answer\nWho?,Ann,Bob,B\n")
    [problem] = load_problems(f"file:{tmp_path}/who.csv?choices=A,B")
    assert (problem.answer, problem.choices, problem.verifier) == ("B", ("Ann", "Bob"), "choice")


def test_a_list_of_tests_is_one_source_and_names_the_function(tmp_path: Path) -> None:
    row = {
        "question": "Add.",
        "answer": "def h(a): return a\ndef f(a): return h(a)",
        "test_list": ["assert f(Q) == 1", "assert f(2) == 2"],
        "test_setup_code": "Q = 1",
        "test_imports": ["import math"],
    }
    write_lines(tmp_path / "code.jsonl", [row])
    [problem] = load_problems(f"file:{tmp_path}/code.jsonl?tests=test_list")
    assert problem.tests == "import math\nQ = 1\nassert f(Q) == 1\nassert f(2) == 2\n"
    assert (problem.entry_point, problem.verifier) == ("f", "python_tests")


def test_separators_of_spreadsheets(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("question;answer\nWhat is 2,5+2?;4,5\n")
    [problem] = load_problems(f"file:{tmp_path}/a.csv")
    assert (problem.question, problem.answer) == ("What is 2,5+2?", "4,5")
