"""How far the labels of steps can be trusted: the labeller's error and its confusions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from manyways.measures import Measure, example_score
from manyways.measures.composition import COMPOSITION
from manyways.records import Score
from manyways.reporting import Block, Entry, Heading, Note, Table, words

if TYPE_CHECKING:
    from manyways.context import Context
    from manyways.heuristics.labelling import Guess, LabellerError
    from manyways.measures.seen import Seen


EXEMPLARS, ATTEMPTS = "held-out exemplars", "prompted attempts"
WHOLE_MATRIX = 16
"""Heuristics up to which the whole confusion matrix is shown."""
MOST = 15
"""Confusions listed where there are more heuristics."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LabellerRow:
    """How well the run's labeller names the heuristic of whole texts that it was not fitted on.

    what: ``held-out exemplars`` of the pack, or ``prompted attempts`` of the run (there a text
          counts as the heuristic that was asked for, followed or not).

    labeller:       its name.
    classes:        number of heuristics that it tells apart.
    texts:          number of texts that it labelled.
    accuracy:       the likeliest heuristic is the right one (``n`` exemplars or problems).
    top3:           one of the three likeliest is.
    confusion:      heuristic -> likeliest heuristic -> number of texts.
    sensitivity, specificity: in telling composed texts from others, on exemplars.
    """

    what: str
    labeller: str
    classes: int
    texts: int
    accuracy: Score
    top3: Score
    confusion: dict[str, dict[str, int]]
    sensitivity: Score | None = None
    specificity: Score | None = None


def measured(seen: "Seen") -> Iterator[LabellerRow]:
    """One row for the pack's exemplars and one for the run's correct prompted attempts."""
    from manyways.heuristics.labelling import Measured

    ctx = seen.material.ctx
    labeller = ctx.labeller
    if not isinstance(labeller, Measured):
        return
    yield _row(ctx, EXEMPLARS, labeller.held_out(), labeller.exemplar_error())
    attempts = seen.material.stages.lessons(ctx)
    if attempts:
        yield _row(ctx, ATTEMPTS, labeller.guesses(attempts), None)


def _row(
    ctx: "Context", what: str, guesses: "Sequence[Guess]", error: "LabellerError | None"
) -> LabellerRow:
    import numpy as np

    from manyways.heuristics.labelling import confusion
    from manyways.measures.score_curves import share_score

    units = np.unique([guess.unit for guess in guesses], return_inverse=True)[1]
    trials = np.bincount(units)
    first = np.bincount(units, [guess.heuristic == guess.ranked[0] for guess in guesses])
    any3 = np.bincount(units, [guess.heuristic in guess.ranked for guess in guesses])
    return LabellerRow(
        what=what,
        labeller=ctx.recipe.heuristics.labeller,
        classes=len(ctx.pack),
        texts=len(guesses),
        accuracy=share_score("accuracy", first, trials),
        top3=share_score("top 3", any3, trials),
        confusion=confusion(guesses),
        sensitivity=_share("sensitivity", error.found, error.composed) if error else None,
        specificity=_share("specificity", error.passed, error.single) if error else None,
    )


def _share(name: str, right: float, texts: float) -> Score | None:
    from manyways.measures.score_curves import score
    from manyways.metrics.intervals import wilson

    return score(name, (right / texts, *wilson(right, texts)), int(texts)) if texts else None


def example() -> list[LabellerRow]:
    """Of exemplars, a quarter named wrongly."""
    return [
        LabellerRow(
            what=EXEMPLARS, labeller="tfidf", classes=2, texts=16,
            accuracy=example_score("accuracy", 0.75),
            top3=example_score("top 3", 0.9), sensitivity=example_score("sensitivity", 0.8),
            specificity=example_score("specificity", 0.7),
            confusion={"symmetry": {"symmetry": 6, "analogy": 2}, "analogy": {"analogy": 8}},
        )
    ]  # fmt: skip


