"""Do two labellers say the same? Cohen's kappa, with an interval over problems.

Shapes: _S texts, _P problems, _C categories, _R resamples.
"""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from manyways.metrics.intervals import LEVEL
from manyways.metrics.resampling import Resampling

Floats = NDArray[np.float64]


def kappa(first_S: Sequence[Hashable], second_S: Sequence[Hashable]) -> float:
    """Cohen's kappa (1960): agreement beyond that of independent labels with these shares.

    1 for full agreement, 0 for what chance gives; nan where both give one and the same label only.
    """
    sums = _sums(first_S, second_S, [0] * len(first_S)).sum(axis=0, keepdims=True)
    return float(_kappas(sums)[0])


def kappa_interval(
    first_S: Sequence[Hashable],
    second_S: Sequence[Hashable],
    problem_S: Sequence[Hashable],
    settings: Resampling,
) -> tuple[float, float, float]:
    """Kappa with its percentile bootstrap interval; whole problems are drawn.

    Resamples in which kappa is not defined are left out.

    Returns:
        (kappa, low, high); nan where kappa is not defined.
    """
    sums = _sums(first_S, second_S, problem_S)
    value = float(_kappas(sums.sum(axis=0, keepdims=True))[0])
    count = len(sums)
    if not count or np.isnan(value):
        return value, float("nan"), float("nan")
    rng = np.random.default_rng(settings.seed)
    draws_RP = rng.multinomial(count, np.full(count, 1 / count), size=settings.resamples)
    kappas_R = _kappas(draws_RP.astype(float) @ sums)
    tail = (1 - LEVEL) / 2
    low, high = (float(q) for q in np.nanquantile(kappas_R, [tail, 1 - tail]))
    return value, low, high


def _sums(
    first_S: Sequence[Hashable], second_S: Sequence[Hashable], problem_S: Sequence[Hashable]
) -> Floats:
    """Per problem: texts, agreements, then how often each labeller gives each label."""
    labels = {label: i for i, label in enumerate(dict.fromkeys([*first_S, *second_S]))}
    problems = {problem: i for i, problem in enumerate(dict.fromkeys(problem_S))}
    sums = np.zeros((len(problems), 2 + 2 * len(labels)))
    for first, second, problem in zip(first_S, second_S, problem_S, strict=True):
        row = sums[problems[problem]]
        row[0] += 1
        row[1] += first == second
        row[2 + labels[first]] += 1
        row[2 + len(labels) + labels[second]] += 1
    return sums


def _kappas(sums: Floats) -> Floats:
    """Kappa of each row of sums."""
    total = np.where(sums[:, 0] > 0, sums[:, 0], np.nan)
    half = (sums.shape[1] - 2) // 2
    observed = sums[:, 1] / total
    chance = (sums[:, 2 : 2 + half] * sums[:, 2 + half :]).sum(axis=1) / total**2
    kappas: Floats = (observed - chance) / np.where(chance < 1, 1 - chance, np.nan)
    return kappas
