r"""How likely the next attempt at a cell is accepted, from all attempts so far.

A cell is a (problem, heuristic). Its chance of acceptance p is not known, but cells of one
heuristic, and cells of one problem, have something in common:

    p_ph ~ Beta(s m_ph, s (1 - m_ph)),    logit m_ph = c + h_h + g_p,
    h_h ~ Normal(0, t_h^2),    g_p ~ Normal(0, t_p^2),
    c ~ Normal(0, 3^2),        log s ~ Normal(0, 2^2).

c, h, g and s are those of the highest posterior density given the attempts, p integrated out
(beta-binomial); t_h and t_p come from them by EM (mean square of the effects plus their remaining
variance): empirical Bayes. After n attempts of which x were accepted, the chance of the next is

    (s m_ph + x) / (s + n).

The rule by which attempts were stopped does not enter (likelihood principle), so that this holds
for cells that were left as soon as they had a success.

Shapes: _P problems, _H heuristics.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[Any]
CENTRE_SPREAD, STRENGTH_SPREAD = 3.0, 2.0
EM_STEPS, EM_CHANGE = 4, 0.05
LEAST, MOST = 0.05, 3.0
"""Of t_h and t_p, in logits: below, effects are none; above, a chance is 0 or 1 anyway."""
FEWEST = 1e-9


@dataclass(frozen=True, kw_only=True)
class Prior:
    """What is expected of each cell before its own attempts are looked at.

    mean_PH:  m, the expected chance of acceptance.
    strength: s, how many attempts of a cell's own weigh as much as ``mean_PH`` does. Far below 1
              where cells are nearly always or nearly never accepted.
    spreads:  t_h and t_p.
    """

    mean_PH: Floats
    strength: float
    spreads: tuple[float, float]

    def chance(self, tried_PH: Counts, accepted_PH: Counts) -> Floats:
        """Expected chance of the next attempt at each cell, (s m + x) / (s + n)."""
        known_PH = self.strength * self.mean_PH + accepted_PH
        return np.asarray(known_PH / (self.strength + tried_PH), dtype=np.float64)


def fit_prior(tried_PH: Counts, accepted_PH: Counts) -> Prior:
    """The prior of the module's equations from attempts and accepted attempts per cell.

    Without any attempt all cells are alike.
    """
    from scipy.optimize import minimize

    problems, heuristics = tried_PH.shape
    cells = _Cells(tried_PH, accepted_PH)
    theta = np.zeros(2 + heuristics + problems)
    spreads = (1.0, 1.0)
    for _ in range(EM_STEPS):
        found = minimize(cells.loss, theta, args=(spreads,), jac=True, method="L-BFGS-B")
        theta = found.x
        before, spreads = spreads, _spreads(cells, theta, spreads)
        if np.allclose(before, spreads, rtol=EM_CHANGE):
            break
    mean_PH, strength = cells.unpack(theta)
    return Prior(mean_PH=mean_PH, strength=strength, spreads=spreads)


class _Cells:
    """The counts, and the negative log posterior density of (c, log s, h_H, g_P) given them."""

    def __init__(self, tried_PH: Counts, accepted_PH: Counts) -> None:
        self.tried_PH = np.asarray(tried_PH, dtype=np.float64)
        self.accepted_PH = np.asarray(accepted_PH, dtype=np.float64)
        self.failed_PH = self.tried_PH - self.accepted_PH

    @property
    def heuristics(self) -> int:
        return int(self.tried_PH.shape[1])

    def unpack(self, theta: Floats) -> tuple[Floats, float]:
        """m_PH and s."""
        h_H, g_P = theta[2 : 2 + self.heuristics], theta[2 + self.heuristics :]
        logit_PH = theta[0] + h_H[None, :] + g_P[:, None]
        return 1 / (1 + np.exp(-np.clip(logit_PH, -30, 30))), float(
            np.exp(np.clip(theta[1], -9, 9))
        )

    def loss(self, theta: Floats, spreads: tuple[float, float]) -> tuple[float, Floats]:
        """Value and gradient."""
        from scipy.special import digamma, gammaln

        m_PH, s = self.unpack(theta)
        a_PH, b_PH = np.maximum(s * m_PH, FEWEST), np.maximum(s * (1 - m_PH), FEWEST)
        x_PH, f_PH, n_PH = self.accepted_PH, self.failed_PH, self.tried_PH
        value = gammaln(a_PH + x_PH) - gammaln(a_PH) + gammaln(b_PH + f_PH) - gammaln(b_PH)
        value += gammaln(s) - gammaln(s + n_PH)
        both_PH = digamma(s + n_PH) - digamma(s)
        da_PH = digamma(a_PH + x_PH) - digamma(a_PH) - both_PH
        db_PH = digamma(b_PH + f_PH) - digamma(b_PH) - both_PH
        logit_PH = s * m_PH * (1 - m_PH) * (da_PH - db_PH)
        strength = s * np.sum(m_PH * da_PH + (1 - m_PH) * db_PH)
        slope = np.concatenate(
            [[logit_PH.sum(), strength], logit_PH.sum(axis=0), logit_PH.sum(axis=1)]
        )
        wide = self._widths(spreads)
        penalty = 0.5 * np.sum((theta / wide) ** 2)
        return float(penalty - value.sum()), theta / wide**2 - slope

    def information(self, theta: Floats) -> Floats:
        """About each cell's logit m: the inverse variance of a beta-binomial share, n/(1 + ...)."""
        m_PH, s = self.unpack(theta)
        n_PH = self.tried_PH
        return np.asarray(n_PH * m_PH * (1 - m_PH) * (s + 1) / (s + n_PH), dtype=np.float64)

    def _widths(self, spreads: tuple[float, float]) -> Floats:
        problems, heuristics = self.tried_PH.shape
        each = [(CENTRE_SPREAD, 1), (STRENGTH_SPREAD, 1), (spreads[0], heuristics)]
        return np.repeat(*map(np.array, zip(*[*each, (spreads[1], problems)], strict=True)))


def _spreads(cells: _Cells, theta: Floats, spreads: tuple[float, float]) -> tuple[float, float]:
    """One EM step: mean over effects of their square plus their remaining variance."""
    info_PH = cells.information(theta)
    effects = (theta[2 : 2 + cells.heuristics], theta[2 + cells.heuristics :])
    return (
        _spread(effects[0], info_PH.sum(axis=0), spreads[0]),
        _spread(effects[1], info_PH.sum(axis=1), spreads[1]),
    )


def _spread(effects: Floats, information: Floats, spread: float) -> float:
    left = 1 / (spread**-2 + information)
    return float(np.clip(np.sqrt(np.mean(effects**2 + left)), LEAST, MOST))
