"""How often a group of attempts can teach anything, and about what (propositions C1-C3).

A group of G attempts gives a gradient only if its rewards differ. ``manyways.metrics.signal_rate``
estimates C1 from counts (C4).
"""

import math

from numpy.typing import ArrayLike
from scipy.special import betaln
from scipy.stats import binom

from manyways.theory import checks
from manyways.theory.dynamics import improvement


def mixed_rate(p: float, group: int) -> float:
    """C1: ``1 - p^G - (1-p)^G``, the chance that G attempts have both rewards.

    Concave, symmetric about 1/2; 0 at p = 0, at p = 1 and for G = 1.

    Raises:
        ValueError: p outside [0, 1] or group < 1.
    """
    checks.share(p=p)
    checks.count(1, group=group)
    return 1 - p**group - (1 - p) ** group


def mixed_rate_bernoulli(rho: float, modes: int, group: int) -> float:
    """C2: mean of ``mixed_rate`` over problems where each of n equal modes solves it or never does.

    ``sum_b Bin(b; n, rho) sigma_G(b/n)``: 0 for one mode, rising with n to ``sigma_G(rho)``.

    Args:
        rho: share of problems that a mode solves, in [0, 1].
        modes: n >= 1.
        group: G >= 1.

    Raises:
        ValueError: out of range.
    """
    checks.share(rho=rho)
    checks.count(1, modes=modes, group=group)
    solved = range(modes + 1)
    return math.fsum(float(binom.pmf(b, modes, rho)) * mixed_rate(b / modes, group) for b in solved)


def mixed_rate_beta(a: float, b: float, group: int) -> float:
    """C2: mean of ``mixed_rate`` over problems for one mode with success ~ Beta(a, b).

    ``1 - B(a+G, b)/B(a, b) - B(a, b+G)/B(a, b)``.

    Raises:
        ValueError: a or b not positive, or group < 1.
    """
    checks.positive(a=a, b=b)
    checks.count(1, group=group)
    base = float(betaln(a, b))
    all_right = math.exp(float(betaln(a + group, b)) - base)
    return 1 - all_right - math.exp(float(betaln(a, b + group)) - base)


def mixed_rate_expansion(rho: float, modes: int, group: int, *, variance: float) -> float:
    """C2: mean of ``mixed_rate`` for many modes of independent strengths, up to O(1/n^2).

    ``sigma_G(rho) - G (G-1) [rho^{G-2} + (1-rho)^{G-2}] Var(s) / (2n)`` with rho = E s.

    Raises:
        ValueError: rho outside [0, 1], group < 2, modes < 1, variance outside [0, rho(1-rho)].
    """
    checks.share(rho=rho)
    checks.count(1, modes=modes)
    checks.count(2, group=group)
    if not 0 <= variance <= rho * (1 - rho) + 1e-12:
        raise ValueError(f"variance must be in [0, rho (1 - rho)], it is {variance}")
    bend = group * (group - 1) * (rho ** (group - 2) + (1 - rho) ** (group - 2))
    return mixed_rate(rho, group) - bend * variance / (2 * modes)


def selection_variance(policy_H: ArrayLike, success_H: ArrayLike) -> float:
    """C3: ``Var_pi(s)``, the part of p(1-p) that can teach which heuristic to choose.

    The rest, ``E_pi[s(1-s)]``, is noise within heuristics. 0 for a policy of one mode, however
    often its groups are mixed.

    Raises:
        ValueError: not a policy, or success outside [0, 1] or of another shape.
    """
    return improvement(policy_H, success_H, "natural")


def several_modes_rate(modes: int, group: int) -> float:
    """C3: ``1 - n^{1-G}``, the chance that a group holds at least two of n equal modes.

    Raises:
        ValueError: modes < 1 or group < 1.
    """
    checks.count(1, modes=modes, group=group)
    return 1 - float(modes) ** (1 - group)
