"""Names of benchmarks and their means, and what is pooled over seeds and over benchmarks."""

from collections.abc import Callable, Container, Hashable, Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

from manyways.records import Checkpoint, Phase

T = TypeVar("T")


MEAN = "mean"
"""The benchmark name of the mean over all benchmarks of a run."""
MATH_MEAN = "mean of six math sets"
"""The benchmark name of the mean over MATH_SETS, where a run has all of them and others too."""
OPEN_MEAN = "mean without choices"
"""The benchmark name of the mean over those whose answers cannot be guessed from a few options."""
MEANS = (OPEN_MEAN, MEAN, MATH_MEAN)
"""In the order in which they are shown, before single benchmarks."""
SEEDS_FOR_T = 3
"""From so many seeds on there is an interval over seeds, which holds the luck of training."""


ALL = "all"
"""Benchmark name of rows over the attempts on all benchmarks together."""
SEED_DATA = "seed data"
"""The benchmark name under which the kept solutions themselves are described."""


MATH_SETS = (
    "aime24/test", "aime25/test", "amc23/test", "math500/test", "olympiadbench/test",
    "minerva/test",
)  # fmt: skip
"""The six sets over which the paper averages (arXiv 2605.08472)."""


def headline(benchmarks: Iterable[str]) -> str:
    """The benchmark that the answer is about, of those with scores: their mean, or the first.

    A choice set can be guessed: of several attempts at a question with four options, one is right
    by chance. So the mean leaves choice sets out where there are other benchmarks. Empty without
    scores.
    """
    names = list(benchmarks)
    return next((mean for mean in (OPEN_MEAN, MEAN) if mean in names), next(iter(names), ""))


def without_revision(benchmark: str) -> str:
    """``math500/test?revision=abc`` -> ``math500/test``; other options make it another set."""
    path, _, query = benchmark.partition("?")
    pinned = all(option.startswith("revision=") for option in query.split("&") if option)
    return path if pinned else benchmark


def summarise(
    single: Iterable[tuple[Checkpoint, str, T]],
    members: Mapping[str, Sequence[str]],
    *,
    merge: Callable[[list[T], str], T],
    mean: Callable[[list[T], str], T],
) -> dict[tuple[str, str], T]:
    """(checkpoint, benchmark) -> value: per seed, pooled over seeds, and means over benchmarks.

    A mean exists for checkpoints that have all its benchmarks.

    members: of each mean; see ``means``.
    merge: merges the values of a checkpoint over its seeds; it also gets the name without a seed.
    mean: averages the values of a checkpoint over benchmarks; it also gets the name of the mean.
    """
    every: dict[tuple[str, str], T] = {}
    pooled: dict[tuple[str, str], list[T]] = {}
    for checkpoint, benchmark, value in single:
        every[checkpoint.name, benchmark] = value
        if checkpoint.seed is not None:
            pooled.setdefault((checkpoint.pooled, benchmark), []).append(value)
    every |= {(name, b): merge(of_seeds, name) for (name, b), of_seeds in pooled.items()}
    for label, averaged in members.items():
        for name in dict.fromkeys(name for name, _ in every):
            values = [every[name, b] for b in averaged if (name, b) in every]
            if len(values) == len(averaged):
                every[name, label] = mean(values, label)
    return every


def means(benchmarks: Sequence[str], choices: Container[str]) -> dict[str, list[str]]:
    """Name of a mean over benchmarks -> its members, for the means that these benchmarks have.

    The mean over every benchmark needs two or more. The mean without choice sets needs choice sets
    and others. The mean over the six math sets needs all six and at least one other.
    """
    found = {MEAN: list(benchmarks)} if len(benchmarks) > 1 else {}
    without = [name for name in benchmarks if name not in choices]
    if 0 < len(without) < len(benchmarks):
        found[OPEN_MEAN] = without
    math = [name for name in benchmarks if without_revision(name) in MATH_SETS]
    if len(math) == len(MATH_SETS) < len(benchmarks):
        found[MATH_MEAN] = math
    return found


class OfCheckpoint(Protocol):
    """A row about one checkpoint."""

    @property
    def checkpoint(self) -> str:
        """Its name: ``base``, ``<arm>/<phase>`` or ``<arm>/seed-<s>/<phase>``."""
        ...

    @property
    def arm(self) -> str:
        """Its arm."""
        ...

    @property
    def phase(self) -> Phase:
        """How far it was trained."""
        ...


R = TypeVar("R", bound=OfCheckpoint)


def prefer_pooled(rows: Iterable[R], key: Callable[[R], Hashable]) -> list[R]:
    """Where a row pooled over seeds exists beside those of single seeds, only the pooled one."""
    groups: dict[Hashable, list[R]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    chosen = []
    for group in groups.values():
        chosen += [row for row in group if Checkpoint.parse(row.checkpoint).seed is None] or group
    return chosen


def benchmark_words(name: str) -> str:
    """The name of a benchmark within a sentence."""
    said = {
        MEAN: "the mean of all benchmarks",
        OPEN_MEAN: "the mean of all benchmarks without multiple choice",
        ALL: "all benchmarks together",
    }
    return said.get(name, name)
