"""``manyways problems``: what is printed, and what fails."""

import json
from pathlib import Path

import pytest

from manyways.commands.problems import (
    check_problems,
    compare_problems,
    list_problem_sets,
    show_problems,
)
from manyways.errors import DataError


def write(path: Path, rows: list[dict[str, str]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return f"file:{path}"


@pytest.fixture
def sums(tmp_path: Path) -> str:
    rows = [{"question": f"What is {i} + 1?", "answer": str(i + 1)} for i in range(4)]
    return write(tmp_path / "sums.jsonl", [*rows, {**rows[0], "answer": "5"}])


def test_list_names_every_published_split(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "aime24.jsonl").write_text("")
    list_problem_sets(data_dir=tmp_path)
    lines = capsys.readouterr().out.splitlines()
    found = {line.split()[0]: line for line in lines if "/" in line.split("│")[0]}
    assert len(found) == 19
    assert "yes" in found["aime24/test"]
    assert "no" in found["gsm8k/test"]
    assert "openai/gsm8k (main)" in found["gsm8k/test"]


def test_show_prints_prompt_reference_and_verdict(
    capsys: pytest.CaptureFixture[str], sums: str
) -> None:
    show_problems(sums, number=2)
    out = capsys.readouterr().out
    assert "file/sums/00002   verifier math" in out
    assert "What is 2 + 1?\n\nPut your final answer within \\boxed{}." in out
    assert "-- reference answer --\n3" in out
    assert out.rstrip().endswith("correct by boxed/integer")


def test_show_of_a_number_that_is_not_there(sums: str) -> None:
    with pytest.raises(DataError, match="problems 0 to 4, not 5"):
        show_problems(sums, number=5)


def test_check_reports_repeats_and_their_contradictions(
    capsys: pytest.CaptureFixture[str], sums: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    check = check_problems(sums)
    captured = capsys.readouterr()
    assert (check.problems, check.accepted, check.rejected) == (5, 5, 5)
    assert "file/sums/00000, file/sums/00004" in captured.out
    assert "1 | 5" in captured.out


def test_check_fails_on_a_reference_that_its_verifier_refuses(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rows = [{"question": "Which?", "answer": "1"}, {"question": "What?", "answer": "}{ \\frac{"}]
    with pytest.raises(DataError, match=r"1 of 2 references .* First: file/bad/00001"):
        check_problems(write(tmp_path / "bad.jsonl", rows), workers=1)
    assert "file/bad/00001" in capsys.readouterr().out


def test_compare_counts_and_prints_pairs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, sums: str
) -> None:
    evals = write(tmp_path / "test.jsonl", [{"question": "what is $3+1$", "answer": "4"}])
    report = compare_problems(sums, [evals])
    assert [(p.train_id, p.eval_id) for p in report.pairs] == [
        ("file/sums/00003", "file/test/00000")
    ]
    out = capsys.readouterr().out
    assert "file/sums/00003 = file/test/00000  (exact, 100%)" in out
    assert "what is $3+1$" in out
