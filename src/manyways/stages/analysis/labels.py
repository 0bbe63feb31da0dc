"""How far the run's labeller can be trusted: its rows, from texts that it was not fitted on."""

from collections.abc import Iterator, Sequence

import numpy as np

from manyways.heuristics.held_out import confusion
from manyways.heuristics.labelling import Guess, LabellerError, Measured, is_exact, measured_error
from manyways.metrics.intervals import clustered_share, wilson
from manyways.records import Score
from manyways.results.tables import LabellerRow
from manyways.stages.agreement import error_of
from manyways.stages.analysis.passes import score
from manyways.stages.context import Context
from manyways.stages.prompted import lessons

EXEMPLARS, ATTEMPTS = "held-out exemplars", "prompted attempts"


def labeller_error(ctx: Context) -> LabellerError | None:
    """The error of the run's labeller on texts of a model, None where nobody has measured it.

    What ``manyways agreement`` found on this run, or else what the labeller says of itself. Its
    error on exemplars will not do: on texts of a model it can be another one altogether.
    """
    if is_exact(ctx.labeller):
        return None
    return error_of(ctx, ctx.recipe.heuristics.labeller) or measured_error(ctx.labeller)


def labeller_rows(ctx: Context) -> Iterator[LabellerRow]:
    """One row for the pack's exemplars and one for the run's correct prompted attempts."""
    labeller = ctx.labeller
    if not isinstance(labeller, Measured):
        return
    yield _row(ctx, EXEMPLARS, labeller.held_out(), labeller.exemplar_error())
    attempts = lessons(ctx)
    if attempts:
        yield _row(ctx, ATTEMPTS, labeller.guesses(attempts), None)


def _row(
    ctx: Context, what: str, guesses: Sequence[Guess], error: LabellerError | None
) -> LabellerRow:
    units = np.unique([guess.unit for guess in guesses], return_inverse=True)[1]
    trials = np.bincount(units)
    first = np.bincount(units, [guess.heuristic == guess.ranked[0] for guess in guesses])
    any3 = np.bincount(units, [guess.heuristic in guess.ranked for guess in guesses])
    return LabellerRow(
        what=what,
        labeller=ctx.recipe.heuristics.labeller,
        classes=len(ctx.pack),
        texts=len(guesses),
        accuracy=score("accuracy", clustered_share(first, trials), len(trials)),
        top3=score("top 3", clustered_share(any3, trials), len(trials)),
        confusion=confusion(guesses),
        sensitivity=_share("sensitivity", error.found, error.composed) if error else None,
        specificity=_share("specificity", error.passed, error.single) if error else None,
    )


def _share(name: str, right: float, texts: float) -> Score | None:
    return score(name, (right / texts, *wilson(right, texts)), int(texts)) if texts else None
