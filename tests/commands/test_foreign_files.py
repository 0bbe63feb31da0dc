"""Files of other tools: the page's examples, what is refused, and going on after a stop."""

import json
import re
import shlex
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command_line import in_this_process

from manyways.commands.answers import FORMATS, Reading
from manyways.commands.passk import passk
from manyways.commands.verify_file import verify_file
from manyways.errors import DataError, UserError

PAGE = Path(__file__).parents[2] / "docs" / "files.md"
BLOCK = re.compile(r"```(\w+)(?: (\S+))?\n(.*?)```", re.S)
STATUSES = {
    "samples_gsm8k.jsonl --format": ["correct", "wrong"] * 2,
    "17.jsonl --format": ["correct", "wrong"],
    "output.jsonl --format": ["correct", "correct"],
    "output.jsonl --prediction": ["correct", "correct"],
    "openr1.jsonl --format": ["correct", "wrong"],
    "sharegpt.jsonl --format": ["correct", "wrong"],
    "answers.csv --prediction": ["correct", "wrong", "no_answer"],
}
PASSES = {
    "samples_gsm8k.jsonl": (1, 2),
    "17.jsonl": (1, 2),
    "openr1.jsonl": (1, 2),
    "sharegpt.jsonl": (1, 2),
    "answers.csv": (2, 3),
}
"""Problems and attempts."""


def lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def statuses(path: Path) -> list[str]:
    return [json.loads(line)["status"] for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_example_of_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    seen: set[str] = set()
    for kind, name, content in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if name:
            Path(name).write_text(content, encoding="utf-8")
        for command in content.splitlines() if kind == "bash" else ():
            _, verb, *rest = shlex.split(command, comments=True)
            outcome = in_this_process(capsys, verb, *rest)
            assert outcome.code == 0, (command, outcome.err)
            seen.add(f"{verb} {' '.join(rest[:2])}")
            if verb == "verify" and "verdicts.jsonl" in rest:
                assert statuses(Path("verdicts.jsonl")) == STATUSES[" ".join(rest[:2])], command
            if verb == "passk":
                problems, attempts = PASSES[rest[0]]
                assert f"{attempts} attempts at {problems} problem" in outcome.err, outcome.err
    assert {f"verify {name}" for name in STATUSES} <= seen
    assert {one.split()[1] for one in seen if one.startswith("passk")} == set(PASSES)


def test_every_format_has_an_example() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert set(re.findall(r"--format ([a-z0-9-]+)", page)) == set(FORMATS)
    assert set(re.findall(r"^\| `([a-z][a-z0-9-]+)` \|", page, re.M)) == set(FORMATS)


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ({"doc_id": 1, "target": 7, "resps": [["\\boxed{7}"]]}, "lm-eval"),
        ({"input": "q", "output": "\\boxed{7}", "gts": 7, "step": 1}, "verl"),
        ({"responses": ["\\boxed{7}"], "reward_model": {"ground_truth": "7"}}, "verl"),
        ({"generation": "\\boxed{7}", "expected_answer": "7"}, "nemo-skills"),
        ({"generations": ["\\boxed{7}"], "answer": "7"}, "open-r1"),
        ({"messages": [{"role": "assistant", "content": "\\boxed{7}"}], "gold": 7}, "sharegpt"),
    ],
)
def test_a_format_is_found_out_and_said(
    tmp_path: Path, row: object, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = lines(tmp_path / "a.jsonl", row, row), tmp_path / "out"
    assert verify_file(path, out=out).counts == {"correct": 2}
    said = capsys.readouterr().err
    assert said.count("read as") == 1
    assert f"--format {name}" in " ".join(said.split())
    assert verify_file(path, out=out, reading=Reading(format=name)).counts == {"correct": 2}
    assert "read as" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("row", "reading", "said"),
    [
        ({"a": 1}, {}, "line 1: the keys are a; a row is"),
        ({"a": 1}, {"format": "verl"}, "line 1: no 'responses' and 'reward_model'"),
        ({"doc_id": 1, "target": 0, "resps": [[[-1.0, False]], [[-2.0, True]]]}, {}, "log-likeli"),
        ({"doc_id": 1, "target": 0, "resps": [["-1.0", False]]}, {}, "log-likelihoods"),
        ({"input": "q", "output": "7", "gts": None}, {}, "'gold' is empty"),
        ({"input": "q", "output": "7", "gts": ["7"]}, {}, "'gold' is list"),
        ({"conversations": []}, {}, "name a column with --gold"),
        ({"conversations": "hello"}, {"gold": "a", "prediction": "b"}, "no column 'b'"),
        ({"said": "7"}, {"gold": "a", "prediction": "said"}, "no column 'a'; it has said"),
    ],
)
def test_what_cannot_be_read_is_named(
    tmp_path: Path, row: object, reading: dict[str, str], said: str
) -> None:
    path = lines(tmp_path / "a.jsonl", row)
    for read in (
        lambda: verify_file(path, out=tmp_path / "out", reading=Reading(**reading)),
        lambda: passk(path, k=None, out=None, workers=1, reading=Reading(**reading)),
    ):
        with pytest.raises(DataError, match=r"a\.jsonl, line 1") as error:
            read()
        assert said in str(error.value)


