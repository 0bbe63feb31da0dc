"""Rows of the result tables beside pass@k: avg@N and majority@k, how attempts ended.

Pooling over seeds, names and intervals are as in ``results.tables``.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from manyways.records import BASE, Checkpoint, Phase, Score

MEAN = "mean"
"""The benchmark name of the mean over all benchmarks of a run."""
MATH_MEAN = "mean of six math sets"
"""The benchmark name of the mean over MATH_SETS, where a run has all of them and others too."""
MATH_SETS = (
    "aime24/test", "aime25/test", "amc23/test", "math500/test", "olympiadbench/test",
    "minerva/test",
)  # fmt: skip
"""The six sets over which the paper averages (arXiv 2605.08472)."""


def headline(benchmarks: Iterable[str]) -> str:
    """The benchmark that the answer is about, of those with scores: their mean, or the first.

    Empty where there are none.
    """
    names = list(benchmarks)
    return MEAN if MEAN in names else next(iter(names), "")


def whole_set(benchmark: str) -> str:
    """``math500/test?revision=abc`` -> ``math500/test``; other options make it another set."""
    path, _, query = benchmark.partition("?")
    pinned = all(option.startswith("revision=") for option in query.split("&") if option)
    return path if pinned else benchmark


@dataclass(frozen=True, kw_only=True, slots=True)
class PassRow:
    """pass@k of one checkpoint on one benchmark (``benchmark='mean'``: mean over benchmarks)."""

    checkpoint: str
    arm: str
    seed: int | None
    phase: Phase
    benchmark: str
    k: int
    attempts: int
    score: Score
    seeds: Score | None = None
    """Pooled rows of 3 or more seeds: Student's t interval over the seeds' means (``n`` seeds)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MajorityRow(PassRow):
    """majority@k (``metrics.majority``). Benchmarks of programs have none: texts do not vote."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AverageRow:
    """avg@N: the mean over problems of the share of correct attempts, all N of them.

    least, most: fewest and most attempts at a problem (N, where they agree), per seed.
    error:       standard error across attempts: how far ``score.value`` would move if the same
                 problems were attempted anew. None when a problem has a single attempt. The
                 interval of ``score`` is over problems and holds this luck too.
    """

    checkpoint: str
    arm: str
    seed: int | None
    phase: Phase
    benchmark: str
    least: int
    most: int
    score: Score
    error: float | None
    seeds: Score | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RateRow:
    """Shares of attempts of one checkpoint on one benchmark, each in [0, 1].

    Pooled over seeds: of all attempts. Mean over benchmarks: the average of their shares.
    """

    checkpoint: str
    benchmark: str
    attempts: int
    correct: float
    wrong: float
    no_answer: float
    undecided: float
    truncated: float
    mean_tokens: float

    @property
    def measured(self) -> bool:
        """Whether this is one checkpoint on one benchmark, not a summary of several."""
        checkpoint = Checkpoint.parse(self.checkpoint)
        single = checkpoint == BASE or checkpoint.seed is not None
        return single and self.benchmark not in (MEAN, MATH_MEAN)
