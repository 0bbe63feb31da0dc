"""Measurements on checkpoints that a run can do without: ``[probe]`` and ``[branch]``."""

from typing import Annotated

from pydantic import Field

from manyways.recipe.section import Positive, Section


class ProbeConfig(Section):
    """Prefix swap: the pool's attempts are cut in the middle and go on under another heuristic.

    heuristics: the pack's first ones; every pair of them is tried.
    problems:   of the pool, at equal distances.
    samples:    continuations of each (problem, first heuristic, second heuristic).
    """

    enabled: bool = False
    heuristics: Annotated[int, Field(ge=2)] = 4
    problems: Positive = 32
    samples: Positive = 4


class BranchConfig(Section):
    """Token modes from logits: what could a checkpoint well say where kept solutions part?

    problems: of the pool, among those solved under two or more heuristics, at equal distances.
    """

    enabled: bool = True
    problems: Positive = 64
