"""When RL raises the share of composed solutions (propositions D2, D3).

Closed forms for two steps; ``trajectories`` has the definitions and any number of steps.
Shapes: _H heuristics, _TH steps by heuristics.
"""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import expit, logit

from manyways.theory import checks
from manyways.theory.checks import Floats
from manyways.theory.dynamics import natural_flow
from manyways.theory.trajectories import composed_rate, tree_success


def initial_drift(first_H: ArrayLike, second_H: ArrayLike, leak: float) -> float:
    """D2 (i): dC/dt at the start for two steps and n equal modes.

    ``-leak (1-leak) (n/(n-1)) Cov_i(s_1i, s_2i)`` (population covariance): composition rises iff
    the strengths at the two steps are negatively correlated.

    Args:
        first_H: success probability of each heuristic at step 1.
        second_H: the same at step 2.
        leak: chance to switch in between.

    Raises:
        ValueError: fewer than two heuristics, shapes that differ, values outside [0, 1].
    """
    s1 = checks.successes(first_H)
    s2 = checks.successes(second_H, s1)
    checks.share(leak=leak)
    checks.count(2, heuristics=s1.size)
    covariance = float((s1 * s2).mean() - s1.mean() * s2.mean())
    return -leak * (1 - leak) * s1.size / (s1.size - 1) * covariance


def initial_drift_two(success_TH: ArrayLike, leak: float, *, first_mass: float) -> float:
    """D2 (ii): dC/dt at the start for two steps and heuristics A, B with mass m on A at step 1.

    ``leak (1-leak) (s_2B - s_2A) (m s_1A - (1-m) s_1B)``: near m = 1 positive iff B is better at
    step 2, so a policy of one mode has the same incentive if it has the leak.

    Raises:
        ValueError: success is not 2 x 2, or values outside [0, 1].
    """
    s = _two_by_two(success_TH)
    checks.share(leak=leak, first_mass=first_mass)
    start = first_mass * s[0, 0] - (1 - first_mass) * s[0, 1]
    return float(leak * (1 - leak) * (s[1, 1] - s[1, 0]) * start)


def two_by_two_rate(
    time: float, success_TH: ArrayLike, *, leaks: tuple[float, float], first_mass: float = 0.5
) -> float:
    """D2 (iii): C after natural gradient for ``time``, two steps and heuristics A, B.

    Weights ``m (1-e_A) e^{t s_1A s_2A}``, ``m e_A e^{t s_1A s_2B}``, ``(1-m) e_B e^{t s_1B s_2A}``,
    ``(1-m)(1-e_B) e^{t s_1B s_2B}``, normalised.

    Args:
        time: >= 0.
        success_TH: ((s_1A, s_1B), (s_2A, s_2B)).
        leaks: (e_A, e_B), the chance to switch after A and after B.
        first_mass: m, the mass on A at step 1.

    Raises:
        ValueError: success is not 2 x 2, values outside [0, 1], time negative.
    """
    s = _two_by_two(success_TH)
    checks.share(leak_A=leaks[0], leak_B=leaks[1], first_mass=first_mass)
    move = np.array([[1 - leaks[0], leaks[0]], [leaks[1], 1 - leaks[1]]])
    start = np.array([[first_mass], [1 - first_mass]]) * move
    return composed_rate(natural_flow(start, tree_success(s), time))


def complementary_rate(time: float, leak: float, *, high: float, low: float) -> float:
    """D2 (iii): C for two equal modes, each ``high`` at one step and ``low`` at the other.

    ``C/(1-C) = (e/(1-e)) [e^{h(h-l)t} + e^{-l(h-l)t}] / 2``, rising for all t >= 0.

    Raises:
        ValueError: leak not in (0, 1), not 0 <= low < high <= 1, time negative.
    """
    checks.not_negative(time=time)
    _complementary(leak, high, low)
    return float(expit(_log_odds(time, leak, high, low)))


def complementary_time(target: float, leak: float, *, high: float, low: float) -> float:
    """D2 (iii): time after which ``complementary_rate`` reaches ``target``.

    Raises:
        ValueError: as ``complementary_rate``, or target not in [leak, 1).
    """
    _complementary(leak, high, low)
    checks.open_share(target=target)
    if target < leak:
        raise ValueError(f"target {target} is below the rate at the start, {leak}")
    wanted = float(logit(target))
    longest = (wanted - float(logit(leak)) + 1) / (high * (high - low))
    if target == leak:
        return 0.0
    # e^{h(h-l)t}/2 alone passes the target here (1 > log 2), so the root is bracketed.
    return float(brentq(lambda t: _log_odds(t, leak, high, low) - wanted, 0.0, longest, xtol=1e-12))


def rate_after_selection(leak: float, *, high: float, low: float) -> float:
    """D2 (iv): C after one round of fitting only correct attempts, pi' ~ pi R.

    ``e (h^2+l^2) / (e (h^2+l^2) + (1-e) 2 h l)``, for the modes of ``complementary_rate``.

    Raises:
        ValueError: leak not in (0, 1), not 0 <= low < high <= 1.
    """
    _complementary(leak, high, low)
    composed = leak * (high**2 + low**2)
    return composed / (composed + (1 - leak) * 2 * high * low)


def best_is_composed_rate(heuristics: int, steps: int) -> float:
    """D3: ``1 - n^{1-T}``, the chance that the best trajectory is composed.

    For independent continuous strengths. It is what C tends to on average in the long run: C -> 1
    iff no single heuristic is best at every step.

    Raises:
        ValueError: heuristics < 1 or steps < 1.
    """
    checks.count(1, heuristics=heuristics, steps=steps)
    return 1 - float(heuristics) ** (1 - steps)


def _log_odds(time: float, leak: float, high: float, low: float) -> float:
    gap = high - low
    bracket = float(np.logaddexp(high * gap * time, -low * gap * time)) - math.log(2)
    return float(logit(leak)) + bracket


def _complementary(leak: float, high: float, low: float) -> None:
    checks.open_share(leak=leak)
    checks.share(high=high, low=low)
    if low >= high:
        raise ValueError(f"low must be below high, they are {low} and {high}")


def _two_by_two(success_TH: ArrayLike) -> Floats:
    s = checks.successes(success_TH)
    if s.shape != (2, 2):
        raise ValueError(f"success must be ((s_1A, s_1B), (s_2A, s_2B)), its shape is {s.shape}")
    return s
