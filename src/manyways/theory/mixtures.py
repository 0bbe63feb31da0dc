"""What a fit leaves of several modes, and what they are worth (A2, E1-E3, G1, H1).

A fit (A2): n modes (heuristics in the training set of a problem) of K heuristics. Z is the logit
gap between those in the set and those outside it, t the cumulative step size of gradient flow.
Two classes of problems (E): only heuristic 1 solves a share 1-w (with probability a), only
heuristic 2 the share w (b). ``manyways.metrics.pass_at_k`` estimates pass@k from counts (E1).
A budget of M solutions (G, H) pays for n heuristics on each of q = M/n problems, which are drawn
uniformly from B types.
"""

import math

from scipy.optimize import brentq
from scipy.special import wrightomega

from manyways.theory import (
    require_count,
    require_not_negative,
    require_positive,
    require_share,
)


def pass_at(p: float, k: float) -> float:
    """E1: ``1 - (1-p)^k``, pass@k for a known success probability; k may be a fraction.

    Raises:
        ValueError: p outside [0, 1] or k negative.
    """
    require_share(p=p)
    require_not_negative(k=k)
    return float(1 - (1 - p) ** k)


def two_class_pass(k: float, minority: float, *, a: float, b: float, mass: float) -> float:
    """E3: pass@k over both classes, for a policy with ``mass`` on heuristic 1 at every problem.

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
    require_share(minority=minority, a=a, b=b, mass=mass)
    return (1 - minority) * pass_at(mass * a, k) + minority * pass_at((1 - mass) * b, k)


def crossover_k(minority: float, *, a: float, b: float) -> float:
    """E3: the only k > 1 at which two equal modes are level with one mode on heuristic 1.

    The root of ``w - w (1-b/2)^k - (1-w) (1-a/2)^k + (1-w) (1-a)^k``, to about 1e-12.

    Raises:
        ValueError: minority not in (0, 1), a or b not in (0, 1], or ``w b >= (1-w) a``: then the
            one mode does not lead at k = 1, and there is no crossover.
    """
    require_positive(minority=minority, a=a, b=b)
    require_share(minority=minority, a=a, b=b)
    if minority * b >= (1 - minority) * a:
        raise ValueError("minority * b must be below (1 - minority) * a for a crossover")

    def lead(k: float) -> float:
        two = two_class_pass(k, minority, a=a, b=b, mass=0.5)
        return two - two_class_pass(k, minority, a=a, b=b, mass=1.0)

    high = 2.0
    while lead(high) <= 0:
        high *= 2
    return float(brentq(lead, high / 2, high, xtol=1e-12))


def best_composed(modes: int, steps: int) -> float:
    """H1: ``(n/(n+1))^T``, the expected success if each of T steps takes the best heuristic.

    Raises:
        ValueError: modes < 1 or steps < 1.
    """
    require_count(1, modes=modes, steps=steps)
    return float((modes / (modes + 1)) ** steps)


def coverage(problems: float, types: int) -> float:
    """G1: ``u(q) = 1 - (1 - 1/B)^q``, the expected share of types among q problems.

    q may be a fraction (M/n); 0 gives 0.

    Raises:
        ValueError: problems negative or types < 2.
    """
    require_not_negative(problems=problems)
    require_count(2, types=types)
    return -math.expm1(problems * math.log1p(-1 / types))


def budget_value(modes: int, solutions: int, *, types: int, steps: int, untrained: float) -> float:
    """G1: ``W(n) = u(M/n) v(n) + (1 - u(M/n)) v_0`` with v(n) = ``best_composed(n, T)``.

    Args:
        modes: n >= 1, heuristics per problem.
        solutions: M >= n.
        types: B >= 2.
        steps: T >= 1.
        untrained: v_0 in [0, 1], success on types that training did not have.

    Raises:
        ValueError: out of range.
    """
    require_count(1, modes=modes, steps=steps)
    require_count(modes, solutions=solutions)
    require_share(untrained=untrained)
    met = coverage(solutions / modes, types)
    return met * best_composed(modes, steps) + (1 - met) * untrained


def best_modes(solutions: int, *, types: int, steps: int, untrained: float, largest: int) -> int:
    """G1: the n from 1 to ``largest`` with the highest ``budget_value``; in a tie the least one.

    Raises:
        ValueError: as ``budget_value``, or largest < 1 or above the budget.
    """
    require_count(1, largest=largest)
    return max(
        range(1, largest + 1),
        key=lambda n: budget_value(n, solutions, types=types, steps=steps, untrained=untrained),
    )


LARGEST_START = 500.0
"""For a larger Z, e^Z is outside the range of floats."""


def logit_gap(
    time: float, *, modes: int, heuristics: int, start: float = 0.0, visited: float = 1.0
) -> float:
    """A2: the gap Z after a fit for ``time``, of a softmax over K with n equal targets.

    The root of ``n e^Z + (K-n) Z = n e^{Z_0} + (K-n) Z_0 + K d t / n``, in closed form through
    the Wright omega function (omega + log omega = z), which neither overflows nor cancels.

    Args:
        time: cumulative step size, >= 0.
        modes: n, at least 1 and below K.
        heuristics: K.
        start: Z_0; 0 is a uniform policy.
        visited: d in (0, 1], how often the data visits this context.

    Raises:
        ValueError: out of range.
    """
    require_not_negative(time=time)
    if not abs(start) <= LARGEST_START:
        raise ValueError(f"start must be within {LARGEST_START} of 0, it is {start}")
    require_count(1, modes=modes)
    require_count(modes + 1, heuristics=heuristics)
    require_share(visited=visited)
    outside = heuristics - modes
    right = (modes * math.exp(start) + heuristics * visited * time / modes) / outside + start
    omega = float(wrightomega(right + math.log(modes / outside)))
    return math.log(omega) + math.log(outside / modes)


def outside_mass(gap: float, *, modes: int, heuristics: int) -> float:
    """A2: ``(K-n) / (n e^Z + K-n)``, the mass on heuristics outside the set.

    0 for n = K.

    Raises:
        ValueError: modes < 1, heuristics < modes, or the gap is not finite.
    """
    if not math.isfinite(gap):
        raise ValueError(f"gap must be finite, it is {gap}")
    require_count(1, modes=modes)
    require_count(modes, heuristics=heuristics)
    if gap >= 0:  # e^-Z instead of e^Z: no overflow for a long fit
        outside = (heuristics - modes) * math.exp(-gap)
        return outside / (modes + outside)
    return (heuristics - modes) / (modes * math.exp(gap) + heuristics - modes)


def leak_after(time: float, *, modes: int, heuristics: int) -> float:
    """A2: the chance to switch heuristic at a step, after a fit to solutions of one heuristic each.

    The choice to stay or switch has one target (n = 1 in ``logit_gap``), and one solution in n has
    its context, so d = 1/n. The result is about ``(K-1) n / (K t)`` for a long fit from a uniform
    policy.

    Raises:
        ValueError: time < 0, modes < 1, heuristics < max(2, modes).
    """
    require_count(1, modes=modes)
    require_count(max(2, modes), heuristics=heuristics)
    gap = logit_gap(time, modes=1, heuristics=heuristics, visited=1 / modes)
    return outside_mass(gap, modes=1, heuristics=heuristics)
