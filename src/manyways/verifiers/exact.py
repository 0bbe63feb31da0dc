"""Answers that must be spelled like the reference; only the number of spaces may differ."""

from manyways.records import Problem, Verdict
from manyways.verifiers.final_answer import Form, Policy, extract, reference


def verify(
    problem: Problem, text: str, *, policy: Policy = "strict", form: Form = "boxed"
) -> Verdict:
    """Compare the final answer of ``text`` with the reference as strings, case included."""
    found = extract(text, policy=policy, form=form)
    if found is None:
        return Verdict(status="no_answer", rule="none")
    answer = " ".join(found.answer.split())
    equal = any(
        answer == " ".join(g.split()) for g in (reference(problem.answer), *problem.alternatives)
    )
    return Verdict(
        status="correct" if equal else "wrong", answer=found.answer, rule=f"{found.rule}/exact"
    )
