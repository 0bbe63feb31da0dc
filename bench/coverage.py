"""How often does a 95% interval of mean pass@1 and pass@8 hold the true mean?

Problems are drawn from a population whose success probabilities follow a Beta distribution, some
of them impossible; 64 attempts are drawn at each. Four intervals over problems are computed on the
same draws and compared with the population's exact mean pass@k:

percentile   bootstrap percentiles
studentised  bootstrap of the mean divided by its standard error
bca          BCa bootstrap
scores       what every table of a run holds (``metrics.intervals.score_intervals``): BCa, widened
             to Wilson's where hardly a success or hardly a failure was seen

95% is the aim. Where all problems share one value, all four are Wilson's.

    python bench/coverage.py [--full] [--trials N] [--out OUT.json]

Quick, about a minute: three populations, 30 and 100 problems, 100 trials (a coverage has a standard
error of 2 points or more). ``--full``, about half an hour: ten populations, 200 problems too, 500.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln

from manyways.metrics.intervals import LEVEL, Resampling, mean_intervals, score_intervals, wilson
from manyways.metrics.pass_at_k import pass_matrix
from manyways.progress import Meter

Floats = NDArray[np.float64]
Bounds = tuple[Floats, Floats]
ATTEMPTS = 64
KS = (1, 8)
PROBLEMS = (30, 100, 200)
LOW, HIGH = 0.93, 0.97
SEEDS = 8
"""Seeds of the resampling, over and over: their draws are kept, which saves most of the time."""


@dataclass(frozen=True)
class Population:
    """Success probabilities: 0 with probability ``impossible``, else Beta(a, b)."""

    name: str
    a: float
    b: float
    impossible: float = 0.0

    def draw(self, random: np.random.Generator, count: int) -> Floats:
        p_P = random.beta(self.a, self.b, size=count)
        return np.where(random.random(count) < self.impossible, 0.0, p_P)

    def pass_at(self, k: int) -> float:
        """``1 - E[(1-p)^k]``, which for a Beta is ``B(a, b+k) / B(a, b)``."""
        missed = np.exp(betaln(self.a, self.b + k) - betaln(self.a, self.b))
        return float((1 - self.impossible) * (1 - missed))


POPULATIONS = (
    Population("Beta(1, 1)", 1, 1),
    Population("Beta(0.5, 0.5)", 0.5, 0.5),
    Population("Beta(0.3, 2)", 0.3, 2),
    Population("Beta(0.05, 2)", 0.05, 2),
    Population("Beta(4, 0.5)", 4, 0.5),
    Population("Beta(2, 0.3)", 2, 0.3),
    Population("50% impossible, Beta(1, 2)", 1, 2, 0.5),
    Population("80% impossible, Beta(1, 3)", 1, 3, 0.8),
    Population("90% impossible, Beta(0.5, 3)", 0.5, 3, 0.9),
    Population("99% impossible, Beta(1, 1)", 1, 1, 0.99),
)
QUICK = (POPULATIONS[0], POPULATIONS[3], POPULATIONS[9])
"""Flat, hard, and nearly all impossible."""


def bootstrap(values_PK: Floats, settings: Resampling) -> Bounds:
    _, low_K, high_K = mean_intervals(values_PK, settings)
    return low_K, high_K


def studentised(values_PK: Floats, settings: Resampling) -> Bounds:
    """Quantiles of ``(m* - m) / se*`` turned around the mean; resamples without spread left out."""
    count = len(values_PK)
    draws_RP = _draws(count, settings.resamples, settings.seed)
    mean_K, error_K = values_PK.mean(axis=0), values_PK.std(axis=0, ddof=1) / np.sqrt(count)
    means_RK = draws_RP @ values_PK
    spread_RK = np.maximum(draws_RP @ values_PK**2 - means_RK**2, 0) / (count - 1)
    low_K, high_K = mean_K.copy(), mean_K.copy()
    for j in np.flatnonzero(error_K > 0):
        use_R = spread_RK[:, j] > 1e-18
        t_R = (means_RK[use_R, j] - mean_K[j]) / np.sqrt(spread_RK[use_R, j])
        tail = (1 - LEVEL) / 2
        high_K[j] -= np.quantile(t_R, tail) * error_K[j]
        low_K[j] -= np.quantile(t_R, 1 - tail) * error_K[j]
    return np.clip(low_K, 0, 1), np.clip(high_K, 0, 1)


@lru_cache(maxsize=SEEDS)
def _draws(count: int, resamples: int, seed: int) -> Floats:
    random = np.random.default_rng(seed)
    return random.multinomial(count, np.full(count, 1 / count), size=resamples) / count


def scores(values_PK: Floats, settings: Resampling) -> Bounds:
    _, low_K, high_K = score_intervals(values_PK, settings)
    return low_K, high_K


METHODS: dict[str, Callable[[Floats, int], Bounds]] = {
    "percentile": lambda x, seed: bootstrap(x, Resampling(seed=seed, kind="percentile")),
    "studentised": lambda x, seed: studentised(x, Resampling(seed=seed)),
    "bca": lambda x, seed: bootstrap(x, Resampling(seed=seed)),
    "scores": lambda x, seed: scores(x, Resampling(seed=seed)),
}


def measure(population: Population, problems: int, trials: int) -> list[dict[str, Any]]:
    """One row per method and k: share covered, shares missed on either side, mean width."""
    random = np.random.default_rng([problems, POPULATIONS.index(population)])
    truth_K = np.array([population.pass_at(k) for k in KS])
    sums = {name: np.zeros((3, len(KS))) for name in METHODS}
    for trial in range(trials):
        correct_P = random.binomial(ATTEMPTS, population.draw(random, problems))
        values_PK = pass_matrix(ATTEMPTS, correct_P, KS)
        for name, method in METHODS.items():
            low_K, high_K = _never_of_width_zero(values_PK, method(values_PK, trial % SEEDS))
            sums[name] += np.stack([truth_K < low_K, truth_K > high_K, high_K - low_K])
    return [
        {
            "population": population.name,
            "problems": problems,
            "method": name,
            "k": k,
            "mean": float(truth_K[i]),
            "covered": float(1 - (total[0, i] + total[1, i]) / trials),
            "too_high": float(total[0, i] / trials),
            "too_low": float(total[1, i] / trials),
            "width": float(total[2, i] / trials),
        }
        for name, total in sums.items()
        for i, k in enumerate(KS)
    ]


def _never_of_width_zero(values_PK: Floats, bounds: Bounds) -> Bounds:
    low_K, high_K = bounds
    for j in np.flatnonzero(np.ptp(values_PK, axis=0) == 0):
        low_K[j], high_K[j] = wilson(values_PK[0, j] * len(values_PK), len(values_PK))
    return low_K, high_K


def table(rows: list[dict[str, Any]]) -> None:
    print(f"{'population':30} problems  k  mean  " + "".join(f"{name:>13}" for name in METHODS))
    keys = list(dict.fromkeys((r["population"], r["problems"], r["k"], r["mean"]) for r in rows))
    for name, problems, k, mean in keys:
        found = {
            r["method"]: r["covered"]
            for r in rows
            if (r["population"], r["problems"], r["k"]) == (name, problems, k)
        }
        shares = "".join(f"{found[method]:13.3f}" for method in METHODS)
        print(f"{name:30} {problems:8} {k:2}  {mean:.3f} {shares}")


def summary(rows: list[dict[str, Any]]) -> None:
    """By number of problems and method, over populations and k."""
    print("problems  method        mean    least   below 93%  above 97%  mean width")
    for problems in sorted({row["problems"] for row in rows}):
        for method in METHODS:
            some = [r for r in rows if (r["problems"], r["method"]) == (problems, method)]
            covered = np.array([r["covered"] for r in some])
            print(
                f"{problems:8}  {method:11}  {covered.mean():.3f}   {covered.min():.3f}   "
                f"{(covered < LOW).sum():2} of {len(some)}   {(covered > HIGH).sum():2} of "
                f"{len(some)}   {np.mean([r['width'] for r in some]):.4f}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="everything; about half an hour")
    parser.add_argument("--trials", type=int, help="default: 100, with --full 500")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    start = time.monotonic()
    trials = arguments.trials or (500 if arguments.full else 100)
    populations, sizes = (POPULATIONS, PROBLEMS) if arguments.full else (QUICK, PROBLEMS[:2])
    cases = [(population, problems) for population in populations for problems in sizes]
    with Meter("coverage", total=len(cases), unit="cases") as meter:
        for population, problems in cases:
            rows += measure(population, problems, trials)
            meter.advance()
    table(rows)
    summary(rows)
    print(f"{trials} trials each, {time.monotonic() - start:.0f} s")
    if arguments.out:
        arguments.out.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
