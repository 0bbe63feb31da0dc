"""Where an attempt is cut in the middle: at a boundary between two of its steps."""

import re
from itertools import pairwise

from manyways.heuristics.labelling import ANSWER

SENTENCE_END = re.compile(r"(?<=[.!?;])\s+")


def first_half(text: str) -> str | None:
    """The first half of the steps of ``text`` before its answer, None with fewer than two.

    Steps are lines, or sentences where there is one line; of an odd number the smaller half is
    taken. The end of the line is kept, so that what follows is a step of its own.
    """
    steps = _before_answer(text.splitlines(keepends=True))
    if len(steps) < 2:
        edges = [0, *(match.end() for match in SENTENCE_END.finditer(text)), len(text)]
        steps = _before_answer([text[a:b] for a, b in pairwise(edges)])
    if len(steps) < 2:
        return None
    return "".join(steps[: len(steps) // 2])


def _before_answer(steps: list[str]) -> list[str]:
    """Steps up to the one that states the answer; blank ones belong to the step before."""
    kept: list[str] = []
    for step in steps:
        if ANSWER.search(step):
            break
        if step.strip() or not kept:
            kept.append(step)
        else:
            kept[-1] += step
    return kept if any(step.strip() for step in kept) else []
