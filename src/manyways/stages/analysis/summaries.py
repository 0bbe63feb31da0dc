"""From one value per checkpoint and benchmark to those over seeds and over benchmarks."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from manyways.records import Checkpoint
from manyways.results.scores import MATH_MEAN, MATH_SETS, MEAN, whole_set

T = TypeVar("T")


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
