"""Names of benchmarks and their means, and what is pooled over seeds and over benchmarks."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Protocol, TypeVar

from manyways.records import Checkpoint

T = TypeVar("T")


MEAN = "mean"
"""The benchmark name of the mean over all benchmarks of a run."""
MATH_MEAN = "mean of six math sets"
"""The benchmark name of the mean over MATH_SETS, where a run has all of them and others too."""


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

    Empty where there are none.
    """
    names = list(benchmarks)
    return MEAN if MEAN in names else next(iter(names), "")


def whole_set(benchmark: str) -> str:
    """``math500/test?revision=abc`` -> ``math500/test``; other options make it another set."""
    path, _, query = benchmark.partition("?")
    pinned = all(option.startswith("revision=") for option in query.split("&") if option)
    return path if pinned else benchmark


def summarised(
    single: Iterable[tuple[Checkpoint, str, T]],
    benchmarks: Sequence[str],
    *,
    pool: Callable[[list[T], str], T],
    mean: Callable[[list[T], str], T],
) -> dict[tuple[str, str], T]:
    """(checkpoint, benchmark) -> value: per seed, pooled over seeds, and means over benchmarks.

    A mean exists for checkpoints that have all its benchmarks: that over every benchmark where
    there are two or more, that over the six math sets where there are those and others.

    pool: of one checkpoint's values over its seeds; also given the name without a seed.
    mean: of one checkpoint's values over benchmarks; also given the name of the mean.
    """
    every: dict[tuple[str, str], T] = {}
    pooled: dict[tuple[str, str], list[T]] = {}
    for checkpoint, benchmark, value in single:
        every[checkpoint.name, benchmark] = value
        if checkpoint.seed is not None:
            pooled.setdefault((checkpoint.pooled, benchmark), []).append(value)
    every |= {(name, b): pool(of_seeds, name) for (name, b), of_seeds in pooled.items()}
    for label, members in means(benchmarks).items():
        for name in dict.fromkeys(name for name, _ in every):
            parts = [every[name, b] for b in members if (name, b) in every]
            if len(parts) == len(members):
                every[name, label] = mean(parts, label)
    return every


def means(benchmarks: Sequence[str]) -> dict[str, list[str]]:
    """Name of a mean over benchmarks -> its members, for the means that these benchmarks have."""
    found = {MEAN: list(benchmarks)} if len(benchmarks) > 1 else {}
    math = [name for name in benchmarks if whole_set(name) in MATH_SETS]
    if len(math) == len(MATH_SETS) < len(benchmarks):
        found[MATH_MEAN] = math
    return found


class _OfCheckpoint(Protocol):
    @property
    def checkpoint(self) -> str: ...


R = TypeVar("R", bound=_OfCheckpoint)


def prefer_pooled(rows: Iterable[R], key: Callable[[R], Hashable]) -> list[R]:
    """Where a row pooled over seeds exists beside those of single seeds, only the pooled one."""
    groups: dict[Hashable, list[R]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    chosen = []
    for group in groups.values():
        chosen += [row for row in group if Checkpoint.parse(row.checkpoint).seed is None] or group
    return chosen


def in_words(name: str) -> str:
    """The name of a benchmark within a sentence."""
    return {MEAN: "the mean of all benchmarks", ALL: "all benchmarks together"}.get(name, name)
