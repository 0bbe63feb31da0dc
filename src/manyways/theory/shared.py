"""Composition when problems share parameters (propositions D4, D5, D6, D8).

Log-linear policy: the logit of heuristic j at step t after heuristic i is
``u_j + W_{type_t, j} + sigma 1[i = j]`` (no sigma at the first step). sigma is the stickiness and g
the gap of two complementary types, ``W_1A - W_1B = g = W_2B - W_2A``. One mode means that u puts
every other heuristic at ``-Lambda``.
Shapes: _KH types of steps by heuristics, _H heuristics, _N times.
"""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp
from scipy.special import expit, log_expit, softmax

from manyways.theory import checks
from manyways.theory.checks import Floats
from manyways.theory.dynamics import escape_time


def shared_rate(gap: float, stickiness: float) -> float:
    """D4 (ii): composition rate on a mixed problem (types 1, 2) with u = 0 and two heuristics.

    ``(1 - e^sigma + 2 e^sigma cosh g) / (1 + e^{2 sigma} + 2 e^sigma cosh g)``, even in g, rising
    in the size of g to 1. Computed as ``f(g) f(g-sigma) + f(-g) f(-g-sigma)`` with f the logistic
    function, which cannot overflow.

    Raises:
        ValueError: an argument is not finite.
    """
    checks.finite(gap=gap, stickiness=stickiness)
    terms = [
        float(log_expit(sign * gap)) + float(log_expit(sign * gap - stickiness)) for sign in (1, -1)
    ]
    return math.fsum(math.exp(term) for term in terms)


def transfer(
    times_N: ArrayLike,
    success_KH: ArrayLike,
    *,
    stickiness: float,
    preference_H: ArrayLike,
) -> Floats:
    """D4: composition on the unseen mixed problem while RL runs on the pure ones, (N,).

    Vanilla policy gradient on W alone, on the mean success of the problems (1, 1) and (2, 2), from
    W = 0; the rate is that of the problem (1, 2). No answer in training is best when composed.

    Args:
        times_N: not negative, in rising order.
        success_KH: success of each heuristic (columns) at each of the two types (rows).
        stickiness: sigma, fixed.
        preference_H: u, fixed; zeros are equal modes, (0, -Lambda) is one mode.

    Raises:
        ValueError: shapes that do not fit, success outside [0, 1], times out of order.
    """
    s_KH = checks.successes(success_KH)
    u_H = np.asarray(preference_H, dtype=float)
    if s_KH.shape != (2, len(u_H)):
        raise ValueError(f"success must be (2, {len(u_H)}), its shape is {s_KH.shape}")
    checks.finite(stickiness=stickiness)
    times = np.atleast_1d(np.asarray(times_N, dtype=float))
    if not np.isfinite(times).all() or (np.diff(times, prepend=0.0) < 0).any():
        raise ValueError("times must be finite, not negative and in rising order")

    def slope(_: float, flat: Floats) -> Floats:
        logits_KH = u_H + flat.reshape(s_KH.shape)
        rows = [_pure_gradient(logits_KH[k], s_KH[k], stickiness) for k in (0, 1)]
        return np.concatenate(rows) / 2

    states = np.zeros((len(times), s_KH.size))
    if times[-1] > 0:
        span = (0.0, float(times[-1]))
        solved = solve_ivp(slope, span, states[0], t_eval=times, rtol=1e-7, atol=1e-9)
        states = solved.y.T
    return np.array([_mixed_rate(u_H + flat.reshape(s_KH.shape), stickiness) for flat in states])


def frozen_leak_time(leak: float, *, first_mass: float, advantage: float) -> float:
    """D5: vanilla time for the leak to grow to 1/2 while the first step stays as it is.

    ``dynamics.escape_time`` with gap ``m kappa``, kappa_A = s_1A (s_2B - s_2A): about
    ``1 / (2 leak m kappa)``.

    Args:
        leak: chance to switch after the first heuristic, in (0, 1/2].
        first_mass: m in (0, 1].
        advantage: kappa in (0, 1].

    Raises:
        ValueError: out of range.
    """
    checks.positive(first_mass=first_mass, advantage=advantage)
    checks.share(first_mass=first_mass, advantage=advantage)
    return escape_time(leak, first_mass * advantage, "vanilla")


