"""Attempts by the heuristic that opens them: shares, success, and how they move; and composing.

Shapes: _P problems, _S solutions or attempts, _H heuristics or labels, _T parts of a problem, _R
resamples.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from manyways.metrics.composition import effective_numbers
from manyways.metrics.intervals import Floats, Resampling, resampled_sums


def within_covariance(problem_S: ArrayLike, composed_S: ArrayLike, correct_S: ArrayLike) -> Floats:
    """Cov(composed, correct) inside each problem: the drift that theory D2 predicts.

    Unbiased sample covariance (N - 1) per problem; problems with one solution say nothing and
    are left out. The mean over problems estimates dC/dt under the replicator dynamics.

    Args:
        problem_S: number of the problem of each solution, (S,), 0-based integers.
        composed_S: 1 where composed, (S,).
        correct_S: 1 where correct, (S,).

    Returns:
        One covariance per problem with at least two solutions, in the order of their numbers.
    """
    problem = np.asarray(problem_S, dtype=np.int64)
    x, y = np.asarray(composed_S, dtype=float), np.asarray(correct_S, dtype=float)
    n_P = np.bincount(problem).astype(float)
    usable = n_P > 1
    sum_xy = np.bincount(problem, x * y)[usable]
    sum_x, sum_y = np.bincount(problem, x)[usable], np.bincount(problem, y)[usable]
    result: Floats = (sum_xy - sum_x * sum_y / n_P[usable]) / (n_P[usable] - 1)
    return result


def composed_if_alone(mass_TH: ArrayLike) -> Floats:
    """Chance of two or more different heuristics if each part picks its own: theory D4, sigma = 0.

    ``1 - prod_t d_t - sum_h [prod_t (d_t + p_th) - prod_t d_t]``, d_t the mass of direct steps:
    all ways but none and one. Unbiased in estimated masses where the parts differ, since each of
    them then enters every product once.

    Args:
        mass_TH: how part t is solved when it is asked alone, (..., T, H); column 0 is direct, and
            rows sum to 1.

    Returns:
        The chances, (...).
    """
    mass = np.asarray(mass_TH, dtype=float)
    direct = mass[..., :1]
    none = direct.prod(axis=-2)[..., 0]
    one_H = (direct + mass[..., 1:]).prod(axis=-2) - none[..., None]
    return np.asarray(1 - none - one_H.sum(axis=-1))


@dataclass(frozen=True, kw_only=True)
class Openings:
    """Attempts at each problem by opening label.

    tried_PH: number of attempts at problem P that open with label H.
    right_PH: how many of these are correct.
    """

    tried_PH: Floats
    right_PH: Floats

    @property
    def success_P(self) -> Floats:
        """Share of correct attempts at each problem."""
        return np.asarray(self.right_PH.sum(axis=1) / self.tried_PH.sum(axis=1))


def openings(
    problem_S: ArrayLike, label_S: ArrayLike, correct_S: ArrayLike, *, labels: int
) -> Openings:
    """Count attempts; problems are numbered from 0 without gaps, labels 0 .. ``labels`` - 1."""
    problem, label = np.asarray(problem_S, dtype=int), np.asarray(label_S, dtype=int)
    correct = np.asarray(correct_S, dtype=float)
    shape = (int(problem.max()) + 1 if problem.size else 0, labels)
    cell_S = problem * labels + label
    tried = np.bincount(cell_S, minlength=shape[0] * labels).astype(float)
    right = np.bincount(cell_S, correct, minlength=shape[0] * labels).astype(float)
    return Openings(tried_PH=tried.reshape(shape), right_PH=right.reshape(shape))


def selection_variance(found: Openings) -> Floats:
    """Var over labels of their success, within each problem: theory C3, B1.

    ``(SSB - (a - 1) MSW) / N`` with a labels in N attempts, the between-label part of a one-way
    analysis of variance: unbiased for ``sum_h pi_h (s_h - J)^2`` at the observed shares pi, so it
    may be negative. 0 where one label is seen (one mode has nothing to choose); nan where every
    attempt has a label of its own, because then noise cannot be told apart.
    """
    n_PH, c_PH = found.tried_PH, found.right_PH
    n_P, a_P = n_PH.sum(axis=1), (n_PH > 0).sum(axis=1)
    mean_PH = c_PH / np.where(n_PH > 0, n_PH, 1.0)
    total_P = found.success_P
    between_P = (n_PH * (mean_PH - total_P[:, None]) ** 2).sum(axis=1)
    within_P = (n_PH * mean_PH * (1 - mean_PH)).sum(axis=1)
    spare_P = n_P - a_P
    noise_P = (a_P - 1) * within_P / np.where(spare_P > 0, spare_P, np.nan)
    return np.where(a_P == 1, 0.0, (between_P - noise_P) / n_P)


def moved_towards_success(before: Openings, after: Openings) -> Floats:
    """``sum_h pi'_h (s_h - J)`` in each problem: theory B1, does mass follow success?

    pi' are the shares afterwards; success s_h and its mean J are those before. With the shares
    before in place of pi' the sum is exactly 0 for every sample, so the noise in s_h gives no bias
    as long as the later attempts are other ones. Labels not seen before count as average.
    """
    n_PH = before.tried_PH
    success_PH = before.right_PH / np.where(n_PH > 0, n_PH, 1.0)
    advantage_PH = np.where(n_PH > 0, success_PH - before.success_P[:, None], 0.0)
    share_PH = after.tried_PH / after.tried_PH.sum(axis=1, keepdims=True)
    return np.asarray((share_PH * advantage_PH).sum(axis=1))


def pooled_effective(tables: Sequence[Floats], settings: Resampling) -> list[Floats]:
    """Effective number of labels over all problems together, and its bootstrap over problems.

    Args:
        tables: label counts (P, H) of several policies on the same problems.
        settings: how to resample; every table gets the same resamples.

    Returns:
        One array (1 + R,) per table: the value, then one per resample.
    """
    made = []
    for counts_PH in tables:
        rows = np.vstack([counts_PH.sum(axis=0), resampled_sums(counts_PH, settings)])
        made.append(effective_numbers(rows))
    return made
