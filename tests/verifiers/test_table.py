"""What is asked of a verifier stands in its entry of the table, and nowhere by its name."""

import re
from pathlib import Path

import pytest

from manyways.heuristics import instruction_for
from manyways.plugins import resolve
from manyways.records import Problem, Verdict
from manyways.verifiers import FUNCTIONS, VERIFIERS, verifier_of
from manyways.verifiers.answers.votes import vote_of
from manyways.verifiers.selfcheck import check_references, in_format, perturbed
from manyways.verifiers.verdicts import Verifiers

SOURCE = Path(__file__).parents[2] / "src" / "manyways"
NAME = r"""["'](?:math|choice|python_tests)["']"""
COMPARED = re.compile(
    rf"(?:[!=]=|\bin)\s*[({{]?\s*{NAME}|{NAME}\s*[!=]=|verifiers?\b.*[!=-]=?\s*[({{]?[\"']exact"
    r"|VERIFIERS\)?\s*-\s*\{"
)
PROBLEMS = {
    "math": Problem(id="a/b/0", question="3 + 4?", answer="7"),
    "exact": Problem(id="a/b/0", question="3 + 4?", answer="seven", verifier="exact"),
    "choice": Problem(
        id="a/b/0", question="?", answer="A", verifier="choice", choices=("seven", "eight")
    ),
    "python_tests": Problem(
        id="a/b/0", question="Write f.", answer="def f(x):\n    return x", entry_point="f",
        tests="assert f(7) == 7", verifier="python_tests",
    ),
}  # fmt: skip


def own(problem: Problem, text: str) -> Verdict:
    """A verifier of a user's own."""
    return Verdict(status="correct" if text.endswith(f"{{{problem.answer}}}") else "wrong")


def test_no_source_compares_the_name_of_a_verifier() -> None:
    found = [
        f"{path.relative_to(SOURCE)}:{number}: {line.strip()}"
        for path in sorted(SOURCE.rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if COMPARED.search(line)
    ]
    assert found == []
    assert COMPARED.search('if problem.verifier == "choice":')
    assert COMPARED.search('verifier in ("math", "exact")')
    assert COMPARED.search('cut = names & set(VERIFIERS) - {"python_tests"}')


def test_every_function_that_the_table_names_exists() -> None:
    for verifier in VERIFIERS.values():
        for named in (verifier.verify, verifier.perturb, verifier.seconds, verifier.warm_up):
            assert not named or callable(resolve(named, FUNCTIONS, "verifier"))


@pytest.mark.parametrize("name", VERIFIERS)
def test_an_entry_may_be_named_by_its_function(name: str) -> None:
    assert verifier_of(name) is verifier_of(FUNCTIONS[name]) is VERIFIERS[name]


@pytest.mark.parametrize("name", ["math", "exact", "choice"])
def test_a_reference_is_accepted_and_its_perturbation_rejected(name: str) -> None:
    with Verifiers(workers=1) as judge:
        assert check_references([PROBLEMS[name]], judge)[0].sound


def test_what_is_asked_of_programs() -> None:
    problem = PROBLEMS["python_tests"]
    assert instruction_for(problem, "Box it.").endswith("It must define f.")
    assert in_format(problem, "{}") == "```python\n{}\n```"
    assert perturbed(problem).startswith("def f(")
    assert verifier_of("python_tests").votes == "none"
    assert instruction_for(PROBLEMS["math"], "Box it.") == "Box it."


def test_votes_are_as_the_verifier_has_them() -> None:
    assert vote_of("0.5", "math") == vote_of("1/2", "math")
    assert vote_of("0.5", "exact") != vote_of("1/2", "exact")
    assert vote_of(" a  b ", "exact") == vote_of("a b", "exact")
    assert vote_of("eight", "choice", ("seven", "eight")) == "B"


def test_a_verifier_of_ones_own_has_what_is_usual() -> None:
    name = f"{__name__}:own"
    verifier = verifier_of(name)
    assert (verifier.verify, verifier.here, verifier.cuts) == (name, "nothing", False)
    problem = Problem(id="a/b/0", question="3 + 4?", answer="7", verifier="fake_verifiers:boxes")
    assert perturbed(problem) == "8"
    assert instruction_for(problem, "Box it.") == "Box it."
    assert in_format(problem, "7") == r"\boxed{7}"
    assert vote_of("0.50", name) == vote_of("1/2", name)
