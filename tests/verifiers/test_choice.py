import pytest

from manyways.records import Problem
from manyways.verifiers.choice import option, verify

CHOICES = ("the red box", "the pantry", "the table")


@pytest.mark.parametrize(
    "answer",
    [
        "B", "(B)", "B.", "b", r"\text{B}", r"\text{(B)}", "**B**", "option B", "B) the pantry",
        "B. the pantry", "B: The Pantry", "the pantry", "The Pantry.", "$B$",
    ],
)  # fmt: skip
def test_a_letter_or_a_text_names_an_option(answer):
    assert option(answer, CHOICES)[0] == "B"


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        ("A) the pantry", "letter and text disagree"),
        ("D", "no such option"),
        ("the cellar", "no option"),
        ("12", "no option"),
        ("", "no option"),
        ("a pantry", "no option"),
    ],
)
def test_what_names_no_option(answer, rule):
    assert option(answer, CHOICES) == ("", rule)


@pytest.mark.parametrize("answer", ["(B) a pantry of sorts", "B) somewhere else"])
def test_a_marked_letter_counts_even_with_a_text_that_is_no_option(answer):
    assert option(answer, CHOICES) == ("B", "letter")


@pytest.mark.parametrize(
    ("gold", "text"),
    [("D Dora", "D"), ("(D) Dora", "d"), ("D", "I would say (D)."), ("D", "D。 而不是 A")],
)
def test_options_that_a_problem_does_not_tell(gold, text):
    problem = Problem(id="t/t/0", question="", answer=gold, verifier="choice")
    assert verify(problem, text, policy="lenient").status == "correct"


def test_verdicts():
    problem = Problem(id="t/t/0", question="", answer="B", verifier="choice", choices=CHOICES)
    statuses = [
        verify(problem, text).status
        for text in (r"\boxed{B}", r"\boxed{C}", r"\boxed{the cellar}", "B")
    ]
    assert statuses == ["correct", "wrong", "wrong", "no_answer"]
    assert verify(problem, "It has to be B", policy="lenient").status == "correct"
