"""Why ever more heuristics help ever less (propositions H1-H4).

Strengths are independent; where a law is needed, uniform on (0, 1) with variance 1/12.
Shapes: _H heuristics, _D draws of strengths.
"""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import quad
from scipy.special import gammaincc, softmax

from manyways.theory import checks
from manyways.theory.checks import Floats

UNIFORM_VARIANCE = 1 / 12
STEP = 0.5
"""Step of the fourth-order integration; speeds of logits are below 1/4."""


def best_composed(modes: int, steps: int) -> float:
    """H1: ``(n/(n+1))^T``, expected success of the best heuristic at each of T steps.

    Raises:
        ValueError: modes < 1 or steps < 1.
    """
    checks.count(1, modes=modes, steps=steps)
    return float((modes / (modes + 1)) ** steps)


def best_pure(modes: int, steps: int) -> float:
    """H1: expected success of the best single heuristic over all T steps, by quadrature.

    ``E max = integral_0^1 1 - F(x)^n dx``, F the law of a product of T uniform variables,
    ``F(e^-y) = Q(T, y)`` (regularised upper incomplete gamma function).

    Raises:
        ValueError: modes < 1 or steps < 1.
    """
    checks.count(1, modes=modes, steps=steps)

    def tail(y: float) -> float:
        return (1 - float(gammaincc(steps, y)) ** modes) * math.exp(-y)

    return float(quad(tail, 0.0, math.inf, epsabs=1e-12, epsrel=1e-12)[0])


def distinct_heuristics(frequency_H: ArrayLike, draws: int) -> float:
    """H2: ``sum_k 1 - (1 - q_k)^n``, expected distinct heuristics among n draws.

    Raises:
        ValueError: not a distribution, or draws < 0.
    """
    q = checks.policy(frequency_H)
    checks.count(0, draws=draws)
    return float((1 - (1 - np.minimum(q, 1.0)) ** draws).sum())


def distinct_in_group(modes: int, group: int) -> float:
    """H2: ``n (1 - (1 - 1/n)^G)``, expected distinct modes among the G attempts of a group.

    Raises:
        ValueError: modes < 1 or group < 0.
    """
    checks.count(1, modes=modes)
    return distinct_heuristics(np.full(modes, 1 / modes), group)


def initial_improvement_natural(modes: int, variance: float = UNIFORM_VARIANCE) -> float:
    """H3: ``V (1 - 1/n)``, expected dJ/dt from n equal modes under natural gradient.

    Raises:
        ValueError: modes < 1 or variance negative.
    """
    checks.count(1, modes=modes)
    checks.not_negative(variance=variance)
    return variance * (1 - 1 / modes)


def initial_improvement_vanilla(modes: int, variance: float = UNIFORM_VARIANCE) -> float:
    """H3: ``V (n-1) / n^2``, the same under vanilla gradient: largest at n = 2 (dilution).

    Raises:
        ValueError: modes < 1 or variance negative.
    """
    checks.count(1, modes=modes)
    checks.not_negative(variance=variance)
    return variance * (modes - 1) / modes**2


def mean_success_after(time: float, modes: int, *, draws: int, seed: int) -> float:
    """H4: mean J after vanilla gradient for ``time`` from n equal modes, by simulation.

    Over ``draws`` sets of uniform strengths, the same for the same seed; draws for n modes begin
    with those for fewer, so that different n can be compared on one luck. At a fixed time there is
    a best n between the extremes, and it grows with time (a finding, not a proof).

    Raises:
        ValueError: time negative, modes < 1 or draws < 1.
    """
    checks.not_negative(time=time)
    checks.count(1, modes=modes, draws=draws)
    success_DH = np.random.default_rng(seed).random((modes, draws)).T
    logits_DH = np.zeros((draws, modes))
    steps = max(1, math.ceil(time / STEP))
    h = time / steps
    for _ in range(steps):
        k1 = _vanilla(logits_DH, success_DH)
        k2 = _vanilla(logits_DH + h / 2 * k1, success_DH)
        k3 = _vanilla(logits_DH + h / 2 * k2, success_DH)
        k4 = _vanilla(logits_DH + h * k3, success_DH)
        logits_DH = logits_DH + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return float((softmax(logits_DH, axis=1) * success_DH).sum(axis=1).mean())


def _vanilla(logits_DH: Floats, success_DH: Floats) -> Floats:
    mass_DH = softmax(logits_DH, axis=1)
    value_D1 = (mass_DH * success_DH).sum(axis=1, keepdims=True)
    push: Floats = mass_DH * (success_DH - value_D1)
    return push
