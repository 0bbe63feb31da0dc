"""What fitting solutions does to a policy: modes, gap and leak (propositions A1-A4).

Symbols: n modes (heuristics in the training set of a problem), K heuristics in all, Z the logit gap
between those in the set and those outside it, t the cumulative step size of gradient flow.
Shapes: _P problems, _H heuristics, _T opening tokens.
"""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import wrightomega, xlogy

from manyways.theory import checks
from manyways.theory.checks import Floats

LARGEST_START = 500.0
"""Beyond it e^Z leaves the range of floats."""


def entropy(policy_H: ArrayLike) -> float:
    """Shannon entropy ``-sum p log p`` of exact masses in nats; a mass of 0 adds 0.

    (``manyways.metrics.entropy`` estimates it from counts.)

    Raises:
        ValueError: not a probability distribution.
    """
    pi = checks.policy(policy_H)
    return max(0.0, -float(xlogy(pi, pi).sum()))


def equal_modes_entropy(modes: int) -> float:
    """A1: ``log n``, the entropy in nats that fitting n equally frequent heuristics leads to.

    Raises:
        ValueError: modes < 1.
    """
    checks.count(1, modes=modes)
    return math.log(modes)


def cross_entropy(data_H: ArrayLike, policy_H: ArrayLike) -> float:
    """A1: the loss ``-sum p_i log pi_i = H(p) + KL(p || pi)`` in nats; least, H(p), at pi = p only.

    Infinite where the policy gives mass 0 to something in the data.

    Raises:
        ValueError: not probability distributions of one shape.
    """
    p, pi = checks.policy(data_H), checks.policy(policy_H)
    if p.shape != pi.shape:
        raise ValueError(f"data has shape {p.shape}, the policy has shape {pi.shape}")
    if (pi[p > 0] == 0).any():
        return math.inf
    return -float((p[p > 0] * np.log(pi[p > 0])).sum())


def logit_gap(
    time: float, *, modes: int, heuristics: int, start: float = 0.0, visited: float = 1.0
) -> float:
    """A2: the gap Z after fitting for ``time``, from a softmax over K with n equal targets.

    The root of ``n e^Z + (K-n) Z = n e^{Z_0} + (K-n) Z_0 + K d t / n``, in closed form through
    the Wright omega function (omega + log omega = z), which neither overflows nor cancels.

    Args:
        time: cumulative step size, >= 0.
        modes: n, at least 1 and below K (with n = K there is nothing outside the set).
        heuristics: K.
        start: Z_0; 0 is a uniform policy.
        visited: d in (0, 1], how often the data visits this context.

    Raises:
        ValueError: an argument is out of its range.
    """
    checks.not_negative(time=time)
    if not abs(start) <= LARGEST_START:
        raise ValueError(f"start must be within {LARGEST_START} of 0, it is {start}")
    checks.count(1, modes=modes)
    checks.count(modes + 1, heuristics=heuristics)
    checks.share(visited=visited)
    outside = heuristics - modes
    right = (modes * math.exp(start) + heuristics * visited * time / modes) / outside + start
    omega = float(wrightomega(right + math.log(modes / outside)))
    return math.log(omega) + math.log(outside / modes)


def outside_mass(gap: float, *, modes: int, heuristics: int) -> float:
    """A2: ``(K-n) / (n e^Z + K-n)``, the mass that is left on heuristics outside the set.

    0 for n = K.

    Raises:
        ValueError: modes < 1, heuristics < modes, or the gap is not finite.
    """
    checks.finite(gap=gap)
    checks.count(1, modes=modes)
    checks.count(modes, heuristics=heuristics)
    outside = (heuristics - modes) * math.exp(-abs(gap))
    # e^-|Z| instead of e^Z: no overflow for a long fit.
    if gap >= 0:
        return outside / (modes + outside)
    return (heuristics - modes) / (modes * math.exp(gap) + heuristics - modes)


def leak_after(time: float, *, modes: int, heuristics: int) -> float:
    """A2: the chance to switch heuristic at a step, after fitting solutions of one heuristic each.

    The stay-or-switch decision has one target (n = 1 in ``logit_gap``) and its context is met by
    one solution in n, so d = 1/n: ``~ (K-1) n / (K t)`` for long fits. From a uniform policy.

    Raises:
        ValueError: time < 0, modes < 1, heuristics < max(2, modes).
    """
    checks.count(1, modes=modes)
    checks.count(max(2, modes), heuristics=heuristics)
    gap = logit_gap(time, modes=1, heuristics=heuristics, visited=1 / modes)
    return outside_mass(gap, modes=1, heuristics=heuristics)


def token_entropy(policy_H: ArrayLike, opening_HT: ArrayLike) -> float:
    """A3: entropy in nats of the opening token when heuristic h opens with token t.

    ``H(token) = H(heuristic) + H(token | heuristic) - H(heuristic | token)``: four heuristics that
    share two opening tokens show two token modes.

    Args:
        policy_H: mass of each heuristic, (H,).
        opening_HT: chance of each opening token given the heuristic, rows sum to 1, (H, T).

    Raises:
        ValueError: not distributions, or shapes that do not fit.
    """
    pi, opening = checks.policy(policy_H), np.asarray(opening_HT, dtype=float)
    if opening.ndim != 2 or len(opening) != len(pi):
        raise ValueError(f"opening must have one row per heuristic, its shape is {opening.shape}")
    for row in opening:
        checks.policy(row)
    return entropy(pi @ opening)


def pooled_target(data_PH: ArrayLike) -> Floats:
    """A4: the optimum when one logit vector serves every problem, the mean of the rows, (H,).

    So n heuristics on each problem and one balanced random heuristic on each problem lead to the
    same policy, and one favourite heuristic to a policy of one mode.

    Raises:
        ValueError: a row is not a probability distribution.
    """
    data = np.atleast_2d(np.asarray(data_PH, dtype=float))
    mean: Floats = np.mean([checks.policy(row) for row in data], axis=0)
    return mean
