"""Which heuristic RL's own attempts open with, step by step, and where the theory sends it."""

from collections.abc import Sequence

from manyways.reporting import charts, palette, words
from manyways.reporting.blocks import Block, Chart, Charts, Heading, Key, Table
from manyways.reporting.source import Source
from manyways.results.theory import OpeningRow

TEXT = (
    "The share of RL's own attempts whose first heuristic is this one; bands are 95% intervals. "
    "The theory expects a share to rise when attempts that open with it are right more often than "
    "others at the same problem (proposition B1), as measured just before RL."
)
MOST = 8
"""Heuristics in a figure."""
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
SIGNS = {"agrees": "✓ agrees", "disagrees": "✗ disagrees", "cannot tell": "? cannot tell"}


def blocks(source: Source) -> list[Block]:
    """A figure and a table for each arm; nothing where RL logged no openings."""
    by_arm = {
        arm: rows
        for arm in source.arm_order
        if (rows := [row for row in source.openings if row.arm == arm])
    }
    if not by_arm:
        return []
    drawn = list(dict.fromkeys(row.heuristic for rows in by_arm.values() for row in rows[:MOST]))
    legend = tuple(
        Key(
            group="line",
            name=heuristic,
            label=source.heuristic_name(heuristic),
            colour=source.heuristic_colour(heuristic),
            dash=_dash(drawn, heuristic),
        )
        for heuristic in drawn
    )
    # The bands of eight curves hide one another, so they wait for a click.
    bands = Key(
        group="band",
        name="yes",
        label="intervals",
        colour=palette.MUTED[0],
        symbol="band",
        on=False,
    )
    figures = tuple(_chart(source, arm, rows[:MOST], drawn) for arm, rows in by_arm.items())
    tables = [_table(source, arm, rows) for arm, rows in by_arm.items()]
    return [
        Heading(title="What do RL's attempts open with?", text=TEXT),
        Charts(charts=figures, legend=(*legend, bands)),
        *tables,
    ]


def _chart(source: Source, arm: str, rows: Sequence[OpeningRow], drawn: Sequence[str]) -> Chart:
    lines = [
        charts.Line(
            label=source.heuristic_name(row.heuristic),
            x=[point.step for point in row.course],
            y=[point.share.value for point in row.course],
            low=[point.share.low for point in row.course],
            high=[point.share.high for point in row.course],
            colour=source.heuristic_colour(row.heuristic),
            dash=_dash(drawn, row.heuristic),
            meta={"line": row.heuristic},
        )
        for row in rows
    ]
    ends = "; ".join(
        f"{line.label} {words.number(line.y[0])} to {words.number(line.y[-1])}" for line in lines
    )
    attempts = [point.share.n for point in rows[0].course]
    return Chart(
        id=f"openings-{arm}",
        title=arm,
        alt=f"Share of RL's attempts that open with each heuristic, arm {arm}: {ends}.",
        spec=charts.lines(lines, share=True, axes=("RL step", "share of attempts")),
        height=300,
        note=f"{_expected(source, rows)} n = {min(attempts):,} to {max(attempts):,} attempts a "
        "point.",
    )


def _expected(source: Source, rows: Sequence[OpeningRow]) -> str:
    """In which direction: ``Expected to rise: Symmetry.``, for example."""
    named = {
        verb: [
            source.heuristic_name(row.heuristic) for row in rows if row.expected.startswith(sign)
        ]
        for verb, sign in (("rise", "rises"), ("fall", "falls"))
    }
    said = [
        f"Expected to {verb}: {words.listing(names)}." for verb, names in named.items() if names
    ]
    return " ".join(said) or "No sign is expected: no covariance leaves out 0."


def _table(source: Source, arm: str, rows: Sequence[OpeningRow]) -> Table:
    return Table(
        caption=f"First heuristics of RL's attempts, {arm}",
        head=(
            "", "outcome", "at first", "at last", "change", "over seeds", "Cov before RL", "n",
        ),
        rows=tuple(
            (
                source.heuristic_name(row.heuristic),
                SIGNS.get(row.outcome, "–"),
                words.rate(row.course[0].share),
                words.rate(row.course[-1].share),
                words.difference(row.change),
                words.difference(row.seeds),
                words.quantity(row.push, 4),
                words.count(row.change.n),
            )
            for row in rows
        ),
        note="At first, at last: the first and the last point of the figure. Change: last fifth of "
        "the steps minus the first fifth; n: attempts labelled in these. Cov before RL: of opening "
        "with it and being correct, within RL's problems, times c_G(p): the sign that is expected.",
        folded=arm != source.main_arm,
    )  # fmt: skip


def _dash(drawn: Sequence[str], heuristic: str) -> str:
    return DASHES[list(drawn).index(heuristic) % len(DASHES)]
