"""Checks a problem set: each verifier must accept the reference and reject a wrong answer.

This is done before generation. If a verifier cannot read a reference, every attempt at that problem
would count as wrong.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from manyways.plugins import load
from manyways.records import Problem, Verdict
from manyways.verifiers import verifier_of
from manyways.verifiers.final_answer import Form, reference
from manyways.verifiers.verdicts import Verifiers

LONGEST_ANSWER = 25
"""The most words in an answer to a problem of mathematics."""
_WORDS = re.compile(r"(?<![\\a-zA-Z])[a-zA-Z]{3,}")


@dataclass(frozen=True, kw_only=True, slots=True)
class ReferenceCheck:
    """The check of one reference answer.

    accepted: whether the reference, written as the prompt asks for it, is ``correct``.
    rejected: whether a perturbed reference is ``wrong``.
    reason:   why one of the two is False; empty when both are True.
    """

    problem_id: str
    accepted: bool
    rejected: bool
    reason: str = ""

    @property
    def sound(self) -> bool:
        """Whether both are True."""
        return self.accepted and self.rejected


@dataclass(frozen=True, kw_only=True, slots=True)
class SetCheck:
    """The checks of a whole set.

    problems, accepted, rejected: counts.
    reasons:  reason -> how often it occurred.
    failures: the checks that are not sound.
    """

    problems: int
    accepted: int
    rejected: int
    reasons: Counter[str]
    failures: tuple[ReferenceCheck, ...]


def check_references(problems: Sequence[Problem], verifiers: Verifiers) -> list[ReferenceCheck]:
    """One check per problem, in order."""
    right = verifiers.verdicts(
        [(p, in_format(p, answer_of(p), form=verifiers.form)) for p in problems]
    )
    wrong = verifiers.verdicts(
        [(p, in_format(p, perturbed(p), form=verifiers.form)) for p in problems]
    )
    return [_check(p, *both) for p, *both in zip(problems, right, wrong, strict=True)]


def check_set(problems: Sequence[Problem], verifiers: Verifiers) -> SetCheck:
    """Counts over a whole set, with every failing problem and its reason."""
    checks = check_references(problems, verifiers)
    failures = tuple(check for check in checks if not check.sound)
    return SetCheck(
        problems=len(checks),
        accepted=sum(check.accepted for check in checks),
        rejected=sum(check.rejected for check in checks),
        reasons=Counter(check.reason for check in failures),
        failures=failures,
    )


def in_format(problem: Problem, answer: str, *, form: Form = "boxed") -> str:
    """``answer`` as the end of an attempt that follows the prompt."""
    written = verifier_of(problem.verifier).written
    if written:
        return written.replace("{answer}", answer)
    if form == "hashes":
        return f"#### {answer}"
    return f"The answer is {answer}" if form == "phrase" else f"\\boxed{{{answer}}}"


def answer_of(problem: Problem) -> str:
    """The answer in the reference, which may be a whole solution; for a program all of it."""
    whole = bool(verifier_of(problem.verifier).written)
    return problem.answer if whole else reference(problem.answer)


def is_prose(answer: str) -> bool:
    """Whether it is a text of several lines or sentences, which no final answer can equal."""
    lines = [line for line in answer.strip().splitlines() if line.strip()]
    formula = "\\begin" in answer or "&" in answer
    return (len(lines) > 1 and not formula) or len(_WORDS.findall(answer)) > LONGEST_ANSWER


def perturbed(problem: Problem) -> str:
    """An answer near the reference that must be ``wrong``."""
    perturb = load(verifier_of(problem.verifier).perturb)
    return cast(Callable[[Problem], str], perturb)(problem)


def another_number(problem: Problem) -> str:
    """The reference with another number in place of its last one."""
    answer = answer_of(problem)
    for numeral in reversed(list(re.finditer(r"[0-9]+", answer.split("\\approx")[0]))):
        other = f"{answer[: numeral.start()]}{_other(numeral.group())}{answer[numeral.end() :]}"
        if other not in problem.alternatives:
            return other
    return answer + " + 17" if len(answer) < 40 and "\\text" not in answer else "17"


def next_option(problem: Problem) -> str:
    """The letter after the reference's letter; A after the last one."""
    options = max(len(problem.choices), 2)
    return chr(ord("A") + (ord(answer_of(problem).strip()[:1].upper()) - ord("A") + 1) % options)


def one_more_letter(problem: Problem) -> str:
    """The reference with an x at its end."""
    return answer_of(problem) + "x"


def hollow(problem: Problem) -> str:
    """A program whose function does nothing."""
    return f"def {problem.entry_point}(*args, **kwargs):\n    pass"


def _other(digits: str) -> str:
    """Another numeral of the same length: only the first digit differs, and it is not 0."""
    first = "1" if digits[0] == "9" else chr(ord(digits[0]) + 1)
    return first + digits[1:]


def _check(problem: Problem, right: Verdict, wrong: Verdict) -> ReferenceCheck:
    accepted, rejected = right.status == "correct", wrong.status == "wrong"
    reason = ""
    compared = verifier_of(problem.verifier).votes == "equal"  # as mathematics, not as spelled
    if accepted and compared and is_prose(answer_of(problem)):
        accepted, reason = False, "reference is a text and no answer: no final answer equals it"
    elif not accepted:
        reason = _said("the reference", right)
    elif not rejected:
        reason = _said("the perturbed reference", wrong)
    return ReferenceCheck(
        problem_id=problem.id, accepted=accepted, rejected=rejected, reason=reason
    )


def _said(what: str, verdict: Verdict) -> str:
    why = f" ({verdict.reason})" if verdict.reason else ""
    return f"the verdict on {what} is {verdict.status}{why}"
