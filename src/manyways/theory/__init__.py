"""Closed forms of the model behind the method, as pure functions.

| module | propositions | what it answers |
|---|---|---|
| ``mixtures`` | A2, E1-E3, G1, H1 | what a fit leaves of several modes; what they are worth |
| ``dynamics`` | B1-B4, D1, D2, | how policy gradients move mass; GRPO; when RL composes more; |
| | M5, M6 | tests of this on measured rates |

docs/theory.md explains the model and its limits. It also states what no figure and no measured row
uses; that has no function here. Estimators from counts (C4, E1, M3, Wilson of M4) are in
``manyways.metrics``. Every function takes numbers or arrays, returns floats or arrays, and raises
ValueError outside its range. The functions ``require_*`` and ``as_*`` check the ranges.

Words: a mode is one of several heuristics that the policy takes with equal mass. A leak is the
chance to switch heuristic at a step. Success is the probability that an attempt is correct.

Shapes: _H heuristics.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
SUM_TOLERANCE = 1e-9


def require_share(**values: float) -> None:
    """Raise ValueError unless every value is in [0, 1]."""
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must be in [0, 1], it is {value}")


def require_positive(**values: float) -> None:
    """Raise ValueError unless every value is finite and above 0."""
    for name, value in values.items():
        if not 0 < value < math.inf:
            raise ValueError(f"{name} must be positive and finite, it is {value}")


def require_not_negative(**values: float) -> None:
    """Raise ValueError unless every value is finite and at least 0."""
    for name, value in values.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} must be finite and not negative, it is {value}")


def require_count(least: int, **values: int) -> None:
    """Raise ValueError unless every value is a whole number of at least ``least``."""
    for name, value in values.items():
        if value < least or value != int(value):
            raise ValueError(f"{name} must be a whole number of at least {least}, it is {value}")


def as_policy(masses_H: ArrayLike) -> Floats:
    """A probability distribution as floats of any shape.

    Raises:
        ValueError: no mass, a mass that is negative or not finite, or a sum that is not 1.
    """
    pi = np.asarray(masses_H, dtype=float)
    if not pi.size or not np.isfinite(pi).all() or (pi < 0).any():
        raise ValueError("a policy needs masses that are finite and not negative")
    if abs(float(pi.sum()) - 1) > SUM_TOLERANCE:
        raise ValueError(f"the masses of a policy must sum to 1, they sum to {float(pi.sum())}")
    return pi


def as_successes(values_H: ArrayLike, like: Floats | None = None) -> Floats:
    """Success probabilities as floats; with ``like`` they must have its shape.

    Raises:
        ValueError: no value, a value outside [0, 1], or another shape.
    """
    s = np.asarray(values_H, dtype=float)
    if not s.size or not ((s >= 0) & (s <= 1)).all():
        raise ValueError("success probabilities must be in [0, 1]")
    if like is not None and s.shape != like.shape:
        raise ValueError(f"success has shape {s.shape}, the policy has shape {like.shape}")
    return s
