"""How far the labels of steps can be trusted: the labeller's error and its confusions."""

from manyways.reporting import words
from manyways.reporting.blocks import Block, Cell, Heading, Note, Table
from manyways.reporting.source import Source
from manyways.results.tables import LabellerRow

FULL = 16
"""Heuristics up to which the whole confusion matrix is shown."""
MOST = 15
"""Confusions shown otherwise."""


def blocks(source: Source) -> list[Block]:
    """Accuracy, error in telling composed texts, confusions; nothing for an exact labeller."""
    if not source.labeller:
        return []
    heading = Heading(
        title="Can the labels be trusted?",
        text=f"The labeller '{source.labeller[0].labeller}' was put to texts that it was not "
        "fitted on: every exemplar of the pack, and the run's own correct attempts. An attempt "
        "counts as the heuristic that was asked for, so a model that does not follow makes the "
        "labeller look worse than it is.",
    )
    matrices = [_full(source, row) if row.classes <= FULL else _top(source, row)
                for row in source.labeller]  # fmt: skip
    return [heading, _accuracy(source), *_error(source), *matrices]


def _accuracy(source: Source) -> Table:
    rows = source.labeller
    return Table(
        caption="Naming the heuristic of a whole text",
        head=("texts", "accuracy", "among the top 3", "chance", "top 3 by chance", "texts", "n"),
        rows=tuple(
            (
                row.what,
                words.rate(row.accuracy),
                words.rate(row.top3),
                words.number(1 / row.classes),
                words.number(min(3, row.classes) / row.classes),
                words.count(row.texts),
                words.count(row.accuracy.n),
            )
            for row in rows
        ),
        note="n: exemplars, or problems, which the intervals are over.",
    )


def _error(source: Source) -> list[Block]:
    measured = [row for row in source.labeller if row.sensitivity and row.specificity]
    if not measured:
        return []
    row = measured[0]
    assert row.sensitivity and row.specificity
    sentence = (
        f"Composed texts made of two held-out exemplars are seen as composed with a sensitivity of "
        f"{words.rate(row.sensitivity)} (n = {row.sensitivity.n}); single exemplars pass as not "
        f"composed with a specificity of {words.rate(row.specificity)} (n = {row.specificity.n}). "
    )
    known = any(one.corrected for one in source.composition)
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


def _full(source: Source, row: LabellerRow) -> Table:
    names = sorted({*row.confusion, *(h for found in row.confusion.values() for h in found)})
    cells: list[tuple[Cell, ...]] = [
        (
            source.heuristic_name(true),
            *(words.count(row.confusion.get(true, {}).get(said, 0)) for said in names),
        )
        for true in names
    ]
    return Table(
        caption=f"Confusions on {row.what}",
        head=("written under, named as", *map(source.heuristic_name, names)),
        rows=tuple(cells),
        folded=True,
    )


def _top(source: Source, row: LabellerRow) -> Table:
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
                source.heuristic_name(true),
                source.heuristic_name(said),
                words.count(number),
                words.count(sum(row.confusion[true].values())),
            )
            for number, true, said in pairs[:MOST]
        ),
        note=f"{sum(number for number, _, _ in pairs):,} of {row.texts:,} texts are named wrongly.",
        folded=True,
    )
