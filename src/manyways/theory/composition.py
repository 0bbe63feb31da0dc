"""Whole trajectories, and when RL raises the share of composed ones (propositions D1, D2).

A trajectory takes one of H heuristics at each of T steps and succeeds if every step does. It is
pure if all its heuristics agree, else composed. A "tree" is an array with one axis per step:
``tree[i, j]`` belongs to heuristic i at step 1, then j at step 2. Under the natural gradient a tree
of masses moves as ``dynamics.natural_flow(tree, tree_success(...), time)`` (D1).
Shapes: _TH steps by heuristics.
"""

from functools import reduce

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manyways.theory import checks
from manyways.theory.checks import Floats
from manyways.theory.dynamics import natural_flow

LARGEST_TREE = 1 << 20


def tree_success(success_TH: ArrayLike) -> Floats:
    """``R_a = prod_t s_{t, a_t}``, the success of every trajectory, one axis per step.

    Raises:
        ValueError: not (T, H), outside [0, 1], or more than 2^20 trajectories.
    """
    s = checks.successes(success_TH)
    if s.ndim != 2:
        raise ValueError(f"success must be steps by heuristics, its shape is {s.shape}")
    _affordable(s.shape[1], s.shape[0])
    tree: Floats = reduce(np.multiply.outer, list(s))
    return tree


def composed_rate(tree: ArrayLike) -> float:
    """C: the mass of the composed trajectories of a tree.

    Raises:
        ValueError: not a distribution, or axes of different lengths.
    """
    pi = checks.policy(tree)
    return float(pi[_composed(pi)].sum())


def two_by_two_rate(
    time: float, success_TH: ArrayLike, *, leaks: tuple[float, float], first_mass: float = 0.5
) -> float:
    """D2 (iii): C after natural gradient for ``time``, two steps and heuristics A, B.

    Weights ``m (1-e_A) e^{t s_1A s_2A}``, ``m e_A e^{t s_1A s_2B}``, ``(1-m) e_B e^{t s_1B s_2A}``,
    ``(1-m)(1-e_B) e^{t s_1B s_2B}``, normalised.

    Args:
        time: >= 0.
        success_TH: ((s_1A, s_1B), (s_2A, s_2B)).
        leaks: (e_A, e_B), the chance to switch after A and after B.
        first_mass: m, the mass on A at step 1.

    Raises:
        ValueError: success is not 2 x 2, values outside [0, 1], time negative.
    """
    s = _two_by_two(success_TH)
    checks.share(leak_A=leaks[0], leak_B=leaks[1], first_mass=first_mass)
    move = np.array([[1 - leaks[0], leaks[0]], [leaks[1], 1 - leaks[1]]])
    start = np.array([[first_mass], [1 - first_mass]]) * move
    return composed_rate(natural_flow(start, tree_success(s), time))


def _two_by_two(success_TH: ArrayLike) -> Floats:
    s = checks.successes(success_TH)
    if s.shape != (2, 2):
        raise ValueError(f"success must be ((s_1A, s_1B), (s_2A, s_2B)), its shape is {s.shape}")
    return s


def _composed(tree: Floats) -> NDArray[np.bool_]:
    if len(set(tree.shape)) != 1:
        raise ValueError(f"every step must have the same heuristics, the shape is {tree.shape}")
    taken = np.indices(tree.shape)
    mask: NDArray[np.bool_] = (taken != taken[0]).any(axis=0)
    return mask


def _affordable(heuristics: int, steps: int) -> None:
    if heuristics**steps > LARGEST_TREE:
        raise ValueError(f"{heuristics}^{steps} trajectories are too many to list")
