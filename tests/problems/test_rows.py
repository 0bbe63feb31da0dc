"""Reading references out of the forms in which datasets publish them."""

import pytest
from hub_layout import records
from needs import needs_data

from manyways.problems import rows
from manyways.verifiers.final_answer import extract


@pytest.mark.parametrize(
    ("solution", "answer"),
    [
        (r"so \boxed{12}", "12"),
        (r"first \boxed{1}, then \boxed{ \frac{1}{2} }.", r"\frac{1}{2}"),
        (r"$\boxed{\left\{ x : {a} \right\}}$", r"\left\{ x : {a} \right\}"),
        (r"\fbox{3}", "3"),
        (r"\boxed 7$", "7"),
        (r"\boxed{}", ""),
        ("no box", None),
        (r"\boxed{unclosed", None),
        (r"ends with \boxed", None),
    ],
)
def test_last_boxed(solution: str, answer: str | None) -> None:
    assert rows.last_boxed(solution) == answer


@needs_data
def test_last_boxed_gives_the_known_answers_of_math() -> None:
    wrong = [
        r["id"]
        for r in records("math_train")
        if (rows.last_boxed(r["solution"]) or "0") != r["answer"]
    ]
    assert wrong == []


@needs_data
def test_references_are_read_as_the_extractor_reads_attempts() -> None:
    for record in records("math_train")[:1500]:
        found = extract(record["solution"], policy="strict")
        # The extractor joins neighbouring boxes into one answer, which a reference never means.
        if found and found.rule == "boxed":
            assert found.answer == rows.last_boxed(record["solution"])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (27.0, "27"),
        ("27.0", "27"),
        ("070", "70"),
        (r"336^\circ", "336"),
        ("-3", "-3"),
        ("0", "0"),
        ("2.5", "2.5"),
        (r"\frac{1}{2}", r"\frac{1}{2}"),
        (12, "12"),
    ],
)
def test_plain_number(value: object, text: str) -> None:
    assert rows.plain_number(value) == text


def test_gsm8k_answers_lose_their_commas() -> None:
    row = {"question": "How much?", "answer": "a = <<1*2=2>>2\n#### 1,450"}
    assert rows.gsm8k_from_hub(row)["answer"] == "1450"


def test_the_function_asked_for_is_the_one_that_tests_call() -> None:
    code = "def helper(x): return x\ndef wanted(x): return helper(x)\ndef unused(): pass\n"
    assert rows.called_function(code, ["assert set(wanted(1)) == {1}"]) == "wanted"


def test_choices_are_lettered_in_order() -> None:
    text = rows.with_choices("Who?", ["Ann", "Bob", "Cy"])
    assert text.endswith("A) Ann\nB) Bob\nC) Cy")
    assert rows.letter(2) == "C"
