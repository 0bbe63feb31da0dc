import json
import tracemalloc

import pytest
from command_line import in_a_terminal
from needs import needs_sandbox

from manyways.commands.verify_file import verify_file
from manyways.errors import DataError, UserError


def written(path, records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def read(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_kind_of_line_gets_a_verdict_in_order(tmp_path, capsys):
    records = [
        {"gold": "1/2", "prediction": "0.5"},
        {"gold": 12, "prediction": "So there are 13 of them in all, I would say"},
        {"problem": {"answer": "5"}, "text": "5"},
        {"problem": {"answer": "5", "alternatives": ["7"]}, "text": r"\boxed{7}"},
        {"gold": "B", "prediction": "(B)", "verifier": "choice", "choices": ["x", "y"]},
        {"gold": r"so \boxed{x+1}", "prediction": "1+x"},
        {"gold": "3", "prediction": "\ud800"},
    ]
    out = tmp_path / "new" / "verdicts.jsonl"
    summary = verify_file(written(tmp_path / "in.jsonl", records), out=out, policy="strict")
    verdicts = read(out)
    assert [v["status"] for v in verdicts] == [
        "correct", "wrong", "no_answer", "correct", "correct", "correct", "wrong",
    ]  # fmt: skip
    assert set(verdicts[0]) == {"status", "answer", "rule", "reason"}
    assert summary.answers == 7 and summary.counts["correct"] == 4
    seconds = [took for took, _, _ in summary.slowest]
    assert len(seconds) == 5 and seconds == sorted(seconds, reverse=True)
    assert {6, 7} <= {line for _, line, _ in summary.slowest}  # those that need a worker
    assert "7 answers: 4 correct" in " ".join(summary.sentences())
    assert capsys.readouterr().out == ""


def test_texts_are_read_leniently_when_asked(tmp_path):
    records = [{"problem": {"answer": "5"}, "text": "5"}]
    summary = verify_file(
        written(tmp_path / "in.jsonl", records), out=tmp_path / "out", policy="lenient"
    )
    assert summary.counts == {"correct": 1}


def test_without_a_file_verdicts_go_to_standard_output(tmp_path, capsys):
    verify_file(written(tmp_path / "in.jsonl", [{"gold": "1", "prediction": "1"}]))
    assert json.loads(capsys.readouterr().out)["status"] == "correct"


def test_a_file_gets_the_verdicts_while_a_terminal_shows_the_bar(tmp_path):
    path = written(tmp_path / "in.jsonl", [{"gold": "x+1", "prediction": "1+x"}] * 3)
    shown = in_a_terminal("verify", path, into=tmp_path / "out")
    assert [verdict["status"] for verdict in read(tmp_path / "out")] == ["correct"] * 3
    assert "100%" in shown.out and "3 answers: 3 correct." in shown.out
    assert '"status"' not in shown.out


@needs_sandbox
def test_programs_in_the_field_names_of_the_published_sets(tmp_path):
    humaneval = {
        "task_id": "HumanEval/999",
        "prompt": "def f(x):\n    'square'\n",
        "entry_point": "f",
        "test": "def check(candidate):\n    assert candidate(3) == 9\n",
        "completion": "    return x * x",
    }
    mbpp = {
        "prompt": "Write f.",
        "entry_point": "f",
        "test_imports": ["import math"],
        "test_list": ["assert math.isclose(f(3), 9)"],
        "completion": "def f(x):\n    return x",
    }
    path = written(tmp_path / "in.jsonl", [humaneval, mbpp])
    verify_file(path, out=tmp_path / "out", workers=1)
    assert [v["rule"] for v in read(tmp_path / "out")] == ["tests/passed", "tests/AssertionError"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2: not JSON"),
        ("[1]", "line 2: not a JSON object"),
        ('{"gold": "1"}', 'line 2: the keys are gold; a row is {"gold", "prediction"}'),
        ('{"gold": ["1"], "prediction": "1"}', "line 2: 'gold' is list, not text"),
        ('{"problem": {"answr": "1"}, "text": ""}', "line 2: a problem has no field 'answr'"),
        ('{"problem": "x", "text": ""}', "line 2: "),
    ],
)
def test_a_malformed_line_is_named(tmp_path, line, message):
    path = tmp_path / "in.jsonl"
    path.write_text('{"gold": "1", "prediction": "1"}\n' + line + "\n")
    with pytest.raises(DataError) as error:
        verify_file(path, out=tmp_path / "out")
    assert message in str(error.value)


def test_a_missing_file_is_a_users_mistake(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        verify_file(tmp_path / "none.jsonl")


def test_a_long_file_needs_little_memory(tmp_path):
    path = tmp_path / "in.jsonl"
    line = json.dumps({"gold": "12", "prediction": "so " * 30 + r"\boxed{13}"}) + "\n"
    path.write_text(line * 20_000)
    tracemalloc.start()
    summary = verify_file(path, out=tmp_path / "out")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert summary.counts == {"wrong": 20_000}
    assert peak < 8 * 1024**2


def test_an_empty_file_is_nothing_to_judge(tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_text("\n\n")
    assert "nothing to verify" in verify_file(path, out=tmp_path / "out").sentences()[0]


def test_bytes_that_are_no_text_do_not_stop_it(tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_bytes(b'{"gold": "1", "prediction": "\xff 1"}\n')
    assert verify_file(path, out=tmp_path / "out").answers == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"gold": "1", "prediction": "1", "verifier": ["math"]}', "'verifier' is list"),
        ('{"gold": "1", "prediction": "1", "verifier": "os:system"}', "--verifier"),
        ('{"problem": {"answer": "1", "verifier": "os:system"}, "text": "1"}', "--verifier"),
        ('{"gold": "1", "prediction": "1", "alternatives": [null]}', "'alternatives' is empty"),
        ('{"gold": "A", "prediction": "1", "choices": "abc"}', "'choices' is str, not a list"),
        ('{"problem": {"answer": null}, "text": "1"}', "'answer' is empty"),
        ('{"problem": {"answer": "1", "tags": []}, "text": "1"}', "'tags' is not an object"),
        ('{"entry_point": "f", "completion": "", "tests": [1]}', "a list of texts"),
        ('{"entry_point": "f", "completion": ""}', "no 'tests' or 'test' or 'test_list'"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_wrong_types_are_named(tmp_path, line, said):
    (tmp_path / "in.jsonl").write_text(line + "\n")
    with pytest.raises(DataError, match="line 1") as error:
        verify_file(tmp_path / "in.jsonl")
    assert said in str(error.value)


def test_half_a_character_is_verified_and_printed(tmp_path, capsys):
    from command_line import in_this_process

    path = written(tmp_path / "in.jsonl", [{"gold": "\ud800", "prediction": "\ud800"}])
    outcome = in_this_process(capsys, "verify", path, "--out", tmp_path / "out")
    assert (outcome.code, read(tmp_path / "out")[0]["answer"]) == (0, "\ud800")


def test_what_is_not_whole_has_another_name(tmp_path):
    path, out = tmp_path / "in.jsonl", tmp_path / "out"
    out.write_text("before")
    path.write_text('{"gold": "1", "prediction": "1"}\n' * 512 + "{\n")
    with pytest.raises(DataError, match="line 513"):
        verify_file(path, out=out)
    assert out.read_text() == "before"
    assert len(read(tmp_path / "out.partial")) == 512
    with pytest.raises(UserError, match="name another"):
        verify_file(path, out=path)
    assert path.stat().st_size > 512


def test_the_command_line_names_a_verifier_for_all_lines(tmp_path, capsys):
    from command_line import in_this_process

    lines = [{"gold": "1/2", "prediction": "0.5"}, {"problem": {"answer": "5"}, "text": "5"}]
    path, out = written(tmp_path / "in.jsonl", lines), tmp_path / "out"
    verify_file(path, out=out, verifier="fake_verifiers:accept_at_random", workers=1)
    assert {v["rule"] for v in read(out)} == {"random"}
    outcome = in_this_process(capsys, "verify", path, "--verifier", "fake_verifiers:absent")
    assert outcome.code == 2 and "has no 'absent'" in outcome.err
    outcome = in_this_process(capsys, "verify", path, "--timeout", "nan")
    assert outcome.code == 2 and "timeout" in outcome.err


@needs_sandbox
def test_programs_of_one_name_meet_their_own_tests(tmp_path):
    same = {"task_id": "t", "entry_point": "f", "completion": "def f():\n    return 1"}
    lines = [{**same, "tests": f"assert f() == {value}"} for value in (1, 2)]
    verify_file(written(tmp_path / "in.jsonl", lines), out=tmp_path / "out", workers=1)
    assert [v["status"] for v in read(tmp_path / "out")] == ["correct", "wrong"]
