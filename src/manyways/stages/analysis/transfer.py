"""Composition on problems whose parts were trained apart (D4), in a run made so.

A policy whose parameters no two problems share cannot begin to compose there (D4 i). One that
shares its preferences by part does, as far as RL raises these preferences on single parts (D4 ii).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from manyways.metrics.resampling import Resampling
from manyways.results.theory import Part, PredictionRow
from manyways.stages.analysis.alone import alone_rows
from manyways.stages.analysis.apart import Apart
from manyways.stages.analysis.change import composed
from manyways.stages.analysis.contrasts import Policy, Values, contrast, mean_of, on_problems
from manyways.stages.analysis.expectation import Expectation, Quantity

PART: Part = "through RL"
NAME = "Change of the composition rate on problems whose parts were trained apart"


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The checkpoints that D4 compares.

    before, after: around RL, of the arm of the question.  base: before all training.
    few: the same two of the arm that was taught one way, where there is one.
    """

    before: Policy
    after: Policy
    base: Policy | None = None
    few: tuple[Policy, Policy] | None = None


def transfer_rows(trained: Trained, apart: Apart, settings: Resampling) -> Iterator[PredictionRow]:
    """What RL, RL of many ways rather than few, and all training did to that rate.

    One row that says why where no problem joins what was trained apart.
    """
    before, after, base = trained.before, trained.after, trained.base
    shared = _above("preferences by part are shared between problems")
    quantity = _quantity(NAME, f"{after.name} − {before.name}")
    if apart.why:
        yield quantity.row(shared, None, note=f"cannot be measured here because {apart.why}")
        return
    ends, starts = _rates(after, apart), _rates(before, apart)
    yield _change(quantity, shared, (ends, starts), settings)
    if trained.few:
        few_before, few_after = trained.few
        quantity = _quantity(
            f"{NAME}, many ways − few",
            f"({after.name} − {before.name}) − ({few_after.name} − {few_before.name})",
        )
        expected = _above("one way leaves RL no choice by part to strengthen")
        gains = _gains(ends, starts), _gains(_rates(few_after, apart), _rates(few_before, apart))
        yield _change(quantity, expected, gains, settings, words=("many ways", "few"))
    if base and base is not before:
        quantity = _quantity(f"{NAME}, by all training", f"{after.name} − {base.name}")
        yield _change(quantity, shared, (ends, _rates(base, apart)), settings)
    yield from alone_rows(before, after, apart, settings)


def _above(words: str) -> Expectation:
    return Expectation(words=f"above 0, if {words}", side="above")


def _quantity(name: str, of: str) -> Quantity:
    return Quantity(part=PART, name=name, proposition="D4", of=of)


def _change(
    quantity: Quantity,
    expected: Expectation,
    sides: tuple[Values, Values],
    settings: Resampling,
    *,
    words: tuple[str, str] = ("after", "before"),
) -> PredictionRow:
    """The first side minus the second, and both in words."""
    measured, seeds = contrast(quantity.name, *sides, settings)
    if not measured:
        why = "cannot be measured here because no such problem has attempts on both sides"
        return quantity.row(expected, None, note=why)
    first, second = (f"{mean_of(side):.3f} {word}" for side, word in zip(sides, words, strict=True))
    return quantity.row(expected, measured, seeds, note=f"{second}, {first}")


def _rates(policy: Policy, apart: Apart) -> Values:
    """Share of composed attempts at each joined problem."""
    return policy.values(lambda solutions: composed(on_problems(solutions, apart.joined)))


def _gains(ends: Values, starts: Values) -> Values:
    """Per seed and problem; the base stands for every seed."""
    return {
        seed: {name: rate - begun[name] for name, rate in rates.items() if name in begun}
        for seed, rates in ends.items()
        if (begun := starts.get(seed, starts.get(None)))
    }
