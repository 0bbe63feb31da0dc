"""The model by brute force, against which its closed forms are checked. Shapes as in the theory."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.integrate import solve_ivp
from scipy.special import log_softmax, softmax

from manyways.theory.dynamics import Rule


def simulate(
    start_H: Sequence[float] | np.ndarray,
    success_H: Sequence[float] | np.ndarray,
    *,
    times_N: Sequence[float] | np.ndarray,
    rule: Rule,
    clock: Callable[[float], float] = lambda value: 1.0,
) -> np.ndarray:
    """The policy at each of the rising times, by numerical integration in logits, (N, H)."""
    pi, s = np.asarray(start_H, dtype=float), np.asarray(success_H, dtype=float)

    def slope(_: float, logits: np.ndarray) -> np.ndarray:
        now = softmax(logits)
        value = float((now * s).sum())
        push_H = s - value if rule == "natural" else now * (s - value)
        return clock(value) * push_H

    times = np.asarray(times_N, dtype=float)
    solved = solve_ivp(slope, (0.0, times[-1]), np.log(pi), t_eval=times, rtol=1e-9, atol=1e-10)
    return np.exp(log_softmax(solved.y.T, axis=1))


def sampled_updates(
    policy_H: np.ndarray, success_H: np.ndarray, group: int, *, groups: int, seed: int
) -> np.ndarray:
    """GRPO's update of the logits from each of ``groups`` random groups, (M, H)."""
    random = np.random.default_rng(seed)
    taken_MG = random.choice(len(policy_H), size=(groups, group), p=policy_H)
    reward_MG = (random.random((groups, group)) < success_H[taken_MG]).astype(float)
    deviation_M1 = reward_MG.std(axis=1, keepdims=True)
    centred_MG = reward_MG - reward_MG.mean(axis=1, keepdims=True)
    weight_MG = centred_MG / np.where(deviation_M1 > 0, deviation_M1, 1.0)
    taken_by_HM = [(weight_MG * (taken_MG == j)).mean(axis=1) for j in range(len(policy_H))]
    return np.stack(taken_by_HM, axis=1) - policy_H * weight_MG.mean(axis=1, keepdims=True)
