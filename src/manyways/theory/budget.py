"""Many heuristics on few problems or one on many, at equal cost (propositions G1, G2).

A budget of M solutions is n heuristics on each of q = M/n problems. Problems are drawn uniformly
from B types.
"""

import math

from manyways.theory import checks
from manyways.theory.large_n import best_composed


def coverage(problems: float, types: int) -> float:
    """G1: ``u(q) = 1 - (1 - 1/B)^q``, the expected share of types among q problems.

    q may be fractional (M/n); 0 gives 0.

    Raises:
        ValueError: problems negative or types < 2.
    """
    checks.not_negative(problems=problems)
    checks.count(2, types=types)
    return -math.expm1(-_saturation(problems, types))


def coverage_elasticity(problems: float, types: int) -> float:
    """G1: ``E_u = y / (e^y - 1)``, y = -q log(1 - 1/B): d log u / d log q.

    Near 1 for q far below B (spend on problems), near 0 far above (spend on heuristics). More
    heuristics help at n iff ``d log(v - v_0) / d log n > E_u(M/n)``. 1 for q = 0.

    Raises:
        ValueError: problems negative or types < 2.
    """
    checks.not_negative(problems=problems)
    checks.count(2, types=types)
    y = _saturation(problems, types)
    # y e^-y / (1 - e^-y): no overflow for many problems.
    return 1.0 if y == 0 else y * math.exp(-y) / -math.expm1(-y)


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


def many_pay(
    value_many: float, value_one: float, *, modes: int, solutions: int, types: int, untrained: float
) -> bool:
    """G1, discrete: whether n heuristics on M/n problems beat one on M.

    ``(v(n) - v_0) / (v(1) - v_0) > u(M) / u(M/n)``.

    Args:
        value_many: v(n), success on trained types with n heuristics.
        value_one: v(1), above ``untrained``.
        modes: n.
        solutions: M >= n.
        types: B.
        untrained: v_0.

    Raises:
        ValueError: out of range.
    """
    checks.share(value_many=value_many, value_one=value_one, untrained=untrained)
    checks.count(1, modes=modes)
    checks.count(modes, solutions=solutions)
    if value_one <= untrained:
        raise ValueError("value_one must exceed untrained: one heuristic has to teach something")
    gain = (value_many - untrained) / (value_one - untrained)
    return gain > coverage(solutions, types) / coverage(solutions / modes, types)


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


def missed_self_chosen(frequency: float, solutions: int, types: int) -> float:
    """G2: ``(1 - q_k/B)^M``, the chance that a (type, heuristic) cell is empty.

    One solution per problem, by whichever heuristic the model takes: ``frequency`` is q_k.

    Raises:
        ValueError: frequency outside [0, 1], solutions < 0, types < 2.
    """
    checks.share(frequency=frequency)
    checks.count(0, solutions=solutions)
    checks.count(2, types=types)
    return float((1 - frequency / types) ** solutions)


def missed_forced(modes: int, solutions: int, types: int) -> float:
    """G2: ``(1 - 1/B)^{M/n}``, the same chance with all n heuristics on M/n problems.

    Raises:
        ValueError: modes < 1, solutions < 0, types < 2.
    """
    checks.count(1, modes=modes)
    checks.count(0, solutions=solutions)
    return 1 - coverage(solutions / modes, types)


def frequency_threshold(modes: int, types: int) -> float:
    """G2: ``q* = B (1 - (1 - 1/B)^{1/n})``, slightly above 1/n (1 for n = 1).

    Forced diversity covers a heuristic better iff its natural frequency is below q*.

    Raises:
        ValueError: modes < 1 or types < 2.
    """
    checks.count(1, modes=modes)
    return types * coverage(1 / modes, types)


def _saturation(problems: float, types: int) -> float:
    return -problems * math.log1p(-1 / types)
