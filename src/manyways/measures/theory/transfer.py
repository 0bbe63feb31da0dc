"""Composition on problems whose parts were trained alone (D4).

If no two problems share parameters, a policy cannot begin to compose there (D4 i). If problems
share preferences by part, it composes there as far as RL raises these preferences at single parts
(D4 ii).

The measurement needs training data and RL problems of one part, and benchmarks that join these
parts (*joined* problems). The tag ``operations`` of a problem lists its parts.

Assume that a policy solves each part of a joined problem as it solves the part alone. Then the
problems of one part give a composition rate for joined ones (``composed_if_alone``). In the
log-linear model of D4 this is stickiness 0. The rate grows with the preferences by part, so its
change through RL shows whether RL raised them. If attempts at joined problems are composed less
often than that, they stick to the heuristic with which they began.

Shapes: _P problems of one part, _J joined problems, _H labels, _T parts, _R the value, resamples.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from manyways.measures.predictions import THROUGH, Expectation, PredictionRow, Quantity
from manyways.measures.score_curves import over_seeds, resampled_score
from manyways.measures.solutions import (
    Policy,
    Solutions,
    Values,
    both_means,
    contrast,
    count_openings,
    labels_of,
    restrict_to,
)
from manyways.measures.theory.training import composition_rates
from manyways.metrics.intervals import Floats, Resampling, draw_counts
from manyways.metrics.modes import composed_if_alone
from manyways.records import Problem

if TYPE_CHECKING:
    from manyways.context import Context


TAG = "operations"


@dataclass(frozen=True, kw_only=True)
class PartSets:
    """Problems that join parts which training had alone; or why there are none.

    joined: problem (as in ``Solutions.problem``) -> the operations of its parts.
    alone:  problem of one part -> its operation, of benchmarks.
    taught: problem id -> its operation, of the problems trained on.
    why:    why there are no joined problems.
    """

    joined: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    alone: Mapping[str, str] = field(default_factory=dict)
    taught: Mapping[str, str] = field(default_factory=dict)
    why: str = ""

    @property
    def by_part(self) -> Mapping[str, str]:
        """Problem of one part -> its operation; empty if benchmarks have no such problem."""
        return {**self.taught, **self.alone} if self.alone else {}


def read_parts(ctx: "Context") -> PartSets:
    """Read the tags of all problems that the run trains on and evaluates."""
    recipe = ctx.recipe
    trained = [
        *ctx.problems(recipe.generate.problems, recipe.generate.limit),
        *(p for name, limit in recipe.rl_problems.items() for p in ctx.problems(name, limit)),
    ]
    benchmarks = {name: ctx.problems(name, recipe.evaluate.limit) for name in recipe.benchmarks}
    return parts_of(trained, benchmarks)


def parts_of(trained: Sequence[Problem], benchmarks: Mapping[str, Sequence[Problem]]) -> PartSets:
    """As ``read_parts``, from problems that are already loaded."""
    if not all(problem.tags.get(TAG) for problem in trained):
        return PartSets(why=f"the problem sets do not say which parts a problem has (tag '{TAG}')")
    several = sum(len(_parts(problem)) > 1 for problem in trained)
    if several:
        return PartSets(
            why=f"{several:,} of the {len(trained):,} problems trained on join several parts "
            "already; it needs training on single parts"
        )
    known = {part for problem in trained for part in _parts(problem)}
    asked = {
        f"{name} {problem.id}": parts
        for name, problems in benchmarks.items()
        for problem in problems
        if (parts := _parts(problem)) and known.issuperset(parts)
    }
    joined = {name: parts for name, parts in asked.items() if len(set(parts)) > 1}
    alone = {name: parts[0] for name, parts in asked.items() if len(parts) == 1}
    return PartSets(
        joined=joined,
        alone=alone,
        taught={problem.id: _parts(problem)[0] for problem in trained},
        why="" if joined else "no benchmark joins the parts trained on",
    )


def _parts(problem: Problem) -> tuple[str, ...]:
    return tuple(problem.tags.get(TAG, "").split())


NAME = "Change of the composition rate on problems whose parts were trained apart"


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The checkpoints that D4 compares.

    before, after: before and after RL, of the main arm.  base: before all training.
    few: (before, after) of the arm that was taught one way, if there is one.
    """

    before: Policy
    after: Policy
    base: Policy | None = None
    few: tuple[Policy, Policy] | None = None


