"""pass@k of one mode and of mixtures, and what RL does to them (propositions E2-E6).

Two classes of problems: a share 1-w is solved by heuristic 1 alone (with probability a), a share w
by heuristic 2 alone (b). ``manyways.metrics.pass_at_k`` estimates pass@k from counts (E1).
Shapes: _H heuristics.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from manyways.theory import checks
from manyways.theory.grpo import clock

GRID = 1000


def pass_at(p: float, k: float) -> float:
    """E1: ``1 - (1-p)^k``, pass@k at a known success probability; k may be fractional.

    Raises:
        ValueError: p outside [0, 1] or k negative.
    """
    checks.share(p=p)
    checks.not_negative(k=k)
    return float(1 - (1 - p) ** k)


def mixture_pass(policy_H: ArrayLike, success_H: ArrayLike, k: float) -> tuple[float, float]:
    """E2: pass@k of a mixture of modes, and the mean of pass@k over its single modes.

    The first is never below the second, and equal to it at k = 1 (concavity of pass@k in p).

    Raises:
        ValueError: not a policy, success outside [0, 1] or of another shape, k < 1.
    """
    pi = checks.policy(policy_H)
    s = checks.successes(success_H, pi)
    checks.not_negative(**{"k - 1": k - 1})
    p = min(1.0, float((pi * s).sum()))
    return pass_at(p, k), float((pi * (1 - (1 - s) ** k)).sum())


def one_each_pass(success_H: ArrayLike) -> tuple[float, float]:
    """E4: one attempt per heuristic against as many attempts of their even mixture.

    ``1 - prod(1 - s_j) >= 1 - (1 - mean s)^n``, equal iff all strengths are.

    Raises:
        ValueError: success outside [0, 1] or none.
    """
    s = checks.successes(success_H)
    return float(1 - np.prod(1 - s)), pass_at(float(s.mean()), s.size)


def two_class_pass(k: float, minority: float, *, a: float, b: float, mass: float) -> float:
    """E3: pass@k over both classes of a policy with ``mass`` on heuristic 1 everywhere.

    ``(1-w) [1 - (1 - m a)^k] + w [1 - (1 - (1-m) b)^k]``; mass 1 is one mode, 1/2 two equal ones.

    Args:
        k: attempts per problem.
        minority: w, the share of problems that only heuristic 2 solves.
        a: success of heuristic 1 on its class.
        b: success of heuristic 2 on its class.
        mass: m.

    Raises:
        ValueError: a share outside [0, 1] or k negative.
    """
    checks.share(minority=minority, a=a, b=b, mass=mass)
    return (1 - minority) * pass_at(mass * a, k) + minority * pass_at((1 - mass) * b, k)


def crossover_k(minority: float, *, a: float, b: float) -> float:
    """E3: the only k > 1 at which two equal modes catch up with the one mode on heuristic 1.

    The root of ``w - w (1-b/2)^k - (1-w) (1-a/2)^k + (1-w) (1-a)^k``, to about 1e-12.

    Raises:
        ValueError: minority, a or b not in (0, 1] (minority below 1), or ``w b >= (1-w) a``: then
            the one mode does not lead at k = 1 and there is no crossing.
    """
    checks.open_share(minority=minority)
    checks.positive(a=a, b=b)
    checks.share(a=a, b=b)
    if minority * b >= (1 - minority) * a:
        raise ValueError("minority * b must be below (1 - minority) * a for a crossover")

    def lead(k: float) -> float:
        two = two_class_pass(k, minority, a=a, b=b, mass=0.5)
        return two - two_class_pass(k, minority, a=a, b=b, mass=1.0)

    high = 2.0
    while lead(high) <= 0:
        high *= 2
    return float(brentq(lead, high / 2, high, xtol=1e-12))


def pooled_success(minority: float, *, a: float, b: float) -> tuple[float, float]:
    """E5: ``((1-w) a, w b)``, success of each heuristic when one logit serves all problems.

    As a bandit (``dynamics.natural_flow``) it goes to the majority's heuristic: pass@1 rises and
    pass@k at large k falls to 1-w.

    Raises:
        ValueError: a share outside [0, 1].
    """
    checks.share(minority=minority, a=a, b=b)
    return (1 - minority) * a, minority * b


def vertex_pushes(minority: float, *, a: float, b: float, group: int) -> tuple[float, float]:
    """E6: the two pushes on a policy that has all but collapsed on heuristic 1, under GRPO.

    ``(1-w) a c_G(a)`` towards heuristic 1 against ``w b sqrt(G-1)`` away from it. The collapse
    attracts iff the first is larger; large groups keep the minority's mode. Local statement.

    Raises:
        ValueError: a share outside [0, 1] or group < 2.
    """
    checks.share(minority=minority, a=a, b=b)
    return (1 - minority) * a * clock(a, group), minority * b * clock(0.0, group)


def resting_minority(minority: float, *, a: float, b: float, group: int) -> float:
    """E6: mass that heuristic 2 keeps when GRPO starts from a collapse on heuristic 1.

    The least root x of ``(1-w) a c_G((1-x) a) = w b c_G(x b)``, found on a grid of 1000 masses;
    0 where the collapse attracts, 1 where heuristic 2 takes over.

    Raises:
        ValueError: as ``vertex_pushes``.
    """
    towards, away = vertex_pushes(minority, a=a, b=b, group=group)
    if towards >= away:
        return 0.0

    def balance(x: float) -> float:
        kept = (1 - minority) * a * clock((1 - x) * a, group)
        return kept - minority * b * clock(x * b, group)

    before = 0.0
    for x in np.linspace(0.0, 1.0, GRID + 1)[1:]:
        if balance(float(x)) >= 0:
            return float(brentq(balance, before, float(x)))
        before = float(x)
    return 1.0