def vanilla_drift(success_TH: ArrayLike, leak: float, *, first_mass: float) -> float:
    """D5: dC/dt at the start under vanilla gradient, two steps and heuristics, equal leaks.

    ``2 e^2 (1-e)^2 (s_2B - s_2A) (m^2 s_1A - (1-m)^2 s_1B)``: the sign of D2 at m = 1/2, another
    boundary in m elsewhere.

    Raises:
        ValueError: success is not 2 x 2, or values outside [0, 1].
    """
    s = checks.successes(success_TH)
    if s.shape != (2, 2):
        raise ValueError(f"success must be ((s_1A, s_1B), (s_2A, s_2B)), its shape is {s.shape}")
    checks.share(leak=leak, first_mass=first_mass)
    start = first_mass**2 * s[0, 0] - (1 - first_mass) ** 2 * s[0, 1]
    return float(2 * (leak * (1 - leak)) ** 2 * (s[1, 1] - s[1, 0]) * start)


def modal_leak(modes: int, stickiness: float) -> float:
    """D6: ``(n-1) / (e^sigma + n-1)``, leak of n equal modes; 0 for one mode.

    Raises:
        ValueError: modes < 1 or stickiness not finite.
    """
    checks.count(1, modes=modes)
    checks.finite(stickiness=stickiness)
    return 0.0 if modes == 1 else float(expit(math.log(modes - 1) - stickiness))


def unimodal_leak(heuristics: int, stickiness: float, *, preference: float) -> float:
    """D6: ``r / (e^sigma + r)``, r = (K-1) e^{-Lambda}, leak of one mode among K heuristics.

    Args:
        heuristics: K; 1 gives 0.
        stickiness: sigma.
        preference: Lambda, how far the others' logits lie below the mode's.

    Raises:
        ValueError: heuristics < 1, or an argument is not finite.
    """
    checks.count(1, heuristics=heuristics)
    checks.finite(stickiness=stickiness, preference=preference)
    if heuristics == 1:
        return 0.0
    return float(expit(math.log(heuristics - 1) - preference - stickiness))


def natural_lag(preference: float, *, high: float, low: float) -> float:
    """D8: ``Lambda / kappa``, kappa = h (h-l), by which one mode lags two under natural gradient.

    Strengths as in ``composition.complementary_rate``.

    Raises:
        ValueError: preference negative, or not 0 <= low < high <= 1.
    """
    checks.not_negative(preference=preference)
    checks.share(high=high, low=low)
    if low >= high:
        raise ValueError(f"low must be below high, they are {low} and {high}")
    return preference / (high * (high - low))


def _pure_gradient(logits_H: Floats, success_H: Floats, stickiness: float) -> Floats:
    """Gradient of J in W_type on a problem of two steps of that type, (H,)."""
    first_H, second_HH = _steps(logits_H, logits_H, stickiness)
    mass_HH = first_H[:, None] * second_HH
    reward_HH = np.outer(success_H, success_H)
    advantage_HH = mass_HH * (reward_HH - float((mass_HH * reward_HH).sum()))
    given_H = advantage_HH.sum(axis=1)
    gradient: Floats = given_H + (advantage_HH - second_HH * given_H[:, None]).sum(axis=0)
    return gradient


def _mixed_rate(logits_KH: Floats, stickiness: float) -> float:
    first_H, second_HH = _steps(logits_KH[0], logits_KH[1], stickiness)
    return 1 - float((first_H * np.diag(second_HH)).sum())


def _steps(first_H: Floats, second_H: Floats, stickiness: float) -> tuple[Floats, Floats]:
    """Masses at step 1, (H,), and at step 2 given step 1, (H, H)."""
    sticky_HH = second_H + stickiness * np.eye(len(second_H))
    return softmax(first_H), softmax(sticky_HH, axis=1)
