"""How policy gradients move mass between heuristics (B1-B4, D1, D2); tests of this (M5, M6).

One decision (B): softmax over heuristics with success probabilities s_j; J = sum pi_j s_j,
A_j = s_j - J. "Natural" is d theta/dt = F^+ grad J, "vanilla" is d theta/dt = grad J, and time is
the cumulative step size. GRPO (B3, B4): a group is G attempts at one problem, with reward 0 or 1.
The advantage of an attempt is (r - mean) / (std + floor), or 0 if all rewards are equal. On-policy,
no clipping, no KL term.

Whole trajectories (D): one of H heuristics at each of T steps. A trajectory succeeds if every step
does. It is pure if all its heuristics are the same, else composed. A "tree" is an array with one
axis for each step: ``tree[i, j]`` belongs to heuristic i at step 1 and j at step 2. Under the
natural gradient a tree of masses moves as ``natural_flow(tree, tree_success(...), time)`` (D1).

Shapes: _H heuristics, _N times, _TH steps by heuristics, _M groups, _G attempts of a group.
"""

import math
from functools import reduce
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import quad
from scipy.special import expit, gammaln, softmax

from manyways.theory import (
    Floats,
    as_policy,
    as_successes,
    require_count,
    require_not_negative,
    require_positive,
    require_share,
)

Rule = Literal["natural", "vanilla"]


def natural_flow(start_H: ArrayLike, success_H: ArrayLike, time: float) -> Floats:
    """B1: ``pi_j(t) ~ pi_j(0) e^{s_j t}``, the natural policy gradient after ``time``.

    Arrays of any shape. Over whole trajectories this is D1, and it maximises
    ``E R - KL(pi || pi_0) / t``: a KL coefficient beta stands for time 1/beta.

    Raises:
        ValueError: as ``expected_success``; time negative or not finite.
    """
    require_not_negative(time=time)
    pi = as_policy(start_H)
    with np.errstate(divide="ignore"):
        logits = np.log(pi) + time * as_successes(success_H, pi)
    result: Floats = softmax(logits)
    return result


def escape_time(mass: float, gap: float, rule: Rule) -> float:
    """B2: the time in which the better of two heuristics goes from ``mass`` to 1/2.

    Natural: ``log((1-m)/m) / gap``. Vanilla:
    ``[(1-2m)/(m(1-m)) + 2 log((1-m)/m)] / (2 gap)``, about ``1/(2 m gap)`` for small m.

    Args:
        mass: starting mass m in (0, 1/2]; from 1/2 the time is 0.
        gap: by how much the better one succeeds more often, in (0, 1].
        rule: the gradient.

    Raises:
        ValueError: out of range.
    """
    require_positive(mass=mass, gap=gap)
    require_share(gap=gap)
    if mass > 0.5:
        raise ValueError(f"mass must be at most 1/2, it is {mass}")
    logit = math.log((1 - mass) / mass)
    if _is_natural(rule):
        return logit / gap
    return ((1 - 2 * mass) / (mass * (1 - mass)) + 2 * logit) / (2 * gap)


def _is_natural(rule: Rule) -> bool:
    if rule not in ("natural", "vanilla"):
        raise ValueError(f"rule must be natural or vanilla, it is {rule}")
    return rule == "natural"


LARGEST_TREE = 1 << 20


def tree_success(success_TH: ArrayLike) -> Floats:
    """``R_a = prod_t s_{t, a_t}``, the success of every trajectory, as a tree.

    Raises:
        ValueError: not (T, H), outside [0, 1], or more than 2^20 trajectories.
    """
    s = as_successes(success_TH)
    if s.ndim != 2:
        raise ValueError(f"success must be steps by heuristics, its shape is {s.shape}")
    _affordable(s.shape[1], s.shape[0])
    tree: Floats = reduce(np.multiply.outer, list(s))
    return tree


def composed_rate(tree: ArrayLike) -> float:
    """C: the mass of the composed trajectories of a tree.

    Raises:
        ValueError: not a distribution, or axes of different lengths.
    """
    pi = as_policy(tree)
    return float(pi[_composed(pi)].sum())


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
    require_share(leak_A=leaks[0], leak_B=leaks[1], first_mass=first_mass)
    move = np.array([[1 - leaks[0], leaks[0]], [leaks[1], 1 - leaks[1]]])
    start = np.array([[first_mass], [1 - first_mass]]) * move
    return composed_rate(natural_flow(start, tree_success(s), time))


def _two_by_two(success_TH: ArrayLike) -> Floats:
    s = as_successes(success_TH)
    if s.shape != (2, 2):
        raise ValueError(f"success must be ((s_1A, s_1B), (s_2A, s_2B)), its shape is {s.shape}")
    return s


def _composed(tree: Floats) -> NDArray[np.bool_]:
    if len(set(tree.shape)) != 1:
        raise ValueError(f"every step must have the same heuristics, the shape is {tree.shape}")
    taken = np.indices(tree.shape)
    mask: NDArray[np.bool_] = (taken != taken[0]).any(axis=0)
    return mask


def _affordable(heuristics: int, steps: int) -> None:
    if heuristics**steps > LARGEST_TREE:
        raise ValueError(f"{heuristics}^{steps} trajectories are more than {LARGEST_TREE}")


