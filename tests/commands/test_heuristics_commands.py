"""``manyways heuristics``: what is printed, and what a pack fails for."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import in_this_process

from manyways.commands.heuristics import (
    check_heuristics,
    check_pack,
    list_heuristics,
    prompts_for,
    show_heuristic,
)
from manyways.errors import DataError
from manyways.heuristics import exemplar_problem, load_pack
from manyways.records import Exemplar, Heuristic, Problem, Verdict

ENTRY = """
[[heuristic]]
id = "{id}"
name = "{id}"
family = "f"
question = "What?"
instruction = "{instruction}"
when = "Always."
signs = ["a sign"]
source = "here"

[[heuristic.exemplar]]
question = "{id} one: what is two and three?"
solution = '''By {id} it is \\boxed{{5}}'''
answer = "5"

[[heuristic.exemplar]]
question = "How many legs have {id} cows, of which each has four legs and a tail?"
solution = '''Each of the {id} cows walks upon four of them: \\boxed{{4}}'''
answer = "{answer}"
"""


class Accepts:
    """Accepts every exemplar."""

    def verdicts(self, pairs: list[tuple[Problem, str]]) -> list[Verdict]:
        return [Verdict(status="correct") for _ in pairs]


def write(folder: Path, *, answer: str = "4", instruction: str = "Do this. Then that.") -> str:
    path = folder / "own.toml"
    path.write_text(ENTRY.format(id="alpha", answer=answer, instruction=instruction))
    return str(path)


def good(id_: str = "alpha") -> Heuristic:
    first = load_pack("polya", 1)[0]
    return replace(first, id=id_)


def whats(*heuristics: Heuristic) -> list[str]:
    return [str(flaw) for flaw in check_pack(heuristics, Accepts()).flaws]


def test_a_good_entry_has_no_flaws() -> None:
    assert whats(good()) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": "Not A Slug"}, "error: Not A Slug: id: use small letters"),
        ({"id": "plain"}, "error: plain: id: 'plain' names attempts"),
        ({"name": " "}, "error: alpha: name is empty"),
        ({"exemplars": ()}, "error: alpha: exemplars: 0, at least 2"),
        ({"instruction": "One."}, "warning: alpha: sentences in the instruction: 1"),
        ({"instruction": "A. B! C? D. E."}, "warning: alpha: sentences in the instruction: 5"),
        ({"signs": ()}, "warning: alpha: signs is empty"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, object], said: str) -> None:
    assert any(what.startswith(said) for what in whats(replace(good(), **change)))


def test_a_copy_under_another_label_is_an_error_even_with_other_numbers() -> None:
    original = good()
    changed = tuple(
        Exemplar(
            question=e.question.replace("7", "9").replace("32", "40"),
            solution=e.solution.replace("14", "18"),
            answer=e.answer,
        )
        for e in original.exemplars
    )
    found = whats(original, replace(original, id="beta", exemplars=changed))
    copies = [what for what in found if "copies that of" in what]
    assert len(copies) == 4
    assert all(what.startswith("error: alpha, exemplar") for what in copies)


def test_own_pack_by_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = check_heuristics(write(tmp_path), workers=1)
    assert (report.heuristics, report.exemplars, report.accepted) == (1, 2, 2)
    assert "accepted by their verifier" in capsys.readouterr().out


def test_a_wrong_answer_fails_and_names_its_exemplar(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DataError, match=r"has 1 error\."):
        check_heuristics(write(tmp_path, answer="5"), workers=1)
    assert "alpha, exemplar 2: its solution ends in '4', but its answer is '5'" in (
        capsys.readouterr().out
    )


def test_an_exemplar_of_a_benchmark_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = write(tmp_path)
    question = load_pack(str(pack))[0].exemplars[0].question
    rows = tmp_path / "benchmark.jsonl"
    rows.write_text(json.dumps({"question": question, "answer": "1"}) + "\n")
    against = ("--against", f"file:{rows}", "--workers", "1")
    outcome = in_this_process(capsys, "heuristics", "check", pack, *against)
    assert outcome.code == 2
    assert "alpha, exemplar 1: its question is the same as that of file/" in outcome.out
    assert "has 1 error. First: error: alpha, exemplar 1" in outcome.err


def test_warnings_do_not_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = check_heuristics(write(tmp_path, instruction="Do it."), workers=1)
    assert report.errors == ()
    assert "warning: alpha" in capsys.readouterr().out


class Words:
    """A tokenizer of words, whose template writes each role once."""

    def apply_chat_template(
        self, turns: list[dict[str, str]], *, tokenize: bool, add_generation_prompt: bool
    ) -> str:
        assert not tokenize
        said = [f"{turn['role']} {turn['content']}" for turn in turns]
        return " ".join([*said, "assistant"] if add_generation_prompt else said)

    def __call__(self, text: str, **options: bool) -> dict[str, list[str]]:
        assert options["add_special_tokens"] is False
        return {"input_ids": text.split()}


def test_tokens_of_a_prompt_are_those_before_the_problem() -> None:
    heuristic = good()
    asked = prompts_for([heuristic])
    ready = {
        shots: check_pack([heuristic], Accepts(), tokenizer=Words(), shots=shots).tokens["alpha"]
        for shots in (0, 1)
    }
    ask = len(asked.instruction.split())
    lead = len(f"{heuristic.name}: {heuristic.instruction}".split())
    first = heuristic.exemplars[0]
    shown = len(first.question.split()) + len(first.solution.split())
    assert ready[0] == 1 + lead + ask + 1
    assert ready[1] == ready[0] + 2 + shown + ask


def test_list_is_in_the_order_of_the_pack(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    list_heuristics("code")
    lines = capsys.readouterr().out.splitlines()[2:]
    ids = [line.split("│")[1].strip() for line in lines if "│" in line]
    assert ids == [heuristic.id for heuristic in load_pack("code")]


def test_show_finds_a_heuristic_in_any_named_pack(capsys: pytest.CaptureFixture[str]) -> None:
    show_heuristic("loop-invariant")
    out = capsys.readouterr().out
    heuristic = next(h for h in load_pack("code") if h.id == "loop-invariant")
    assert "pack: code" in out
    assert heuristic.instruction in out
    assert "exemplar 2, verifier python_tests" in out
    assert "assert to_base(255, 8)" in out


def test_show_names_the_nearest() -> None:
    with pytest.raises(DataError, match="Did you mean 'working-backwards'"):
        show_heuristic("working-backward", pack="polya")


def test_programs_are_asked_for_as_programs() -> None:
    code = load_pack("code")
    assert "```python" in prompts_for(code).instruction
    assert exemplar_problem(code[0], 0).entry_point == "share_out"
    assert "boxed" in prompts_for(load_pack("polya")).instruction
