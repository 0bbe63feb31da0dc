"""How policy gradients move mass between heuristics (propositions B1, B2, B5, B6).

One decision: softmax over heuristics with success probabilities s_j; J = sum pi_j s_j,
A_j = s_j - J. "Natural" is d theta/dt = F^+ grad J, "vanilla" is d theta/dt = grad J, and time is
the cumulative step size.
Shapes: _H heuristics, _N times.
"""

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp
from scipy.special import log_softmax, softmax

from manyways.theory import checks
from manyways.theory.checks import Floats
from manyways.theory.sft import entropy

Rule = Literal["natural", "vanilla"]


def expected_success(policy_H: ArrayLike, success_H: ArrayLike) -> float:
    """``J = sum pi_j s_j``.

    Raises:
        ValueError: not a policy, or success probabilities outside [0, 1] or of another shape.
    """
    pi = checks.policy(policy_H)
    return float((pi * checks.successes(success_H, pi)).sum())


def speed(policy_H: ArrayLike, success_H: ArrayLike, rule: Rule) -> Floats:
    """B1: d pi/dt, (H,).

    natural ``pi_j A_j`` (the replicator equation); vanilla
    ``pi_j [pi_j A_j - sum_k pi_k^2 A_k]``. A heuristic of mass 0 stays at 0 under both.

    Raises:
        ValueError: as ``expected_success``.
    """
    pi = checks.policy(policy_H)
    advantage_H = checks.successes(success_H, pi) - expected_success(pi, success_H)
    push_H = _push(pi, advantage_H, rule)
    result: Floats = pi * (push_H - float((pi * push_H).sum()))
    return result


def improvement(policy_H: ArrayLike, success_H: ArrayLike, rule: Rule) -> float:
    """B1: dJ/dt. natural ``Var_pi(s)``, vanilla ``sum pi_k^2 A_k^2``; 0 for a policy of one mode.

    Raises:
        ValueError: as ``expected_success``.
    """
    pi = checks.policy(policy_H)
    advantage_H = checks.successes(success_H, pi) - expected_success(pi, success_H)
    weight_H = pi if _is_natural(rule) else pi**2
    return float((weight_H * advantage_H**2).sum())


def natural_flow(start_H: ArrayLike, success_H: ArrayLike, time: float) -> Floats:
    """B1: ``pi_j(t) ~ pi_j(0) e^{s_j t}``, the natural policy gradient after ``time``.

    Any shape is taken: over whole trajectories this is D1, which is also the maximiser of
    ``E R - KL(pi || pi_0) / t``, so a KL coefficient beta stands for time 1/beta.

    Raises:
        ValueError: as ``expected_success``; time negative or not finite.
    """
    checks.not_negative(time=time)
    pi = checks.policy(start_H)
    with np.errstate(divide="ignore"):
        logits = np.log(pi) + time * checks.successes(success_H, pi)
    result: Floats = softmax(logits)
    return result


def simulate(
    start_H: ArrayLike,
    success_H: ArrayLike,
    *,
    times_N: ArrayLike,
    rule: Rule,
    clock: Callable[[float], float] | None = None,
) -> Floats:
    """The policy at each of the times, by numerical integration in logits, (N, H).

    Args:
        start_H: the policy at time 0; a mass of 0 stays 0.
        success_H: success probability of each heuristic.
        times_N: not negative, in rising order.
        rule: which gradient.
        clock: factor on the speed as a function of J, e.g. ``grpo.clock`` with its group bound;
            1 throughout if it is not given.

    Raises:
        ValueError: as ``expected_success``; times negative or out of order.
    """
    pi = checks.policy(start_H)
    s = checks.successes(success_H, pi)
    times = np.atleast_1d(np.asarray(times_N, dtype=float))
    if not np.isfinite(times).all() or (np.diff(times, prepend=0.0) < 0).any():
        raise ValueError("times must be finite, not negative and in rising order")
    alive = pi > 0

    def slope(_: float, logits: Floats) -> Floats:
        now = softmax(logits)
        value = float((now * s[alive]).sum())
        factor = 1.0 if clock is None else clock(min(1.0, max(0.0, value)))
        return factor * _push(now, s[alive] - value, rule)

    result = np.zeros((len(times), len(pi)))
    result[:, alive] = pi[alive]
    if times[-1] > 0:
        solved = solve_ivp(
            slope, (0.0, times[-1]), np.log(pi[alive]), t_eval=times, rtol=1e-9, atol=1e-10
        )
        result[:, alive] = np.exp(log_softmax(solved.y.T, axis=1))
    return result


