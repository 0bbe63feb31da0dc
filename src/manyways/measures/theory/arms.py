"""Rows between arms: random, wrong and budget data, and pass@k of many ways and few."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from manyways.arms import parse_arm
from manyways.measures.paired import seed_gaps
from manyways.measures.predictions import BETWEEN, Expectation, PredictionRow, Quantity
from manyways.measures.score_curves import Curve, common, mean_score, over_seeds, score
from manyways.measures.solutions import Policy, Solutions, contrast, count_openings, labels_of
from manyways.metrics.intervals import Resampling, bootstrap_means
from manyways.metrics.pass_at_k import crossover
from manyways.records import Checkpoint
from manyways.reporting.words import plus

if TYPE_CHECKING:
    from manyways.measures.paired import PairedRow


SAME = 0.05
"""Two arms with a smaller difference in pass@k count as the same."""


SURE = 0.975
"""The least share of resamples in which curves must cross for k* to have an interval."""


def random_rows(pairs: "Sequence[PairedRow]", many: str, benchmark: str) -> Iterator[PredictionRow]:
    """One heuristic per problem, random or in equal shares, against many (A4)."""
    if not many:
        return
    others = ({many, "random"}, {many, parse_arm(many).as_kind("matched")})
    words = f"within {SAME} of 0, if the model cannot tell problems apart"
    expected = Expectation(words=words, side="near", margin=SAME)
    for row in pairs:
        arms = {Checkpoint.parse(row.a).arm, Checkpoint.parse(row.b).arm}
        if arms in others and row.benchmark == benchmark:
            quantity = Quantity(
                part=BETWEEN,
                name=f"Difference in pass@{row.k}",
                proposition="A4",
                of=f"{row.a} − {row.b}",
            )
            yield quantity.row(expected, row.difference, row.seeds)


def wrong_rows(wrong: Curve, right: Curve, settings: Resampling) -> Iterator[PredictionRow]:
    """Success before RL: wrong solutions against correct ones (F1, F3)."""
    problems, _ = common([wrong, right])
    if not problems:
        return
    a, b = wrong.on(problems, [1]), right.on(problems, [1])
    both_PK = np.concatenate([a.values_PK, b.values_PK], axis=1)
    mean_K, means_RK = bootstrap_means(both_PK, settings, a.strata_P)
    name = "Success at the start, as a ratio"
    of = f"{wrong.checkpoint.name} / {right.checkpoint.name}"
    quantity = Quantity(part=BETWEEN, name=name, proposition="F1, F3", of=of)
    below = Expectation(words="below 1: wrong modes earn nothing", side="below", reference=1.0)
    near = Expectation(
        words="within 0.1 of 0, the share of correct examples, after an exact fit",
        side="near",
        margin=0.1,
    )
    if not mean_K[1]:
        yield quantity.row(below, None, note=f"{right.checkpoint.name} is never right")
        return
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = np.nanquantile(means_RK[:, 0] / means_RK[:, 1], [0.025, 0.975])
    if not np.isfinite(high):
        note = f"{right.checkpoint.name} is right too seldom for a ratio"
        yield quantity.row(below, None, note=note)
        return
    measured = score(name, (mean_K[0] / mean_K[1], low, high), len(problems))
    shared = sorted(set(a.seeds) & set(b.seeds))
    each = [(a.mean_K(a.seeds[s])[0], b.mean_K(b.seeds[s])[0]) for s in shared]
    ratios = [float(x / y) for x, y in each if y]
    seeds = over_seeds(name, ratios) if len(ratios) == len(each) else None
    note = f"pass@1 {mean_K[0]:.3f} against {mean_K[1]:.3f}"
    yield quantity.row(below, measured, seeds, note=note)
    yield quantity.row(near, measured, seeds, note=note)


def growth_row(
    wide: Curve, narrow: Curve, settings: Resampling, *, proposition: str, words: str
) -> PredictionRow:
    """The growth of the wider policy's lead from k = 1 to the largest k."""
    gap_PK = wide.values_PK - narrow.values_PK
    name = f"Lead at pass@{wide.ks[-1]} − lead at pass@1"
    growth_P = gap_PK[:, -1] - gap_PK[:, 0]
    lead_K = wide.mean_K(gap_PK)
    of = f"{wide.checkpoint.name} − {narrow.checkpoint.name}"
    quantity = Quantity(part=BETWEEN, name=name, proposition=proposition, of=of)
    return quantity.row(
        Expectation(words=f"above 0: {words}", side="above"),
        mean_score(name, growth_P, settings, wide.strata_P),
        over_seeds(name, [float(gap_K[-1] - gap_K[0]) for gap_K in seed_gaps(wide, narrow)]),
        note=f"lead {plus(lead_K[0], 3)} at k = 1, {plus(lead_K[-1], 3)} at k = {wide.ks[-1]}",
    )


