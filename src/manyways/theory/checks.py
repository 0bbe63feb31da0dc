"""Ranges of arguments, checked in one place so that every formula refuses alike.

Shapes: _H heuristics.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
SUM_TOLERANCE = 1e-9


def share(**values: float) -> None:
    """Raise ValueError unless every value is in [0, 1]."""
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must be in [0, 1], it is {value}")


def open_share(**values: float) -> None:
    """Raise ValueError unless every value is in (0, 1), ends excluded."""
    for name, value in values.items():
        if not 0 < value < 1:
            raise ValueError(f"{name} must be strictly between 0 and 1, it is {value}")


def positive(**values: float) -> None:
    """Raise ValueError unless every value is finite and above 0."""
    for name, value in values.items():
        if not 0 < value < math.inf:
            raise ValueError(f"{name} must be positive and finite, it is {value}")


def not_negative(**values: float) -> None:
    """Raise ValueError unless every value is finite and at least 0."""
    for name, value in values.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} must be finite and not negative, it is {value}")


def finite(**values: float) -> None:
    """Raise ValueError unless every value is finite."""
    for name, value in values.items():
        if not math.isfinite(value):
            raise ValueError(f"{name} must be finite, it is {value}")


def count(least: int, **values: int) -> None:
    """Raise ValueError unless every value is a whole number of at least ``least``."""
    for name, value in values.items():
        if value < least or value != int(value):
            raise ValueError(f"{name} must be a whole number of at least {least}, it is {value}")


def policy(masses_H: ArrayLike) -> Floats:
    """A probability distribution as floats of any shape.

    Raises:
        ValueError: empty, a negative or non-finite mass, or a sum that is not 1.
    """
    pi = np.asarray(masses_H, dtype=float)
    if not pi.size or not np.isfinite(pi).all() or (pi < 0).any():
        raise ValueError("a policy needs masses that are finite and not negative")
    if abs(float(pi.sum()) - 1) > SUM_TOLERANCE:
        raise ValueError(f"the masses of a policy must sum to 1, they sum to {float(pi.sum())}")
    return pi


def successes(values_H: ArrayLike, like: Floats | None = None) -> Floats:
    """Success probabilities as floats, of the shape of ``like`` if it is given.

    Raises:
        ValueError: empty, a value outside [0, 1], or another shape.
    """
    s = np.asarray(values_H, dtype=float)
    if not s.size or not ((s >= 0) & (s <= 1)).all():
        raise ValueError("success probabilities must be in [0, 1]")
    if like is not None and s.shape != like.shape:
        raise ValueError(f"success has shape {s.shape}, the policy has shape {like.shape}")
    return s
