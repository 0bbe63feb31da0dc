"""What several modes are worth: pass@k of one and of two, and a budget over many (E1-E3, G1, H1).

Two classes of problems (E): a share 1-w is solved by heuristic 1 alone (with probability a), a
share w by heuristic 2 alone (b). ``manyways.metrics.pass_at_k`` estimates pass@k from counts (E1).
A budget of M solutions (G, H) is n heuristics on each of q = M/n problems. Problems are drawn
uniformly from B types.
Shapes: _H heuristics.
"""

import math

from scipy.optimize import brentq

from manyways.theory import checks

GRID = 1000


def pass_at(p: float, k: float) -> float:
    """E1: ``1 - (1-p)^k``, pass@k at a known success probability; k may be fractional.

    Raises:
        ValueError: p outside [0, 1] or k negative.
    """
    checks.share(p=p)
    checks.not_negative(k=k)
    return float(1 - (1 - p) ** k)


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


def best_composed(modes: int, steps: int) -> float:
    """H1: ``(n/(n+1))^T``, expected success of the best heuristic at each of T steps.

    Raises:
        ValueError: modes < 1 or steps < 1.
    """
    checks.count(1, modes=modes, steps=steps)
    return float((modes / (modes + 1)) ** steps)


def coverage(problems: float, types: int) -> float:
    """G1: ``u(q) = 1 - (1 - 1/B)^q``, the expected share of types among q problems.

    q may be fractional (M/n); 0 gives 0.

    Raises:
        ValueError: problems negative or types < 2.
    """
    checks.not_negative(problems=problems)
    checks.count(2, types=types)
    return -math.expm1(-_saturation(problems, types))


def budget_value(modes: int, solutions: int, *, types: int, steps: int, untrained: float) -> float:
    """G1: ``W(n) = u(M/n) v(n) + (1 - u(M/n)) v_0`` with v(n) = ``best_composed(n, T)``.

    Args:
        modes: n >= 1, heuristics per problem.
        solutions: M >= n.
        types: B >= 2.
        steps: T >= 1.
        untrained: v_0 in [0, 1], success on types that were not met.

    Raises:
        ValueError: out of range.
    """
    checks.count(1, modes=modes, steps=steps)
    checks.count(modes, solutions=solutions)
    checks.share(untrained=untrained)
    met = coverage(solutions / modes, types)
    return met * best_composed(modes, steps) + (1 - met) * untrained


def best_modes(solutions: int, *, types: int, steps: int, untrained: float, largest: int) -> int:
    """G1: the n from 1 to ``largest`` with the highest ``budget_value``; the least one in a tie.

    Raises:
        ValueError: as ``budget_value``, or largest < 1 or above the budget.
    """
    checks.count(1, largest=largest)
    return max(
        range(1, largest + 1),
        key=lambda n: budget_value(n, solutions, types=types, steps=steps, untrained=untrained),
    )


def _saturation(problems: float, types: int) -> float:
    return -problems * math.log1p(-1 / types)
