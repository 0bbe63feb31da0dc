"""Measured beside expected: each measurable quantity of the theory, and whether they agree."""

from collections import Counter

from manyways.records import Score
from manyways.reporting import words
from manyways.reporting.blocks import Block, Cell, Figure, Heading, Note, Section, Table
from manyways.reporting.sections import openings, token_modes
from manyways.reporting.source import Source
from manyways.results.theory import Outcome, Part, PredictionRow, ProbeRow

INTRO = (
    "A minimal model of the method says which sign each of these numbers should have. Each was "
    "measured in this run; where the model and the measurement disagree, it says so."
)
RULE = (
    "Agrees: every interval lies on the expected side (for “within”: inside the band). Disagrees: "
    "every interval lies on the other side (outside the band). Cannot tell: anything else.",
    "The interval over problems and, from three seeds on, the one over seeds both have to say so; "
    "with three seeds the latter is wide. n: problems, or seeds where a training gives one number. "
    "Nothing is corrected for the number of rows.",
)
PARTS: tuple[Part, ...] = ("before RL", "through RL", "between arms")
ORDER: tuple[Outcome, ...] = ("disagrees", "agrees", "cannot tell", "no sign expected")
SIGNS = {"agrees": "✓ agrees", "disagrees": "✗ disagrees", "cannot tell": "? cannot tell"}


def section(source: Source) -> Section:
    """How many agree, what disagrees, and every row."""
    rows = source.predictions
    blocks: list[Block] = []
    if rows:
        blocks.append(Note(kind="finding", sentences=(_tally(rows),)))
        against = tuple(_said(row) for row in rows if row.outcome == "disagrees")
        if against:
            blocks += [Heading(title="Where theory and measurement disagree"),
                       Note(kind="caution", sentences=against)]  # fmt: skip
        blocks += [*_tables(source, rows), Note(kind="empty", sentences=RULE)]
    else:
        nothing = "Nothing that the theory speaks of could be measured in this run."
        blocks.append(Note(kind="empty", sentences=(nothing,)))
    blocks += [*openings.blocks(source), *token_modes.blocks(source)]
    for swap in source.probe:
        blocks += _swap(source, swap)
    return Section(id="theory", title="Measured beside theory", intro=INTRO, blocks=tuple(blocks))


def _swap(source: Source, row: ProbeRow) -> list[Block]:
    """The prefix-swap matrix."""
    heading = Heading(
        title="Do the heuristics complement each other?",
        text="Attempts of the base model are cut in the middle; the row is the heuristic that "
        "began them, the column the one under which the same model went on. Each cell is the "
        "share that ended right.",
    )
    gap, cov, rank = row.complementarity, row.covariance, row.dependence
    found = "which says neither that changing pays nor that it does not"
    if gap and gap.low > 0:
        found = "so changing the heuristic in the middle pays: their strengths complement"
    elif gap and gap.high < 0:
        found = "so keeping the heuristic pays: their strengths do not complement"
    cells = [
        (source.heuristic_name(first), *(words.rate(score) for score in scores))
        for first, scores in zip(row.heuristics, row.matrix, strict=True)
    ]
    table = Table(
        caption="Success after a prefix swap",
        head=("begun under", *(source.heuristic_name(h) for h in row.heuristics)),
        rows=tuple(cells),
        note=f"{row.attempts:,} continuations on {gap.n if gap else 0} problems; intervals take "
        "continuations of one problem as alike.",
    )
    sentence = (
        f"Swapped minus kept: {words.quantity(gap, 3)}, {found}. Covariance of strengths "
        f"{words.quantity(cov, 3)} (below 0: complementary), second over first singular value "
        f"{words.quantity(rank)} (0: the halves succeed independently; noise makes it positive)."
    )
    return [heading, Note(kind="finding", sentences=(sentence,)), table]


def _tally(rows: list[PredictionRow]) -> str:
    counts = Counter(row.outcome for row in rows)
    signed = sum(counts[outcome] for outcome in ORDER[:3])
    return (
        f"Of {words.plural(signed, 'expected sign')}, {counts['agrees']} agree with what was "
        f"measured, {counts['disagrees']} disagree and {counts['cannot tell']} cannot be told."
    )


def _said(row: PredictionRow) -> str:
    measured = _number(row.measured) if row.measured else words.NONE
    return f"{row.quantity} ({row.proposition}), {row.of}: {measured}; expected {row.expected}."


def _tables(source: Source, rows: list[PredictionRow]) -> list[Table]:
    """One table for each part of the story; arms beside the main one on demand."""
    found = []
    for part in PARTS:
        mine = [row for row in rows if row.part == part]
        others = [arm for arm in source.recipe.arms if arm != source.main_arm]
        aside = [r for r in mine if part == "through RL" and any(arm in r.of for arm in others)]
        main = [row for row in mine if row not in aside]
        for title, some, folded in ((part, main, False), (f"{part}, other arms", aside, True)):
            if some:
                found.append(_table(f"{title[0].upper()}{title[1:]}", some, folded=folded))
    return found


def _table(caption: str, rows: list[PredictionRow], *, folded: bool) -> Table:
    cells: list[tuple[Cell, ...]] = [
        (
            row.quantity,
            SIGNS.get(row.outcome, "– no sign"),
            _number(row.measured) if row.measured else words.NONE,
            words.count(row.measured.n) if row.measured else words.NONE,
            f"[{_number(row.seeds).interval}]" if row.seeds else words.NONE,
            f"{row.proposition}: {row.expected}",
            f"{row.of}: {row.note}" if row.note else row.of,
        )
        for row in rows
    ]
    return Table(
        caption=caption,
        head=("", "outcome", "measured", "n", "over seeds", "expected", "of"),
        rows=tuple(cells),
        folded=folded,
        strong=tuple(i for i, row in enumerate(rows) if row.outcome == "disagrees"),
    )


def _number(score: Score) -> Figure:
    """Three digits after the point, four where the number is small."""
    digits = 4 if 0 < max(abs(score.low), abs(score.high)) < 0.01 else 3
    value, low, high = (words.number(x, digits) for x in (score.value, score.low, score.high))
    return Figure(value=value, interval=f"{low}, {high}")
