import pytest

from manyways.records import Problem
from manyways.verifiers.selfcheck import check_references, check_set, in_format, perturbed
from manyways.verifiers.verdicts import Verifiers


def problem(answer, verifier="math", **fields):
    return Problem(id=f"t/t/{answer}", question="", answer=answer, verifier=verifier, **fields)


@pytest.fixture(scope="module")
def judge():
    with Verifiers(workers=1, timeout=20) as judge:
        yield judge


@pytest.mark.parametrize(
    "answer",
    ["12", "(12, 47)", r"\frac{1}{2}", "9", "0.5", r"\text{east}", "x^2", r"2007 + \frac\pi 2",
     r"\$\dfrac23 \approx \$0.67", "2^{100} - 2", "1,2,3", "m", "40_9"],
)  # fmt: skip
def test_references_are_accepted_and_their_perturbations_rejected(answer, judge):
    check = check_references([problem(answer)], judge)[0]
    assert check.sound, (check, perturbed(problem(answer)))


def test_a_perturbation_avoids_the_alternatives():
    assert perturbed(problem("12", alternatives=("13", "22"))) not in ("12", "13", "22")
    assert perturbed(problem("C", "choice", choices=("x", "y", "z"))) == "A"


def test_what_cannot_be_judged_is_reported_with_its_reason(judge):
    bad = problem("(D)", "choice", choices=("x", "y"))
    check = check_set([problem("12"), bad, problem(r"\frac{x")], judge)
    assert (check.problems, check.accepted) == (3, 1)
    assert [failure.problem_id for failure in check.failures] == [bad.id, "t/t/\\frac{x"]
    assert check.failures[0].reason == "the verdict on the reference is wrong"
    assert sum(check.reasons.values()) == 2


def test_answers_are_written_as_the_prompt_asks():
    assert in_format(problem("12"), "12") == r"\boxed{12}"
    assert in_format(problem("12"), "12", form="hashes") == "#### 12"
    assert in_format(problem("12"), "12", form="phrase") == "The answer is 12"
    assert in_format(problem("x", "python_tests"), "f = 1") == "```python\nf = 1\n```"


@pytest.mark.parametrize(
    ("solution", "answer"),
    [("6 x 7 = 42\n#### 42", "42"), (r"So it is \boxed{x+1}.", "x+1"), ("The answer is 7.", "7")],
)
def test_of_a_reference_that_is_a_solution_its_answer_is_checked(solution, answer, judge):
    whole = problem(solution)
    assert check_references([whole], judge)[0].sound
    texts = [in_format(whole, answer), in_format(whole, solution), in_format(whole, answer + "1")]
    statuses = [verdict.status for verdict in judge.verdicts([(whole, text) for text in texts])]
    assert statuses[0] == "correct" and statuses[2] == "wrong"


@pytest.mark.parametrize("text", ["First we add.\nThen we are done.", "then we add them and " * 20])
def test_a_reference_that_no_final_answer_equals_is_refused(text, judge):
    check = check_references([problem(text)], judge)[0]
    assert not check.accepted and "no answer" in check.reason
