"""pass@k and its relatives of files and folders that anything may have written."""

import json
from pathlib import Path
from random import Random

import numpy as np
import pytest
from command_line import in_this_process
from made_runs import attempt

from manyways.commands.passk import FileScores, passk
from manyways.errors import DataError, UserError
from manyways.metrics.intervals import Resampling, score_intervals
from manyways.metrics.pass_at_k import pass_at_k
from manyways.tables import append_attempts

GOOD = '{"problem": "a", "correct": true}\n'


def score(path: Path, lines: list[object], *, k: str | None = None) -> FileScores:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return passk(path, k=k, out=None, workers=1)[0]


def named(found: FileScores) -> dict[str, float]:
    every = (found.average, *found.passes, *found.majority)
    return {one.score.name: one.score.value for one in every}


def test_lines_in_any_order_with_unequal_numbers_of_attempts(tmp_path: Path) -> None:
    counts = {"a": (8, 3), "b": (8, 0), "c": (4, 4), "d": (1, 1)}
    lines = [{"problem": p, "correct": i < c} for p, (n, c) in counts.items() for i in range(n)]
    Random(0).shuffle(lines)
    found = score(tmp_path / "a.jsonl", lines)
    assert (found.attempts, found.problems, found.least, found.most) == (21, 4, 1, 8)
    scores = named(found)
    assert list(scores) == ["avg@1-8", "pass@1", "pass@2", "pass@4", "pass@8"]
    assert scores["avg@1-8"] == scores["pass@1"] == pytest.approx((3 / 8 + 0 + 1 + 1) / 4)
    assert scores["pass@4"] == pytest.approx(pass_at_k([8, 8, 4], [3, 0, 4], 4).mean())
    assert [(one.left_out, one.score.n) for one in found.passes] == [(0, 4), (1, 3), (1, 3), (2, 2)]
    assert found.average_error is None
    assert "21 of 21" in found.no_majority


def test_predictions_are_verified_and_put_to_the_vote(tmp_path: Path) -> None:
    answers = ["0.5", r"\boxed{\frac12}", "3", None, "I do not know."]
    lines = [{"problem": 7, "gold": "1/2", "prediction": answer} for answer in answers]
    found = score(tmp_path / "b.jsonl", lines, k="1,5")
    assert named(found) == pytest.approx(
        {"avg@5": 0.4, "pass@1": 0.4, "pass@5": 1, "maj@1": 0.4, "maj@5": 1}
    )
    assert found.shares == pytest.approx(
        {"correct": 0.4, "wrong": 0.4, "no_answer": 0.2, "undecided": 0}
    )


def test_options_vote_by_letter(tmp_path: Path) -> None:
    line = {"problem": "m", "gold": "B", "verifier": "choice", "choices": ["attic", "shed"]}
    lines = [{**line, "prediction": answer} for answer in ("B", "(B)", r"\boxed{shed}", "A", "A")]
    assert named(score(tmp_path / "c.jsonl", lines, k="1,5"))["maj@5"] == 1.0


def test_stated_verdicts_vote_if_every_row_has_an_answer(tmp_path: Path) -> None:
    lines = [
        {"problem": "a", "correct": 1, "answer": "2"},
        {"problem": "a", "correct": 0, "answer": None},
        {"problem": "a", "correct": 1, "answer": 2},
    ]
    assert named(score(tmp_path / "d.jsonl", lines, k="3"))["maj@3"] == 1.0
    found = score(tmp_path / "d.jsonl", [*lines, {"problem": "a", "correct": 0}])
    assert found.majority == ()
    assert found.no_majority.startswith("the answers of 1 of 4 attempts are not known")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "not JSON"),
        ("[1]", "not a JSON object"),
        ('{"correct": true}', "no 'problem'"),
        ('{"problem": "a", "correct": "yes"}', "'yes', not true or false"),
        ('{"problem": "a", "correct": null}', "None, not true or false"),
        ('{"problem": "a", "gold": "1"}', "the keys are gold, problem"),
        ('{"problem": "a", "score": 1}', 'a row is {"problem": "p1", "correct": true} or'),
        ('{"gold": "1", "prediction": "1"}', "no 'problem'"),
        ('{"problem": "a", "gold": null, "prediction": "1"}', "'gold' is empty"),
        ('{"problem": "a", "gold": ["1"], "prediction": "1"}', "'gold' is list"),
        ('{"problem": "a", "correct": 1, "answer": [2]}', "'answer' is no text"),
        ("\xff", "not UTF-8"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(f"{GOOD}\n{line}\n{GOOD}".encode("latin-1"))
    with pytest.raises(DataError, match="line 3") as error:
        passk(path, k=None, out=None, workers=1)
    assert said in str(error.value)
    assert error.value.exit_code == 2


def test_what_cannot_be_scored(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("\n")
    for path, said in (("empty.jsonl", "holds no attempts"), ("gone", "no file"), ("", "part-")):
        with pytest.raises(DataError, match=said):
            passk(tmp_path / path, k=None, out=None, workers=1)
    (tmp_path / "one.jsonl").write_text(GOOD)
    for k, said in (("8", "more than 1 attempts"), ("0", "whole numbers"), ("a,b", "whole")):
        with pytest.raises(UserError, match=said):
            passk(tmp_path / "one.jsonl", k=k, out=None, workers=1)


def test_folders_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    statuses = ("correct", "wrong", "no_answer", "undecided")
    rows = [
        attempt(f"made/test/{i}", sample=n, status=s, finish="length" if n else "stop")
        for i in range(3)
        for n, s in enumerate(statuses)
    ]
    append_attempts(tmp_path / "base" / "test", rows)
    append_attempts(tmp_path / "base" / "hard", rows[:4])
    append_attempts(tmp_path / "stale" / "test", rows[:1])
    outcome = in_this_process(capsys, "passk", tmp_path, "--out", tmp_path / "scores.json")
    assert outcome.code == 0, outcome.err
    found = json.loads((tmp_path / "scores.json").read_text())
    assert [(one["source"], one["problems"]) for one in found] == [
        ("base/hard", 1),
        ("base/test", 3),
    ]
    assert found[1]["shares"] == {
        "correct": 0.25, "wrong": 0.25, "no_answer": 0.25, "undecided": 0.25, "truncated": 0.75,
    }  # fmt: skip
    assert found[1]["majority"][0]["score"]["name"] == "maj@1"
    assert "base/test" in outcome.out
    assert "0.2500" in outcome.out


def test_the_order_of_rows_changes_nothing(tmp_path: Path) -> None:
    counts = {"a": 3, "b": 0, "c": 4, "d": 1, "e": 2, "f": 4, "g": 0}
    lines = [{"problem": p, "correct": i < c} for p, c in counts.items() for i in range(4)]
    first = score(tmp_path / "a.jsonl", lines)
    Random(1).shuffle(lines)
    second = score(tmp_path / "a.jsonl", lines)
    assert first == second
    values_PK = np.stack([pass_at_k([4] * 7, list(counts.values()), k) for k in (1, 2, 4)], axis=1)
    _, low_K, high_K = score_intervals(values_PK, Resampling())  # as the report calls it
    assert [one.score.low for one in first.passes] == pytest.approx(list(low_K), abs=1e-9)
    assert [one.score.high for one in first.passes] == pytest.approx(list(high_K), abs=1e-9)
