"""Which heuristic does a text show? The interface and the table of labellers."""

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