def crossover_row(wide: Curve, narrow: Curve, settings: Resampling) -> PredictionRow:
    """The k from which the wider policy leads the narrower one (E3)."""
    ks = list(wide.ks)
    both_PK = np.concatenate([narrow.values_PK, wide.values_PK], axis=1)
    mean_K, means_RK = bootstrap_means(both_PK, settings, wide.strata_P)
    value, *found = (crossover(ks, x[: len(ks)], x[len(ks) :]) for x in (mean_K, *means_RK))
    crossed = [k for k in found if k is not None]
    name = "Crossover k*"
    quantity = Quantity(
        part=BETWEEN,
        name=name,
        proposition="E3",
        of=f"{wide.checkpoint.name} overtakes {narrow.checkpoint.name}",
    )
    expected = Expectation(
        words="one k above 1, if the narrower leads at k = 1", side="above", reference=1.0
    )
    share = len(crossed) / len(found)
    note = f"crosses in {share:.0%} of the resamples, k up to {ks[-1]}"
    if value is None or share < SURE:
        led = float((means_RK[:, 0] > means_RK[:, len(ks)]).mean())
        return quantity.row(
            expected, None, note=f"{note}; the narrower leads at k = 1 in {led:.0%}"
        )
    low, high = np.quantile(crossed, [0.025, 0.975])
    return quantity.row(expected, score(name, (value, low, high), len(wide.problems)), note=note)


def budget_row(
    many: Policy, one: Policy, natural: Mapping[str, float], settings: Resampling, *, ways: int
) -> PredictionRow:
    """G2: do those heuristics gain most that the arm of one way per problem seldom has?

    natural: heuristic -> its share of the examples of that arm.
    """
    labels = labels_of([*many.seeds.values(), *one.seeds.values()])
    rare = [label in natural and natural[label] < 1 / ways for label in labels]
    often = [label in natural and natural[label] >= 1 / ways for label in labels]
    name = "Gain of seldom heuristics − gain of frequent ones"
    quantity = Quantity(part=BETWEEN, name=name, proposition="G2", of=f"{many.name} − {one.name}")
    expected = Expectation(words="above 0: forcing helps what is seldom chosen", side="above")
    shares = ", ".join(f"{label} {q:.2f}" for label, q in natural.items())
    note = (
        f"gain: in the share of attempts that are right and open with it; natural shares: {shares}"
    )
    if not any(rare) or not any(often):
        return quantity.row(expected, None, note=f"nothing to contrast at 1/{ways}; {note}")

    def tilt(solutions: Solutions) -> dict[str, float]:
        names, found = count_openings(solutions, labels)
        earned_PH = found.right_PH / found.tried_PH.sum(axis=1, keepdims=True)
        lean_P = earned_PH[:, rare].mean(axis=1) - earned_PH[:, often].mean(axis=1)
        return dict(zip(names, lean_P.tolist(), strict=True))

    measured, seeds = contrast(name, many.values(tilt), one.values(tilt), settings)
    return quantity.row(expected, measured, seeds, note=note)


def side_by_side(a: Curve, b: Curve) -> tuple[Curve, Curve] | None:
    """Both curves on their common problems and k; None without a common problem or a second k."""
    problems, ks = common([a, b])
    return (a.on(problems, ks), b.on(problems, ks)) if problems and len(ks) > 1 else None
