"""What group-normalised advantages do to the policy gradient (propositions B3, B4, B7).

A group is G attempts at one problem with reward 0 or 1; the advantage of an attempt is
(r - mean) / (std + floor), 0 if all rewards agree. On-policy, no clipping, no KL term.
Shapes: _H heuristics, _M groups, _G attempts of a group.
"""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import quad
from scipy.special import expit, gammaln

from manyways.theory import checks
from manyways.theory.checks import Floats
from manyways.theory.dynamics import expected_success


def clock(p: float, group: int, *, bessel: bool = False, floor: float = 0.0) -> float:
    """B3: ``c_G(p)``, by which GRPO's expected update exceeds the plain policy gradient.

    ``E[v / (sqrt(b v) + floor)] / (p (1-p))`` with v = S(G-S)/G^2, S ~ Binomial(G, p) and b = 1,
    or G/(G-1) for the sample deviation that ``torch.std`` returns. At p = 0 and 1, the limit.

    Args:
        p: success probability of one attempt at the problem, in [0, 1].
        group: G >= 2.
        bessel: divide by the sample deviation instead of the population's.
        floor: what is added to the deviation, >= 0.

    Raises:
        ValueError: out of range.
    """
    checks.share(p=p)
    checks.count(2, group=group)
    checks.not_negative(floor=floor)
    s_G = np.arange(1, group)
    v_G = s_G * (group - s_G) / group**2
    gain_G = v_G / (np.sqrt(v_G * (group / (group - 1) if bessel else 1.0)) + floor)
    if min(p, 1 - p) < 1e-12:
        return group * float(gain_G[0])
    ways_G = gammaln(group + 1) - gammaln(s_G + 1) - gammaln(group - s_G + 1)
    chance_G = np.exp(ways_G + s_G * math.log(p) + (group - s_G) * math.log1p(-p))
    return float((chance_G * gain_G).sum()) / (p * (1 - p))


def clock_bounds(p: float, group: int) -> tuple[float, float]:
    """B3: ``2 (1-1/G) <= c_G(p) <= min(sqrt(G-1), sqrt((G-1) / (G p (1-p))))``.

    For the population deviation without a floor.

    Raises:
        ValueError: p outside [0, 1] or group < 2.
    """
    checks.share(p=p)
    checks.count(2, group=group)
    spread = group * p * (1 - p)
    return 2 * (1 - 1 / group), math.sqrt((group - 1) / max(1.0, spread))


def clock_limit(p: float) -> float:
    """B3: ``1 / sqrt(p (1-p))``, c_G(p) of very large groups.

    Raises:
        ValueError: p not strictly between 0 and 1.
    """
    checks.open_share(p=p)
    return 1 / math.sqrt(p * (1 - p))


def mean_baseline_clock(group: int) -> float:
    """B3: ``1 - 1/G``, the factor when the advantage is r - mean, without division.

    Raises:
        ValueError: group < 2.
    """
    checks.count(2, group=group)
    return 1 - 1 / group


def escape_bounds(vanilla_time: float, group: int) -> tuple[float, float]:
    """B4: between ``T / sqrt(G-1)`` and ``T G / (2 (G-1))`` where vanilla gradient takes T.

    For one problem: GRPO changes the clock, never the path.

    Raises:
        ValueError: vanilla_time negative or group < 2.
    """
    checks.not_negative(vanilla_time=vanilla_time)
    checks.count(2, group=group)
    return vanilla_time / math.sqrt(group - 1), vanilla_time * group / (2 * (group - 1))


def escape_time(mass: float, group: int, *, better: float, worse: float) -> float:
    """B4: GRPO's time for the better of two heuristics from ``mass`` to 1/2, by quadrature.

    ``integral dz / (2 p (1-p) gap c_G(J))`` over the logit z of the better one's mass p.

    Args:
        mass: starting mass in (0, 1/2].
        group: G >= 2.
        better: success probability of the better heuristic.
        worse: success probability of the other, below ``better``.

    Raises:
        ValueError: out of range.
    """
    checks.positive(mass=mass)
    checks.share(better=better, worse=worse)
    if mass > 0.5 or better <= worse:
        raise ValueError("mass must be at most 1/2 and better above worse")
    gap = better - worse

    def slowness(z: float) -> float:
        p = float(expit(z))
        return 1 / (2 * p * (1 - p) * gap * clock(worse + gap * p, group))

    return float(quad(slowness, math.log(mass / (1 - mass)), 0.0, limit=200)[0])


def expected_update(
    policy_H: ArrayLike, success_H: ArrayLike, group: int, *, lengths_H: ArrayLike | None = None
) -> Floats:
    """B3, B7: the mean of GRPO's update of the logits, (H,).

    ``c_G(J) pi_j A_j``; with a weight of 1/length on every attempt
    ``c_G(J) pi_j [A_j/l_j - sum_k pi_k A_k/l_k]``: long solutions are reinforced more slowly.

    Args:
        policy_H: mass of each heuristic.
        success_H: success probability of each.
        group: G >= 2.
        lengths_H: tokens of an attempt by each heuristic, > 0; none for no length normalisation.

    Raises:
        ValueError: out of range or shapes that differ.
    """
    pi = checks.policy(policy_H)
    s = checks.successes(success_H, pi)
    value = expected_success(pi, s)
    weighted_H = (s - value) / _lengths(lengths_H, pi)
    update: Floats = clock(value, group) * pi * (weighted_H - float((pi * weighted_H).sum()))
    return update


def sampled_updates(
    policy_H: ArrayLike,
    success_H: ArrayLike,
    group: int,
    *,
    groups: int,
    seed: int,
    lengths_H: ArrayLike | None = None,
) -> Floats:
    """GRPO's update of the logits from each of ``groups`` random groups, (M, H).

    Their mean tends to ``expected_update``: the simulation that B3 is checked with. Population
    deviation, no floor; the seed makes it the same every time.

    Raises:
        ValueError: as ``expected_update``, or groups < 1.
    """
    pi = checks.policy(policy_H)
    s = checks.successes(success_H, pi)
    checks.count(2, group=group)
    checks.count(1, groups=groups)
    random = np.random.default_rng(seed)
    taken_MG = random.choice(len(pi), size=(groups, group), p=pi)
    reward_MG = (random.random((groups, group)) < s[taken_MG]).astype(float)
    centred_MG = reward_MG - reward_MG.mean(axis=1, keepdims=True)
    deviation_M1 = reward_MG.std(axis=1, keepdims=True)
    advantage_MG = centred_MG / np.where(deviation_M1 > 0, deviation_M1, 1.0)
    weight_MG = advantage_MG / _lengths(lengths_H, pi)[taken_MG]
    update_MH = np.stack(
        [(weight_MG * (taken_MG == j)).mean(axis=1) for j in range(len(pi))], axis=1
    )
    result: Floats = update_MH - pi * weight_MG.mean(axis=1, keepdims=True)
    return result


def _lengths(lengths_H: ArrayLike | None, policy_H: Floats) -> Floats:
    if lengths_H is None:
        return np.ones(policy_H.shape)
    lengths = np.asarray(lengths_H, dtype=float)
    if lengths.shape != policy_H.shape or not (lengths > 0).all():
        raise ValueError("lengths must be positive, one per heuristic")
    return lengths
