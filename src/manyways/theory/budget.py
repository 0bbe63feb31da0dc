"""Many heuristics on few problems or one on many, at equal cost (propositions G1, H1).

A budget of M solutions is n heuristics on each of q = M/n problems. Problems are drawn uniformly
from B types.
"""

import math

from manyways.theory import checks


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