def test_options_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", {"gold": "1", "prediction": "1"})
    with pytest.raises(UserError, match=r"no format 'lmeval'\. Did you mean 'lm-eval'"):
        verify_file(path, reading=Reading(format="lmeval"))
    with pytest.raises(UserError, match="go together"):
        verify_file(path, reading=Reading(gold="gold"))
    with pytest.raises(UserError, match="needs --out"):
        verify_file(path, resume=True)


def test_null_and_nan_are_no_answers(tmp_path: Path) -> None:
    rows = [
        {"problem": 1, "gold": "7", "prediction": None},
        {"problem": 1, "gold": "7", "prediction": float("nan")},
        {"problem": 1, "gold": "7", "prediction": "7"},
    ]
    path = lines(tmp_path / "a.jsonl", *rows)
    verify_file(path, out=tmp_path / "out")
    assert statuses(tmp_path / "out") == ["no_answer", "no_answer", "correct"]
    [found] = passk(path, k="1", out=None, workers=1)
    assert found.shares["no_answer"] == pytest.approx(2 / 3)
    table = pa.table({"gold": ["7", "7"], "said": ["7", None], "problem": ["a", "a"]})
    pq.write_table(table, tmp_path / "a.parquet")
    how = Reading(prediction="said", gold="gold")
    verify_file(tmp_path / "a.parquet", out=tmp_path / "out", reading=how)
    assert statuses(tmp_path / "out") == ["correct", "no_answer"]
    lines(tmp_path / "b.jsonl", {"problem": {"answer": "7"}, "text": None})
    assert verify_file(tmp_path / "b.jsonl", out=tmp_path / "out").counts == {"no_answer": 1}


def test_what_was_judged_is_not_judged_again(tmp_path: Path) -> None:
    rows = [{"gold": str(i), "prediction": str(i)} for i in range(6)]
    path, out = lines(tmp_path / "a.jsonl", *rows[:4]), tmp_path / "out"
    kept = [json.dumps({"status": "kept", "number": i}) + "\n" for i in range(2)]
    (tmp_path / "out.partial").write_text("".join(kept) + '{"status": "to')
    assert verify_file(path, out=out, resume=True).answers == 2
    assert statuses(out) == ["kept", "kept", "correct", "correct"]
    assert not (tmp_path / "out.partial").exists()
    lines(path, *rows)  # the file has grown
    assert verify_file(path, out=out, resume=True).answers == 2
    assert statuses(out) == ["kept", "kept", *["correct"] * 4]
    assert verify_file(path, out=out, resume=True).answers == 0
    lines(path, *rows[:1])
    with pytest.raises(DataError, match="has 1 answers, but --out holds 6 verdicts"):
        verify_file(path, out=out, resume=True)
    assert len(statuses(out)) == 6
    assert verify_file(path, out=out).answers == 1


def test_equal_answers_are_one_vote(tmp_path: Path) -> None:
    for gold, same in (
        ("18", ["\\$18", "18", "18\\text{ dollars}"]),
        ("x^2-1", ["(x-1)(x+1)", "x^2-1", "-1+x^2"]),
        ("\\frac{1}{2}", ["0.5", "\\frac12", "x=1/2"]),
    ):
        rows = [
            {"problem": "a", "gold": gold, "prediction": f"\\boxed{{{answer}}}"}
            for answer in [*same, "20", "20"]
        ]
        [found] = passk(lines(tmp_path / "a.jsonl", *rows), k="5", out=None, workers=1)
        assert [one.score.value for one in found.majority] == [1.0], gold


def test_answers_that_differ_are_two_votes(tmp_path: Path) -> None:
    rows = [{"problem": "a", "gold": "18", "prediction": f"\\boxed{{{n}}}"} for n in (18, 19, 20)]
    [found] = passk(lines(tmp_path / "a.jsonl", *rows), k="3", out=None, workers=1)
    assert found.majority[0].score.value == pytest.approx(1 / 3)
