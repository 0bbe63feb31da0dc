"""Mathematical answers: numbers, expressions, tuples, sets, intervals, equations, matrices.

``verify`` runs in a worker process, after ``Verifiers`` has tried ``fast_verdict``.
"""

from manyways.records import Problem, Verdict
from manyways.verifiers.answers import decide, same_answer
from manyways.verifiers.final_answer import Form, Policy, extract, reference

MAX_ANSWER = 10_000
"""Characters. Longer answers are not parsed: they are undecided."""


def verify(
    problem: Problem, text: str, *, policy: Policy = "strict", form: Form = "boxed"
) -> Verdict:
    """Compare the final answer of ``text`` with the problem's reference and its alternatives."""
    found = extract(text, policy=policy, form=form)
    if found is None:
        return Verdict(status="no_answer", rule="none")
    early = fast_verdict(problem, found.answer, found.rule)
    if early is not None:
        return early
    if len(found.answer) > MAX_ANSWER:
        return Verdict(
            status="undecided", rule=found.rule, reason=f"answer over {MAX_ANSWER} characters"
        )
    reason = rule = ""
    for gold in (reference(problem.answer), *problem.alternatives):
        equal, rule = same_answer(gold, found.answer)
        if equal:
            return Verdict(status="correct", answer=found.answer, rule=f"{found.rule}/{rule}")
        if equal is None:
            reason = rule
    if reason:
        return Verdict(status="undecided", answer=found.answer, rule=found.rule, reason=reason)
    return Verdict(status="wrong", answer=found.answer, rule=f"{found.rule}/{rule}")


def fast_verdict(problem: Problem, answer: str, rule: str) -> Verdict | None:
    """The verdict on an extracted answer if the fast path can prove it, else None."""
    outcome = decide(reference(problem.answer), answer)
    for other in problem.alternatives:
        if outcome is not None and outcome[0]:
            break
        second = decide(other, answer)
        outcome = second if second is None or second[0] else outcome and second
    if outcome is None:
        return None
    return Verdict(
        status="correct" if outcome[0] else "wrong", answer=answer, rule=f"{rule}/{outcome[1]}"
    )
