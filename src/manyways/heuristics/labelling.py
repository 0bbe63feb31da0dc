"""Which heuristic does a text show? The interface and the table of labellers."""

import re
from collections.abc import Iterable
from typing import Protocol

from manyways.records import Heuristic, Segment

LABELLERS: dict[str, str] = {
    "pocket": "manyways.pocket.labeller:load",
    "exemplars": "manyways.heuristics.exemplar_labeller:load",
}
"""name -> ``module:function``; the function takes the pack's heuristics, returns a Labeller."""


class Labeller(Protocol):
    """Labels the steps of a solution from its text alone."""

    def segments(self, text: str) -> list[Segment]:
        """Split ``text`` into its steps, in order; a neutral or direct step has heuristic None."""
        ...

    def adherence(self, text: str, heuristic: Heuristic) -> float:
        """How well ``text`` follows ``heuristic``, in [0, 1]."""
        ...


ANSWER = re.compile(r"\\boxed|^\W*(?:the )?(?:final )?answer\b", re.IGNORECASE)
"""A step that states the final answer."""


def step_labels(segments: Iterable[Segment]) -> list[str | None]:
    """The heuristics of the steps in order; a neutral line that only states the answer is none.

    Use this wherever labels are counted, so that rates of different stages can be compared.
    """
    return [s.heuristic for s in segments if s.heuristic or not ANSWER.search(s.text)]