def transfer_rows(
    trained: Trained, sets: PartSets, settings: Resampling
) -> Iterator[PredictionRow]:
    """How that rate changes: through RL, with many ways rather than few, by all training.

    If no problem joins parts that were trained alone, one row says why.
    """
    before, after, base = trained.before, trained.after, trained.base
    shared = _above("preferences by part are shared between problems")
    quantity = _quantity(NAME, f"{after.name} − {before.name}")
    if sets.why:
        yield quantity.unmeasured(shared, sets.why)
        return
    ends, starts = _rates(after, sets), _rates(before, sets)
    yield _change(quantity, shared, (ends, starts), settings)
    if trained.few:
        few_before, few_after = trained.few
        quantity = _quantity(
            f"{NAME}, many ways − few",
            f"({after.name} − {before.name}) − ({few_after.name} − {few_before.name})",
        )
        expected = _above("one way leaves RL no choice by part to strengthen")
        gains = _gains(ends, starts), _gains(_rates(few_after, sets), _rates(few_before, sets))
        yield _change(quantity, expected, gains, settings, words=("many ways", "few"))
    if base and base is not before:
        quantity = _quantity(f"{NAME}, by all training", f"{after.name} − {base.name}")
        yield _change(quantity, shared, (ends, _rates(base, sets)), settings)
    yield from alone_rows(before, after, sets, settings)


def _above(words: str) -> Expectation:
    return Expectation(words=f"above 0, if {words}", side="above")


def _quantity(name: str, of: str) -> Quantity:
    return Quantity(part=THROUGH, name=name, proposition="D4", of=of)


def _change(
    quantity: Quantity,
    expected: Expectation,
    sides: tuple[Values, Values],
    settings: Resampling,
    *,
    words: tuple[str, str] = ("after", "before"),
) -> PredictionRow:
    """The row of the first side minus the second; its note says both."""
    measured, seeds = contrast(quantity.name, *sides, settings)
    if not measured:
        return quantity.unmeasured(expected, "no such problem has attempts on both sides")
    quoted = zip(both_means(*sides), words, strict=True)
    first, second = (f"{mean:.3f} {word}" for mean, word in quoted)
    return quantity.row(expected, measured, seeds, note=f"{second}, {first}")


def _rates(policy: Policy, sets: PartSets) -> Values:
    """Joined problem -> share of composed attempts."""
    return policy.values(lambda solutions: composition_rates(restrict_to(solutions, sets.joined)))


def _gains(ends: Values, starts: Values) -> Values:
    """The differences per seed and problem. The base model counts for every seed."""
    return {
        seed: {name: rate - begun[name] for name, rate in rates.items() if name in begun}
        for seed, rates in ends.items()
        if (begun := starts.get(seed, starts.get(None)))
    }


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """The problems, and how often each is in the data (row 0: once) and in each resample.

    Problems of one part are drawn within their operation, so that no resample lacks an operation.
    """

    parts_J: Sequence[tuple[str, ...]]
    joined: Sequence[str]
    joined_RJ: Floats
    alone: Mapping[str, Sequence[str]]
    alone_RP: Mapping[str, Floats]


