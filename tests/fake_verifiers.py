"""Verifiers of a user's own, named in recipes as ``fake_verifiers:<function>``."""

import hashlib

from manyways.records import Problem, Verdict


def accept_at_random(problem: Problem, text: str) -> Verdict:
    """Half of all texts are right, the same ones each time, whatever they say."""
    digest = hashlib.sha256(f"{problem.id}\t{text}".encode("utf-8", "replace")).digest()
    right = digest[0] % 2 == 0 or text == f"\\boxed{{{problem.answer}}}"
    return Verdict(status="correct" if right else "wrong", answer=text[:20], rule="random")


def often_unwell(problem: Problem, text: str) -> Verdict:
    """Judges references; cannot decide about a third of other texts."""
    if text == f"\\boxed{{{problem.answer}}}":
        return Verdict(status="correct", answer=text, rule="fake")
    digest = hashlib.sha256(f"{problem.id}\t{text}".encode("utf-8", "replace")).digest()
    if digest[0] % 3 == 0:
        return Verdict(status="undecided", reason="timeout")
    return Verdict(status="wrong", answer=text[:20], rule="fake")
