"""How parts are solved when each is asked alone, and what that lets expect where they meet (D4).

If a part were given its heuristic as it is alone, whatever stands beside it, a joined problem would
be composed at a rate that follows from the problems of one part (``composed_if_alone``). In the
log-linear model of D4 that is stickiness 0. The rate grows with the preferences by part, so its
change through RL says whether RL raised them; attempts at joined problems composed more seldom than
that stick to the heuristic that they began with.
Shapes: _P problems of one part, _J joined problems, _H labels, _T parts, _R the value, resamples.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manyways.metrics.composition import composed_if_alone
from manyways.metrics.resampling import Resampling, resamples
from manyways.results.theory import Part, PredictionRow
from manyways.stages.analysis.apart import Apart
from manyways.stages.analysis.change import composed
from manyways.stages.analysis.contrasts import Policy, labels_of, numbered
from manyways.stages.analysis.expectation import Expectation, Quantity
from manyways.stages.analysis.passes import over_seeds, score
from manyways.stages.analysis.ways import Solutions

PART: Part = "through RL"
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """The problems, and how often each is in the data (row 0, once) and in each resample.

    Problems of one part are drawn within their operation, so that no resample lacks one.
    """

    parts_J: Sequence[tuple[str, ...]]
    joined: Sequence[str]
    joined_RJ: Floats
    alone: Mapping[str, Sequence[str]]
    alone_RP: Mapping[str, Floats]


def alone_rows(
    before: Policy, after: Policy, apart: Apart, settings: Resampling
) -> Iterator[PredictionRow]:
    """Whether RL raised preferences by part, and whether they act unchanged where parts meet."""
    seeds = [seed for seed in after.seeds if seed in before.seeds or None in before.seeds]
    pairs = [(before.seeds.get(s) or before.seeds[None], after.seeds[s]) for s in seeds]
    drawn = _drawn([one for pair in pairs for one in pair], apart, settings)
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
        why = "cannot be measured here because not every part was evaluated alone as well"
        for quantity, words in zip(quantities, expected, strict=True):
            yield quantity.row(words, None, note=why)
        return
    labels = labels_of([one for pair in pairs for one in pair])
    starts, ends = ([_expected(pair[side], labels, drawn) for pair in pairs] for side in (0, 1))
    found = [_observed(pair[1], drawn) for pair in pairs]
    for quantity, words, sides, names in zip(
        quantities, expected, ((ends, starts), (found, ends)),
        (("after", "before"), ("where they meet", "as alone")), strict=True,
    ):  # fmt: skip
        yield _row(quantity, words, sides, names, problems=len(drawn.joined))


def _quantity(name: str, of: str) -> Quantity:
    return Quantity(part=PART, name=name, proposition="D4", of=of)


def _row(
    quantity: Quantity,
    expected: Expectation,
    sides: tuple[list[Floats], list[Floats]],
    names: tuple[str, str],
    *,
    problems: int,
) -> PredictionRow:
    """Mean over seeds of the first side minus the second, per resample; both sides in words."""
    gaps_R = [one - other for one, other in zip(*sides, strict=True)]
    mean_R = np.mean(gaps_R, axis=0)
    low, high = np.quantile(mean_R[1:], [0.025, 0.975])
    first, second = (
        f"{np.mean([rates_R[0] for rates_R in side]):.3f} {name}"
        for side, name in zip(sides, names, strict=True)
    )
    return quantity.row(
        expected,
        score(quantity.name, (mean_R[0], low, high), problems),
        over_seeds(quantity.name, [float(gap_R[0]) for gap_R in gaps_R]),
        note=f"{second}, {first}",
    )


def _drawn(every: Sequence[Solutions], apart: Apart, settings: Resampling) -> Drawn | None:
    """Problems that all of ``every`` have attempts at; None where a part is missing."""
    tried = set.intersection(*(set(one.problem) for one in every)) if every else set()
    alone: dict[str, list[str]] = {}
    for problem, part in sorted(apart.alone.items()):
        if problem in tried:
            alone.setdefault(part, []).append(problem)
    joined = sorted(
        p for p, parts in apart.joined.items() if p in tried and alone.keys() >= {*parts}
    )
    if not joined:
        return None
    return Drawn(
        parts_J=[apart.joined[problem] for problem in joined],
        joined=joined,
        joined_RJ=_times(len(joined), settings, 0),
        alone=alone,
        alone_RP={
            part: _times(len(problems), settings, number)
            for number, (part, problems) in enumerate(alone.items(), start=1)
        },
    )


def _times(count: int, settings: Resampling, number: int) -> Floats:
    again = resamples(count, Resampling(resamples=settings.resamples, seed=number))
    return np.vstack([np.ones(count), again])


def _expected(solutions: Solutions, labels: Sequence[str], drawn: Drawn) -> Floats:
    """The rate that single parts let expect of the joined problems, (R,)."""
    names, found = numbered(solutions, labels)
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
    """The rate at the joined problems, (R,)."""
    rates = composed(solutions)
    rate_J = np.array([rates[problem] for problem in drawn.joined])
    return np.asarray(drawn.joined_RJ @ rate_J / drawn.joined_RJ.sum(axis=1))
