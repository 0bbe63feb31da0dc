"""Differences in pass@k between checkpoints on the same problems."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from manyways.arms import Arm
from manyways.arms.kinds import KINDS
from manyways.metrics.intervals import difference_intervals, sign_flip
from manyways.metrics.resampling import Resampling
from manyways.records import Score
from manyways.results.scores import MEAN
from manyways.results.tables import PairedRow
from manyways.stages.analysis.evaluated import BASE
from manyways.stages.analysis.passes import Curve, Curves, common, over_seeds, score


def comparisons(arms: Sequence[Arm]) -> list[tuple[str, str]]:
    """The pairs (a, b) of pooled checkpoints that are compared, most important first.

    Every RL checkpoint with vanilla RL and with the base, every mid-trained one with the base,
    and the contrasts that the arms exist for: many ways with one self-chosen, with one random
    way, with one way each in equal shares and with wrong ones, the budget arms with the one of
    fewest ways; the same among variants of one length; every variant with its arm; and a later
    round, which trains for longer, with the longest training of the first.
    """
    trained = [arm for arm in arms if arm.midtrains]
    pairs = [(f"{arm.name}/rl", "vanilla/rl") for arm in trained]
    pairs += [(f"{arm.name}/rl", BASE) for arm in arms]
    pairs += [(f"{arm.name}/mid", BASE) for arm in trained]
    suffixes = sorted({arm.suffix for arm in arms})
    contrasts = [c for s in suffixes for c in _contrasts([a for a in arms if a.suffix == s], s)]
    contrasts += [(arm.name, arm.parent) for arm in arms if arm.parent]
    contrasts += [pair for arm in arms if arm.round > 1 for pair in _longest(arm, arms)]
    return pairs + [
        (f"{a}/{phase}", f"{b}/{phase}") for a, b in contrasts for phase in ("rl", "mid")
    ]


def _contrasts(arms: Sequence[Arm], suffix: str) -> Iterator[tuple[str, str]]:
    """The contrasts among arms whose names end in ``suffix``; some may not be in the recipe."""
    many = sorted((arm for arm in arms if arm.kind.name == "heuristics"), key=lambda a: -a.ways)
    for kind in KINDS:
        of_kind = [arm for arm in arms if arm.kind is kind]
        if kind.against == "every":
            yield from ((arm.name, other.name) for arm in many for other in of_kind)
        if kind.against == "same":
            yield from ((f"heuristics-{arm.ways}{suffix}", arm.name) for arm in of_kind)
        if kind.against == "fewest":
            by_ways = sorted(of_kind, key=lambda arm: arm.ways)
            yield from ((arm.name, by_ways[0].name) for arm in by_ways[1:])


def _longest(later: Arm, arms: Sequence[Arm]) -> Iterator[tuple[str, str]]:
    own = (later.kind, later.ways)
    first = [a for a in arms if a.steps and a.round == 1 and (a.kind, a.ways) == own]
    if first:
        yield later.name, max(first, key=lambda arm: arm.steps or 0).name


def paired_rows(
    curves: Curves, pairs: Sequence[tuple[str, str]], settings: Resampling
) -> Iterator[PairedRow]:
    """Each pair that has curves, per benchmark and for their mean, at k = 1 and the largest k."""
    benchmarks = sorted({benchmark for _, benchmark in curves}, key=lambda b: (b != MEAN, b))
    for a, b in pairs:
        for benchmark in benchmarks:
            if (a, benchmark) in curves and (b, benchmark) in curves:
                yield from _rows(curves[a, benchmark], curves[b, benchmark], settings)


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """``a - b`` in pass@k over their common problems; ``a`` and ``b`` are cut to those and to k."""

    k: int
    score: Score
    p: float
    a: Curve
    b: Curve


def differences(a: Curve, b: Curve, settings: Resampling) -> Iterator[Difference]:
    """At k = 1 and the largest k that both have; nothing without a common problem."""
    problems, ks = common([a, b])
    if not problems or not ks:
        return
    chosen = sorted({1, max(ks)})
    a, b = a.on(problems, chosen), b.on(problems, chosen)
    difference_PK = a.values_PK - b.values_PK
    mean_K, low_K, high_K = difference_intervals(difference_PK, settings, a.strata_P)
    for i, k in enumerate(chosen):
        bounds = (mean_K[i], low_K[i], high_K[i])
        yield Difference(
            k=k,
            score=score(f"difference in pass@{k}", bounds, len(problems)),
            p=sign_flip(difference_PK[:, i], settings, a.strata_P),
            a=a.on(problems, [k]),
            b=b.on(problems, [k]),
        )


def _rows(a: Curve, b: Curve, settings: Resampling) -> Iterator[PairedRow]:
    for found in differences(a, b, settings):
        yield PairedRow(
            a=a.checkpoint.name,
            b=b.checkpoint.name,
            benchmark=a.benchmark,
            k=found.k,
            difference=found.score,
            p=found.p,
            seeds=over_seeds(found.score.name, _seed_differences(found.a, found.b)),
        )


def _seed_differences(a: Curve, b: Curve) -> list[float]:
    """Per seed, a - b at the one k; a checkpoint without seeds (the base) stands for all."""
    seeds = set(a.seeds or b.seeds) & set(b.seeds or a.seeds)
    differences = [
        a.mean_K(a.seeds.get(s, a.values_PK))[0] - b.mean_K(b.seeds.get(s, b.values_PK))[0]
        for s in sorted(seeds)
    ]
    return [float(np.round(d, 12)) for d in differences]
