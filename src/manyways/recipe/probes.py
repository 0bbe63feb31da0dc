"""Measurements on checkpoints that a run can do without: ``[probe]`` and ``[branch]``."""

from typing import Annotated

from pydantic import Field

from manyways.recipe.section import Positive, Section


class ProbeConfig(Section):
    """Prefix swap: the pool's attempts are cut in the middle and go on under another heuristic."""

    enabled: bool = False
    """Whether ``run`` does it."""

    heuristics: Annotated[int, Field(ge=2)] = 4
    """The pack's first ones; every pair of them is tried."""

    problems: Positive = 32
    """Of the pool, at equal distances."""

    samples: Positive = 4
    """Continuations of each (problem, first heuristic, second heuristic)."""


class BranchConfig(Section):
    """Token modes from logits: what could a checkpoint well say where kept solutions part?"""

    enabled: bool = True
    """Whether ``run`` does it."""

    problems: Positive = 64
    """Of the pool, among those solved under two or more heuristics, at equal distances."""
