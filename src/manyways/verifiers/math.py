"""Mathematical answers: numbers, expressions, tuples, sets, intervals, equations, matrices.

Runs in a worker process. ``Verifiers`` has tried ``fast`` before it comes here.
"""

from manyways.records import Problem, Verdict
from manyways.verifiers.answers import decide, same_answer
from manyways.verifiers.final_answer import Form, Policy, extract, reference

MAX_ANSWER = 10_000
"""Longer answers are not parsed at all: undecided."""


def verify(
    problem: Problem, text: str, *, policy: Policy = "strict", form: Form = "boxed"
) -> Verdict:
    """Judge the final answer of ``text`` against the problem's reference and its alternatives."""
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
    """What the fast path can prove about an extracted answer, or None."""
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
