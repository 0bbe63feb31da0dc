"""What fitting solutions does to a policy: gap and leak (proposition A2).

Symbols: n modes (heuristics in the training set of a problem), K heuristics in all, Z the logit gap
between those in the set and those outside it, t the cumulative step size of gradient flow.
Shapes: _P problems, _H heuristics, _T opening tokens.
"""

import math

from scipy.special import wrightomega

from manyways.theory import checks

LARGEST_START = 500.0
"""Beyond it e^Z leaves the range of floats."""


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