def blocks(seen: "Seen") -> list[Block]:
    """Accuracy, error in telling composed texts, confusions; nothing for an exact labeller."""
    if not seen.rows(LABELLER):
        return []
    heading = Heading(
        title="Can the labels be trusted?",
        text=f"The labeller '{seen.rows(LABELLER)[0].labeller}' was put to texts that it was not "
        "fitted on: every exemplar of the pack, and the run's own correct attempts. An attempt "
        "counts as the heuristic that was asked for, so a model that does not follow makes the "
        "labeller look worse than it is.",
    )
    matrices = [_full(seen, row) if row.classes <= WHOLE_MATRIX else _top(seen, row)
                for row in seen.rows(LABELLER)]  # fmt: skip
    return [heading, _accuracy(seen), *_error(seen), *matrices]


def _accuracy(seen: "Seen") -> Table:
    rows = seen.rows(LABELLER)
    return Table(
        caption="Naming the heuristic of a whole text",
        head=("texts", "accuracy", "among the top 3", "chance", "top 3 by chance", "texts", "n"),
        rows=tuple(
            (
                row.what,
                words.quantity(row.accuracy),
                words.quantity(row.top3),
                words.number(1 / row.classes),
                words.number(min(3, row.classes) / row.classes),
                words.count(row.texts),
                words.count(row.accuracy.n),
            )
            for row in rows
        ),
        note="n: exemplars, or problems, which the intervals are over.",
    )


def _error(seen: "Seen") -> list[Block]:
    measured = [row for row in seen.rows(LABELLER) if row.sensitivity and row.specificity]
    if not measured:
        return []
    row = measured[0]
    assert row.sensitivity and row.specificity
    sensitivity, specificity = (
        f"{words.quantity(score)} (n = {score.n})" for score in (row.sensitivity, row.specificity)
    )
    sentence = (
        "Composed texts made of two held-out exemplars are seen as composed with a sensitivity of "
        f"{sensitivity}; single exemplars pass as not composed with a specificity of "
        f"{specificity}. "
    )
    known = any(one.corrected for one in seen.rows(COMPOSITION))
    sentence += (
        "Texts of a model are another matter. Composition rates are also given corrected, by an "
        "error measured on texts of a model and taken to be the same for every checkpoint, which "
        "it need not be. A dash: the rate contradicts that error, so it does not hold there. "
        "Switch rates and drift are not corrected."
        if known
        else "Texts of a model are another matter: composition rates are as seen, not corrected. "
        "`manyways agreement` measures the error on texts of the run where an exact labeller, or "
        "one that knows texts read by hand, is at hand."
    )
    return [Note(kind="caution", sentences=(sentence,))]


def _full(seen: "Seen", row: LabellerRow) -> Table:
    names = sorted({*row.confusion, *(h for found in row.confusion.values() for h in found)})
    entries: list[tuple[Entry, ...]] = [
        (
            seen.heuristic_name(true),
            *(words.count(row.confusion.get(true, {}).get(said, 0)) for said in names),
        )
        for true in names
    ]
    return Table(
        caption=f"Confusions on {row.what}",
        head=("written under, named as", *map(seen.heuristic_name, names)),
        rows=tuple(entries),
        folded=True,
    )


def _top(seen: "Seen", row: LabellerRow) -> Table:
    pairs = [
        (number, true, said)
        for true, found in row.confusion.items()
        for said, number in found.items()
        if said != true
    ]
    pairs.sort(key=lambda pair: (-pair[0], pair[1], pair[2]))
    return Table(
        caption=f"Most frequent confusions on {row.what}",
        head=("written under", "named as", "texts", "of"),
        rows=tuple(
            (
                seen.heuristic_name(true),
                seen.heuristic_name(said),
                words.count(number),
                words.count(sum(row.confusion[true].values())),
            )
            for number, true, said in pairs[:MOST]
        ),
        note=f"{sum(number for number, _, _ in pairs):,} of {row.texts:,} texts are named wrongly.",
        folded=True,
    )


LABELLER = Measure(
    name="labeller",
    row=LabellerRow,
    measured=measured,
    example=example,
    shown={"why": blocks},
)