def clock(p: float, group: int, *, bessel: bool = False, floor: float = 0.0) -> float:
    """B3: ``c_G(p)``, by which GRPO's expected update exceeds the plain policy gradient.

    ``E[v / (sqrt(b v) + floor)] / (p (1-p))`` with v = S(G-S)/G^2, S ~ Binomial(G, p) and b = 1,
    or G/(G-1) for the sample deviation that ``torch.std`` returns. At p = 0 and 1 it is the limit.

    Args:
        p: success probability of one attempt at the problem, in [0, 1].
        group: G >= 2.
        bessel: divide by the sample deviation, not by that of the population.
        floor: added to the deviation, >= 0.

    Raises:
        ValueError: out of range.
    """
    require_share(p=p)
    require_count(2, group=group)
    require_not_negative(floor=floor)
    s_G = np.arange(1, group)
    v_G = s_G * (group - s_G) / group**2
    gain_G = v_G / (np.sqrt(v_G * (group / (group - 1) if bessel else 1.0)) + floor)
    if min(p, 1 - p) < 1e-12:
        return group * float(gain_G[0])
    ways_G = gammaln(group + 1) - gammaln(s_G + 1) - gammaln(group - s_G + 1)
    chance_G = np.exp(ways_G + s_G * math.log(p) + (group - s_G) * math.log1p(-p))
    return float((chance_G * gain_G).sum()) / (p * (1 - p))


def mean_baseline_clock(group: int) -> float:
    """B3: ``1 - 1/G``, the factor if the advantage is r - mean, without the division.

    Raises:
        ValueError: group < 2.
    """
    require_count(2, group=group)
    return 1 - 1 / group


def group_escape_time(mass: float, group: int, *, better: float, worse: float) -> float:
    """B4: GRPO's time in which the better of two heuristics goes from ``mass`` to 1/2.

    ``integral dz / (2 p (1-p) gap c_G(J))`` over the logit z of its mass p, by quadrature.

    Args:
        mass: starting mass in (0, 1/2].
        group: G >= 2.
        better: success probability of the better heuristic.
        worse: success probability of the other, below ``better``.

    Raises:
        ValueError: out of range.
    """
    require_positive(mass=mass)
    require_share(better=better, worse=worse)
    if mass > 0.5 or better <= worse:
        raise ValueError("mass must be at most 1/2 and better above worse")
    gap = better - worse

    def slowness(z: float) -> float:
        p = float(expit(z))
        return 1 / (2 * p * (1 - p) * gap * clock(worse + gap * p, group))

    return float(quad(slowness, math.log(mass / (1 - mass)), 0.0, limit=200)[0])


def complementarity(success_HH: ArrayLike) -> float:
    """M6: the mean off the diagonal of a prefix-swap matrix minus the mean on it.

    ``R_ij`` is the success of attempts that begin with heuristic i and end with j. If steps are
    independent, R_ij = s_1i s_2j, this is ``-(n/(n-1)) Cov_i(s_1i, s_2i)`` (population covariance).
    A positive value means that the heuristics complement each other, D2 (i).

    Raises:
        ValueError: not a square matrix of at least two heuristics, or values outside [0, 1].
    """
    r = as_successes(success_HH)
    if r.ndim != 2 or r.shape[0] != r.shape[1] or len(r) < 2:
        raise ValueError(f"success must be square with two or more rows, its shape is {r.shape}")
    diagonal = float(np.trace(r))
    n = len(r)
    return (float(r.sum()) - diagonal) / (n * (n - 1)) - diagonal / n


def step_independence(success_HH: ArrayLike) -> float:
    """M6: the second singular value of a prefix-swap matrix over the first.

    It is 0 if R_ij = s_1i s_2j, and for a matrix of zeros.

    Raises:
        ValueError: not a matrix with two or more rows and columns, or values outside [0, 1].
    """
    r = as_successes(success_HH)
    if r.ndim != 2 or min(r.shape) < 2:
        raise ValueError(f"success must have two or more rows and columns, its shape is {r.shape}")
    values = np.linalg.svd(r, compute_uv=False)
    return float(values[1] / values[0]) if values[0] > 0 else 0.0


def flow_coefficients(
    change_N: ArrayLike, advantage_N: ArrayLike, weighted_N: ArrayLike
) -> tuple[float, float]:
    """M5: least-squares coefficients that show which gradient moves the masses.

    The change of ``log(p_h / p_1)`` is regressed on ``A_h - A_1`` and ``p_h A_h - p_1 A_1`` without
    intercept. The natural gradient gives (1, 0) times the step size, the vanilla one (0, 1).

    Raises:
        ValueError: shapes that differ, fewer than two observations, or regressors that are
            proportional.
    """
    y = np.asarray(change_N, dtype=float)
    advantage, weighted = np.asarray(advantage_N, dtype=float), np.asarray(weighted_N, dtype=float)
    if not y.shape == advantage.shape == weighted.shape or y.ndim != 1 or len(y) < 2:
        raise ValueError("change, advantage and weighted must have one length, at least 2")
    x = np.stack([advantage, weighted], axis=1)
    found, _, rank, _ = np.linalg.lstsq(x, y)
    if rank < 2:
        raise ValueError("the two regressors are proportional: the masses do not vary enough")
    return float(found[0]), float(found[1])
