"""Measurements on checkpoints that a run can do without: ``[probe]`` and ``[branch]``."""

from typing import Annotated

from pydantic import Field

from manyways.recipe.section import Positive, Section


class ProbeConfig(Section):
    """Prefix swap: the model continues attempts of the pool under another heuristic.

    The attempts are cut in the middle.
    """

    enabled: bool = False
    """Whether ``run`` includes this stage."""

    heuristics: Annotated[int, Field(ge=2)] = 4
    """Number of heuristics to take, from the start of the pack. Every pair of them is tried."""

    problems: Positive = 32
    """Number of problems of the pool, evenly spaced."""

    samples: Positive = 4
    """Continuations per (problem, first heuristic, second heuristic)."""


class BranchConfig(Section):
    """Token modes from logits: the likely next tokens at places where kept solutions diverge."""

    enabled: bool = True
    """Whether ``run`` includes this stage."""

    problems: Positive = 64
    """Number of problems of the pool that are solved under two or more heuristics, evenly
    spaced."""