def escape_time(mass: float, gap: float, rule: Rule) -> float:
    """B2: time for the better of two heuristics to go from ``mass`` to 1/2.

    natural ``log((1-m)/m) / gap``; vanilla
    ``[(1-2m)/(m(1-m)) + 2 log((1-m)/m)] / (2 gap)``, about ``1/(2 m gap)`` for small m.

    Args:
        mass: starting mass m in (0, 1/2]; 1/2 takes no time.
        gap: how much more often the better one succeeds, in (0, 1].
        rule: which gradient.

    Raises:
        ValueError: out of range.
    """
    checks.positive(mass=mass, gap=gap)
    checks.share(gap=gap)
    if mass > 0.5:
        raise ValueError(f"mass must be at most 1/2, where the time ends, it is {mass}")
    logit = math.log((1 - mass) / mass)
    if _is_natural(rule):
        return logit / gap
    return ((1 - 2 * mass) / (mass * (1 - mass)) + 2 * logit) / (2 * gap)


def takeover_time(modes: int, gap: float, rule: Rule) -> float:
    """B2: time for the best of n equal modes, ahead of the others by ``gap``, from 1/n to 1/2.

    natural ``log(n-1) / gap``; vanilla ``[n - 2 + 2 (1 - 1/n) log(n-1)] / gap``. 0 for n = 2.

    Raises:
        ValueError: modes < 2, or gap outside (0, 1].
    """
    checks.count(2, modes=modes)
    checks.positive(gap=gap)
    checks.share(gap=gap)
    if _is_natural(rule):
        return math.log(modes - 1) / gap
    return (modes - 2 + 2 * (1 - 1 / modes) * math.log(modes - 1)) / gap


def discovery(mass: float, success: float, attempts: int) -> float:
    """B5: ``1 - (1 - m s)^N``, the chance that a heuristic is rewarded in N attempts at all.

    Where ``m s N`` is far below 1 the expected flow is not what one run sees.

    Raises:
        ValueError: mass or success outside [0, 1], attempts < 0.
    """
    checks.share(mass=mass, success=success)
    checks.count(0, attempts=attempts)
    return 1 - (1 - mass * success) ** attempts


def entropy_after(success_H: ArrayLike, time: float) -> float:
    """B6: entropy in nats after the natural gradient ran for ``time`` from equal modes.

    ``log n - t^2 Var_0(s)/2`` for small t: entropy is not lost at first order.

    Raises:
        ValueError: success outside [0, 1]; time negative.
    """
    return entropy(natural_flow(_uniform(success_H), success_H, time))


def entropy_speed(success_H: ArrayLike, time: float) -> float:
    """B6: ``dH/dt = -t Var_t(s)`` from equal modes under the natural gradient; so dH/dJ = -t.

    Raises:
        ValueError: success outside [0, 1]; time negative.
    """
    policy_H = natural_flow(_uniform(success_H), success_H, time)
    return -time * improvement(policy_H, success_H, "natural")


def _uniform(success_H: ArrayLike) -> Floats:
    s = checks.successes(success_H)
    return np.full(s.shape, 1 / s.size)


def _push(policy_H: Floats, advantage_H: Floats, rule: Rule) -> Floats:
    """The speed of the logits, up to a constant."""
    return advantage_H if _is_natural(rule) else policy_H * advantage_H


def _is_natural(rule: Rule) -> bool:
    if rule not in ("natural", "vanilla"):
        raise ValueError(f"rule must be natural or vanilla, it is {rule}")
    return rule == "natural"