def alone_rows(
    before: Policy, after: Policy, sets: PartSets, settings: Resampling
) -> Iterator[PredictionRow]:
    """Did RL raise preferences by part, and do these act unchanged where parts meet?"""
    seeds = [seed for seed in after.seeds if seed in before.seeds or None in before.seeds]
    pairs = [(before.seeds.get(s) or before.seeds[None], after.seeds[s]) for s in seeds]
    drawn = _drawn([one for pair in pairs for one in pair], sets, settings)
    expected = (
        Expectation(words="above 0: RL on single parts raises preferences by part", side="above"),
        Expectation(words="no sign: 0 if parts are solved as alone, below 0 if heuristics stick",
                    side=None),
    )  # fmt: skip
    quantities = (
        _quantity(
            "Change of the composition rate expected of parts as they are solved alone",
            f"{after.name} − {before.name}",
        ),
        _quantity("Composition rate where parts meet − as expected of them alone", after.name),
    )
    if drawn is None:
        for quantity, words in zip(quantities, expected, strict=True):
            yield quantity.unmeasured(words, "not every part was evaluated alone as well")
        return
    labels = labels_of([one for pair in pairs for one in pair])
    starts, ends = ([_expected(pair[side], labels, drawn) for pair in pairs] for side in (0, 1))
    found = [_observed(pair[1], drawn) for pair in pairs]
    for quantity, words, sides, names in zip(
        quantities, expected, ((ends, starts), (found, ends)),
        (("after", "before"), ("where they meet", "as alone")), strict=True,
    ):  # fmt: skip
        yield _gap(quantity, words, sides, names, problems=len(drawn.joined))


def _gap(
    quantity: Quantity,
    expected: Expectation,
    sides: tuple[list[Floats], list[Floats]],
    names: tuple[str, str],
    *,
    problems: int,
) -> PredictionRow:
    """The row of the first side minus the second, as a mean over seeds for each resample."""
    gaps_R = [one - other for one, other in zip(*sides, strict=True)]
    mean_R = np.mean(gaps_R, axis=0)
    first, second = (
        f"{np.mean([rates_R[0] for rates_R in side]):.3f} {name}"
        for side, name in zip(sides, names, strict=True)
    )
    return quantity.row(
        expected,
        resampled_score(quantity.name, mean_R, problems),
        over_seeds(quantity.name, [float(gap_R[0]) for gap_R in gaps_R]),
        note=f"{second}, {first}",
    )


def _drawn(every: Sequence[Solutions], sets: PartSets, settings: Resampling) -> Drawn | None:
    """The problems at which all of ``every`` have attempts; None if a part is missing."""
    tried = set.intersection(*(set(one.problem) for one in every)) if every else set()
    alone: dict[str, list[str]] = {}
    for problem, part in sorted(sets.alone.items()):
        if problem in tried:
            alone.setdefault(part, []).append(problem)
    joined = sorted(
        p for p, parts in sets.joined.items() if p in tried and alone.keys() >= {*parts}
    )
    if not joined:
        return None
    return Drawn(
        parts_J=[sets.joined[problem] for problem in joined],
        joined=joined,
        joined_RJ=_times(len(joined), settings, 0),
        alone=alone,
        alone_RP={
            part: _times(len(problems), settings, number)
            for number, (part, problems) in enumerate(alone.items(), start=1)
        },
    )


def _times(count: int, settings: Resampling, number: int) -> Floats:
    again = draw_counts(count, Resampling(resamples=settings.resamples, seed=number))
    return np.vstack([np.ones(count), again])


def _expected(solutions: Solutions, labels: Sequence[str], drawn: Drawn) -> Floats:
    """The rate at the joined problems that follows from single parts, (R,)."""
    names, found = count_openings(solutions, labels)
    place = {name: row for row, name in enumerate(names)}
    mass = {}
    for part, problems in drawn.alone.items():
        counts_RH = drawn.alone_RP[part] @ found.tried_PH[[place[name] for name in problems]]
        mass[part] = counts_RH / counts_RH.sum(axis=1, keepdims=True)
    rates = {
        parts: composed_if_alone(np.stack([mass[part] for part in parts], axis=1))
        for parts in set(drawn.parts_J)
    }
    rate_RJ = np.stack([rates[parts] for parts in drawn.parts_J], axis=1)
    return np.asarray((rate_RJ * drawn.joined_RJ).sum(axis=1) / drawn.joined_RJ.sum(axis=1))


def _observed(solutions: Solutions, drawn: Drawn) -> Floats:
    """The measured rate at the joined problems, (R,)."""
    rates = composition_rates(solutions)
    rate_J = np.array([rates[problem] for problem in drawn.joined])
    return np.asarray(drawn.joined_RJ @ rate_J / drawn.joined_RJ.sum(axis=1))
