r"""How likely the next attempt at a cell is accepted, from all attempts so far.

A cell is a (problem, heuristic). Its chance of acceptance p is not known, but cells of one
heuristic, cells of one problem, and cells of one heuristic at problems that read alike, have
something in common:

    p_ph ~ Beta(s m_ph, s (1 - m_ph)),    logit m_ph = c + h_h + g_p + x_p . w_h,
    h_h ~ Normal(0, t_h^2),    g_p ~ Normal(0, t_p^2),    w_h ~ Normal(0, t_x^2 I),
    c ~ Normal(0, 3^2),        log s ~ Normal(0, 2^2).

x_p are numbers known of problem p beforehand, as ``texts.text_features`` of its question; w_h says
which of them suit heuristic h.

c, h, g, w and s are those of the highest posterior density given the attempts, p integrated out
(beta-binomial); t_h, t_p and t_x come from them by EM (mean square of the effects plus their
remaining variance, of each alone): empirical Bayes, so that features which tell nothing get
weights of about nothing. After n attempts of which x were accepted, the chance of the next is

    (s m_ph + x) / (s + n).

The rule by which attempts were stopped does not enter (likelihood principle), so that this holds
for cells that were left as soon as they had a success.

A step costs cells x features: linear in problems, and in heuristics.

Shapes: _P problems, _H heuristics, _F features, _N cells that were tried, _M their attempts, _S the
number of an attempt at its cell.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[Any]
Spreads = tuple[float, float, float]
CENTRE_SPREAD, STRENGTH_SPREAD = 3.0, 2.0
EM_STEPS, EM_CHANGE = 4, 0.05
LEAST, MOST = 0.05, 3.0
"""Of t_h, t_p and t_x, in logits: below, effects are none; above, a chance is 0 or 1 anyway."""
FEWEST = 1e-9
TOLERANCE = 1e-7
"""Relative, of the log density: a rank of cells needs no more."""


@dataclass(frozen=True, kw_only=True)
class Prior:
    """What is expected of each cell before its own attempts are looked at.

    mean_PH:  m, the expected chance of acceptance.
    strength: s, how many attempts of a cell's own weigh as much as ``mean_PH`` does. Far below 1
              where cells are nearly always or nearly never accepted.
    spreads:  t_h, t_p and t_x.
    theta:    (c, log s, h_H, g_P, w_FH) in a row: where a fit to more attempts may start.
    """

    mean_PH: Floats
    strength: float
    spreads: Spreads
    theta: Floats

    def chance(self, tried_PH: Counts, accepted_PH: Counts) -> Floats:
        """Expected chance of the next attempt at each cell, (s m + x) / (s + n)."""
        known_PH = self.strength * self.mean_PH + accepted_PH
        return np.asarray(known_PH / (self.strength + tried_PH), dtype=np.float64)


def fit_prior(
    tried_PH: Counts,
    accepted_PH: Counts,
    features_PF: Floats | None = None,
    *,
    start: Prior | None = None,
) -> Prior:
    """The prior of the module's equations from attempts and accepted attempts per cell.

    Without any attempt all cells are alike.

    features_PF: x, one row a problem, of mean square length 1; none by default.
    start: a fit to earlier attempts at the same cells, which saves most of the time.
    """
    from scipy.optimize import minimize

    cells = _Cells(tried_PH, accepted_PH, features_PF)
    theta = np.zeros(cells.size) if start is None else start.theta
    spreads: Spreads = (1.0, 1.0, 1.0) if start is None else start.spreads
    for _ in range(EM_STEPS):
        found = minimize(
            cells.loss,
            theta,
            args=(spreads,),
            jac=True,
            method="L-BFGS-B",
            options={"ftol": TOLERANCE},
        )
        theta = found.x
        before, spreads = spreads, cells.spreads(theta, spreads)
        if np.allclose(before, spreads, rtol=EM_CHANGE):
            break
    mean_PH, strength = cells.unpack(theta)
    return Prior(mean_PH=mean_PH, strength=strength, spreads=spreads, theta=theta)


class _Cells:
    """The counts, and the negative log posterior density of (c, log s, h_H, g_P, w_FH)."""

    def __init__(
        self, tried_PH: Counts, accepted_PH: Counts, features_PF: Floats | None = None
    ) -> None:
        self.tried_PH = np.asarray(tried_PH, dtype=np.float64)
        problems, self.heuristics = self.tried_PH.shape
        self.x_PF = np.zeros((problems, 0)) if features_PF is None else features_PF
        self.place = np.nonzero(tried_PH)
        tried_N = np.asarray(tried_PH)[self.place].astype(np.int64)
        accepted_N = np.asarray(accepted_PH)[self.place].astype(np.int64)
        self._accepted, self._failed = _steps(accepted_N), _steps(tried_N - accepted_N)
        self._tried_S = np.bincount(_steps(tried_N)[1])
        weights = self.x_PF.shape[1] * self.heuristics
        self._ends = np.cumsum([2, self.heuristics, problems, weights])
        self.size = int(self._ends[-1])

    def effects(self, theta: Floats) -> tuple[Floats, Floats, Floats]:
        """h_H, g_P and w_FH."""
        _, h_H, g_P, w = np.split(theta, self._ends[:-1])
        return h_H, g_P, w.reshape(-1, self.heuristics)

    def unpack(self, theta: Floats) -> tuple[Floats, float]:
        """m_PH and s."""
        h_H, g_P, w_FH = self.effects(theta)
        logit_PH = theta[0] + h_H[None, :] + g_P[:, None] + self.x_PF @ w_FH
        mean_PH = 1 / (1 + np.exp(-np.clip(logit_PH, -30, 30)))
        return mean_PH, float(np.exp(np.clip(theta[1], -9, 9)))

    def loss(self, theta: Floats, spreads: Spreads) -> tuple[float, Floats]:
        """Value and gradient."""
        mean_PH, s = self.unpack(theta)
        m_N = mean_PH[self.place]
        a_N, b_N = np.maximum(s * m_N, FEWEST), np.maximum(s * (1 - m_N), FEWEST)
        right, da_N = _log_rising(a_N, *self._accepted)
        wrong, db_N = _log_rising(b_N, *self._failed)
        s_S = s + np.arange(len(self._tried_S))
        both, ds = np.sum(self._tried_S * np.log(s_S)), np.sum(self._tried_S / s_S)
        slope_PH = np.zeros_like(mean_PH)
        slope_PH[self.place] = s * m_N * (1 - m_N) * (da_N - db_N)
        strength = s * (np.sum(m_N * da_N + (1 - m_N) * db_N) - ds)
        by_problem_P, by_heuristic_H = slope_PH.sum(axis=1), slope_PH.sum(axis=0)
        by_weight = (self.x_PF.T @ slope_PH).ravel()
        centre = [slope_PH.sum(), strength]
        slope = np.concatenate([centre, by_heuristic_H, by_problem_P, by_weight])
        wide = self._widths(spreads)
        penalty = 0.5 * np.sum((theta / wide) ** 2)
        return float(penalty - (right + wrong - both)), theta / wide**2 - slope

    def spreads(self, theta: Floats, before: Spreads) -> Spreads:
        """One EM step: mean over effects of their square plus their remaining variance."""
        info_PH = self._information(theta)
        known = (info_PH.sum(axis=0), info_PH.sum(axis=1), (self.x_PF**2).T @ info_PH)
        h, p, x = map(_spread, self.effects(theta), known, before)
        return h, p, x

    def _information(self, theta: Floats) -> Floats:
        """About each cell's logit m: the inverse variance of a beta-binomial share, n/(1 + ...)."""
        m_PH, s = self.unpack(theta)
        n_PH = self.tried_PH
        return np.asarray(n_PH * m_PH * (1 - m_PH) * (s + 1) / (s + n_PH), dtype=np.float64)

    def _widths(self, spreads: Sequence[float]) -> Floats:
        wide = (CENTRE_SPREAD, STRENGTH_SPREAD, *spreads)
        return np.repeat(wide, [1, 1, *np.diff(self._ends)])


def _steps(count_N: Counts) -> tuple[Counts, Counts]:
    """(cell, step) for the steps 0 to count - 1 of every cell."""
    cell_M = np.repeat(np.arange(len(count_N)), count_N)
    first_N = np.cumsum(count_N) - count_N
    return cell_M, np.arange(len(cell_M)) - first_N[cell_M]


def _log_rising(base_N: Floats, cell_M: Counts, step_M: Counts) -> tuple[float, Floats]:
    """Sum of log(base (base + 1) ... (base + count - 1)), and its slope in each base.

    log Gamma(base + count) - log Gamma(base) for the few attempts that a cell has, at a fraction of
    the cost.
    """
    stepped_M = base_N[cell_M] + step_M
    slope_N = np.bincount(cell_M, weights=1 / stepped_M, minlength=len(base_N))
    return float(np.log(stepped_M).sum()), np.asarray(slope_N, dtype=np.float64)


def _spread(effects: Floats, information: Floats, spread: float) -> float:
    if not effects.size:
        return spread
    left = 1 / (spread**-2 + information)
    return float(np.clip(np.sqrt(np.mean(effects**2 + left)), LEAST, MOST))
