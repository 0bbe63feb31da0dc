"""What training on wrong solutions costs (propositions F1, F2; F4 with large_n).

A share w of the modes is wrong: success 0; the others succeed with probability s.
"""

import math

from manyways.theory import checks
from manyways.theory.large_n import best_composed


def initial_success(wrong: float, success: float, steps: int = 1) -> float:
    """F1: ``((1-w) s)^T``, success before RL when each of T steps is drawn from the modes.

    Raises:
        ValueError: a share outside [0, 1] or steps < 1.
    """
    checks.share(wrong=wrong, success=success)
    checks.count(1, steps=steps)
    return float(((1 - wrong) * success) ** steps)


def unlearning_time(wrong: float, success: float, *, remaining: float) -> float:
    """F1: ``log(w (1-eta) / ((1-w) eta)) / s``, natural-gradient time until wrong mass is eta.

    Wrong data costs this time, not the limit. 0 if the mass is that low already.

    Args:
        wrong: w in [0, 1); all modes wrong are never unlearned.
        success: s in (0, 1].
        remaining: eta in (0, 1).

    Raises:
        ValueError: out of range.
    """
    checks.share(wrong=wrong, success=success)
    checks.positive(success=success)
    checks.open_share(remaining=remaining)
    if wrong == 1:
        raise ValueError("wrong must be below 1: without a right mode nothing is unlearned")
    if wrong <= remaining:
        return 0.0
    return math.log(wrong * (1 - remaining) / ((1 - wrong) * remaining)) / success


def raises_signal(p: float, wrong: float) -> bool:
    """F2: whether contamination makes mixed groups more frequent, iff p > 1/2 and w < 2 - 1/p.

    So a higher rate of mixed groups is no sign of better data. The boundary and w = 0, where the
    rates are equal, count as no.

    Args:
        p: success of the clean data, in [0, 1].
        wrong: w; contaminated success is (1-w) p.

    Raises:
        ValueError: a share outside [0, 1].
    """
    checks.share(p=p, wrong=wrong)
    return p > 0.5 and 0 < wrong < 2 - 1 / p


def best_composed_of_right(modes: int, wrong: int, steps: int) -> float:
    """F4: ``(c/(c+1))^T`` with c = n - wrong, what wrong modes leave of the coverage (H1).

    Expected success of the best composition of the right modes, strengths uniform on (0, 1); 0 if
    no mode is right.

    Raises:
        ValueError: wrong not in 0..modes, modes < 1, steps < 1.
    """
    checks.count(1, modes=modes, steps=steps)
    checks.count(0, wrong=wrong)
    if wrong > modes:
        raise ValueError(f"wrong must be at most modes, {modes}, it is {wrong}")
    return 0.0 if wrong == modes else best_composed(modes - wrong, steps)
