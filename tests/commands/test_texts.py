import json
from pathlib import Path

import pytest
from made_runs import attempt

from manyways.commands.texts import read_texts
from manyways.errors import DataError
from manyways.tables import append_attempts


def lines(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    return path


def test_texts_alone_are_problems_of_their_own(tmp_path: Path) -> None:
    found = read_texts(lines(tmp_path / "a.jsonl", {"text": "x"}, {"text": "y", "more": 1}))
    assert (found.texts, found.problems, found.correct) == (["x", "y"], ["0", "1"], None)
    assert not found.named


def test_problems_and_verdicts_are_read(tmp_path: Path) -> None:
    rows = [
        {"problem": 7, "text": "x", "correct": True},
        {"problem": "b", "text": "", "correct": 0},
    ]
    found = read_texts(lines(tmp_path / "a.jsonl", *rows))
    assert (found.problems, found.correct, found.named) == (["7", "b"], [True, False], True)


def test_attempts_of_a_run_are_read(tmp_path: Path) -> None:
    append_attempts(tmp_path, [attempt("p1"), attempt("p2", status="wrong")])
    for path in (tmp_path, next(tmp_path.glob("*.parquet"))):
        found = read_texts(path)
        assert (found.problems, found.correct) == (["p1", "p2"], [True, False])


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "holds no texts"),
        ([{"a": 1}], "line 1: no 'text'"),
        ([{"text": "x"}, {"text": "x", "problem": "p"}], "line 1: no 'problem'"),
        ([{"text": "x", "correct": "yes"}], "'correct' is 'yes'"),
        ([{"text": "x", "problem": True}], "'problem' is neither"),
        (["x"], "not an object"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, rows: list, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_texts(lines(tmp_path / "a.jsonl", *rows))


def test_broken_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "\xff"}')
    (tmp_path / "b.jsonl").write_text("{")
    (tmp_path / "c.parquet").write_text("no")
    (tmp_path / "empty").mkdir()
    for name, said in {
        "a.jsonl": "line 1: not UTF-8",
        "b.jsonl": "line 1: not JSON",
        "c.parquet": "cannot read",
        "empty": "no parquet file",
        "none": "no file or folder",
    }.items():
        with pytest.raises(DataError, match=said):
            read_texts(tmp_path / name)


def test_half_a_character_can_be_hashed(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a \\ud800", "problem": 1}')
    assert read_texts(tmp_path / "a.jsonl").texts == ["a ?"]
