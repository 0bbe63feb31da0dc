"""Are two answers the same? Everything that compares answers, behind one door.

``decide`` is the first step: cheap, exact, in the caller's own process. ``same_answer`` is the
second: it may parse, so it only ever runs in a worker process.
"""

from manyways.verifiers.answers.quick import Outcome, decide

__all__ = ["Outcome", "decide", "same_answer"]


def same_answer(gold: str, answer: str) -> tuple[bool | None, str]:
    """Equal or not, and the rule; None with a reason when it cannot be told. ``full`` has it."""
    from manyways.verifiers.answers import full  # the parser's libraries take a second to import

    return full.same_answer(gold, answer)
