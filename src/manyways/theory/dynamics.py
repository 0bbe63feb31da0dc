"""How policy gradients move mass between heuristics (propositions B1, B2).

One decision: softmax over heuristics with success probabilities s_j; J = sum pi_j s_j,
A_j = s_j - J. "Natural" is d theta/dt = F^+ grad J, "vanilla" is d theta/dt = grad J, and time is
the cumulative step size.
Shapes: _H heuristics, _N times.
"""

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import softmax

from manyways.theory import checks
from manyways.theory.checks import Floats

Rule = Literal["natural", "vanilla"]


def natural_flow(start_H: ArrayLike, success_H: ArrayLike, time: float) -> Floats:
    """B1: ``pi_j(t) ~ pi_j(0) e^{s_j t}``, the natural policy gradient after ``time``.

    Any shape is taken: over whole trajectories this is D1, which is also the maximiser of
    ``E R - KL(pi || pi_0) / t``, so a KL coefficient beta stands for time 1/beta.

    Raises:
        ValueError: as ``expected_success``; time negative or not finite.
    """
    checks.not_negative(time=time)
    pi = checks.policy(start_H)
    with np.errstate(divide="ignore"):
        logits = np.log(pi) + time * checks.successes(success_H, pi)
    result: Floats = softmax(logits)
    return result


def escape_time(mass: float, gap: float, rule: Rule) -> float:
    """B2: time for the better of two heuristics to go from ``mass`` to 1/2.

    natural ``log((1-m)/m) / gap``; vanilla
    ``[(1-2m)/(m(1-m)) + 2 log((1-m)/m)] / (2 gap)``, about ``1/(2 m gap)`` for small m.

    Args:
        mass: starting mass m in (0, 1/2]; 1/2 takes no time.
        gap: how much more often the better one succeeds, in (0, 1].
        rule: which gradient.

    Raises:
        ValueError: out of range.
    """
    checks.positive(mass=mass, gap=gap)
    checks.share(gap=gap)
    if mass > 0.5:
        raise ValueError(f"mass must be at most 1/2, where the time ends, it is {mass}")
    logit = math.log((1 - mass) / mass)
    if _is_natural(rule):
        return logit / gap
    return ((1 - 2 * mass) / (mass * (1 - mass)) + 2 * logit) / (2 * gap)


def _is_natural(rule: Rule) -> bool:
    if rule not in ("natural", "vanilla"):
        raise ValueError(f"rule must be natural or vanilla, it is {rule}")
    return rule == "natural"
