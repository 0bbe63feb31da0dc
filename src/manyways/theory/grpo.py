"""What group-normalised advantages do to the policy gradient (propositions B3, B4).

A group is G attempts at one problem with reward 0 or 1; the advantage of an attempt is
(r - mean) / (std + floor), 0 if all rewards agree. On-policy, no clipping, no KL term.
Shapes: _H heuristics, _M groups, _G attempts of a group.
"""

import math

import numpy as np
from scipy.integrate import quad
from scipy.special import expit, gammaln

from manyways.theory import checks


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


def mean_baseline_clock(group: int) -> float:
    """B3: ``1 - 1/G``, the factor when the advantage is r - mean, without division.

    Raises:
        ValueError: group < 2.
    """
    checks.count(2, group=group)
    return 1 - 1 / group


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
