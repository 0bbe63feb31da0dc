"""Policies over whole trajectories and how composed they are (propositions D1, D2).

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

LARGEST_TREE = 1 << 20


def sticky_rate(leak: float, steps: int) -> float:
    """``1 - (1-leak)^{T-1}``, composition rate when each boundary switches with chance ``leak``.

    Raises:
        ValueError: leak outside [0, 1] or steps < 1.
    """
    checks.share(leak=leak)
    checks.count(1, steps=steps)
    return 1 - (1 - leak) ** (steps - 1)


def leak_of_rate(rate: float, steps: float) -> float:
    """``1 - (1-C)^{1/(T-1)}``, the leak behind a composition rate; steps may be a mean length.

    Raises:
        ValueError: rate outside [0, 1] or steps <= 1.
    """
    checks.share(rate=rate)
    checks.positive(**{"steps - 1": steps - 1})
    return float(1 - (1 - rate) ** (1 / (steps - 1)))


def sticky_tree(modes: int, steps: int, leak: float) -> Floats:
    """Masses of a policy that starts on n equal modes and switches with chance ``leak``.

    A switch goes to each of the other n-1 modes alike.

    Raises:
        ValueError: modes < 2, steps < 1, leak outside [0, 1], or more than 2^20 trajectories.
    """
    checks.count(2, modes=modes)
    checks.count(1, steps=steps)
    checks.share(leak=leak)
    _affordable(modes, steps)
    move = np.full((modes, modes), leak / (modes - 1))
    np.fill_diagonal(move, 1 - leak)
    tree = np.full(modes, 1 / modes)
    for _ in range(steps - 1):
        tree = tree[..., None] * move
    return tree


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


def composed_speed(tree: ArrayLike, success: ArrayLike) -> float:
    """D2: ``dC/dt = C(1-C)(R_composed - R_pure) = Cov_pi(1[composed], R)``.

    Natural gradient, any number of steps, any start. Composition rises if composed attempts
    succeed more often than pure ones.

    Args:
        tree: masses of the trajectories.
        success: R of each, of the same shape (``tree_success``).

    Raises:
        ValueError: not a distribution, success outside [0, 1], or shapes that differ.
    """
    pi = checks.policy(tree)
    reward = checks.successes(success, pi)
    composed = _composed(pi)
    joint = float((pi * reward)[composed].sum())
    return joint - float(pi[composed].sum()) * float((pi * reward).sum())


def _composed(tree: Floats) -> NDArray[np.bool_]:
    if len(set(tree.shape)) != 1:
        raise ValueError(f"every step must have the same heuristics, the shape is {tree.shape}")
    taken = np.indices(tree.shape)
    mask: NDArray[np.bool_] = (taken != taken[0]).any(axis=0)
    return mask


def _affordable(heuristics: int, steps: int) -> None:
    if heuristics**steps > LARGEST_TREE:
        raise ValueError(f"{heuristics}^{steps} trajectories are too many to list")
