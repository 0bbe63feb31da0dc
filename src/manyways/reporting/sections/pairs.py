"""Which heuristics are combined within one solution, and how often."""

from manyways.reporting import charts_use, words
from manyways.reporting.blocks import Block, Chart, Charts, Heading, Table
from manyways.reporting.source import Source
from manyways.results.tables import CompositionRow

FLOWS = 24
"""Flows in a diagram at most."""

MOST = 12
"""Rows of the table."""


def blocks(source: Source, rows: list[CompositionRow]) -> list[Block]:
    """The main arm's flows before and after RL, and the most frequent pairs as a table."""
    mine = [row for row in rows if row.arm == source.main_arm and row.phase != "base" and row.pairs]
    if not mine:
        return []
    heading = Heading(
        title="Which heuristics are combined?",
        text=f"In solutions of {source.main_arm}: from the heuristic on the left, the next "
        "labelled step goes on with the one on the right. Width is the number of switches.",
    )
    return [
        heading,
        Charts(charts=tuple(_flow(source, row) for row in mine)),
        _table(source, mine),
    ]


def _flow(source: Source, row: CompositionRow) -> Chart:
    split = [(*pair.partition(" > "), amount) for pair, amount in row.pairs.items()]
    flows = [(first, second, amount) for first, _, second, amount in split if second]
    flows = sorted(flows, key=lambda flow: -flow[2])[:FLOWS]
    involved = {heuristic for first, second, _ in flows for heuristic in (first, second)}
    return Chart(
        id=f"pairs-{row.phase}",
        title=words.checkpoint_label(row.checkpoint),
        alt=f"Flows between heuristics, {words.checkpoint_label(row.checkpoint)}: "
        + "; ".join(f"{a} then {b}, {n}" for a, b, n in flows[:6]),
        spec=charts_use.sankey(
            flows,
            {h: (source.heuristic_name(h), source.heuristic_colour(h)) for h in involved},
        ),
        height=320,
        note=f"{sum(row.pairs.values()):,} switches in {row.solutions:,} solutions.",
    )


def _table(source: Source, rows: list[CompositionRow]) -> Table:
    pairs = {pair for row in rows for pair in row.pairs}
    order = sorted(pairs, key=lambda pair: -rows[-1].pairs.get(pair, 0))[:MOST]
    return Table(
        caption=f"The {len(order)} most frequent pairs after the last phase",
        head=("first, then", *(words.checkpoint_label(row.checkpoint) for row in rows)),
        rows=tuple(
            (
                ", then ".join(source.heuristic_name(h) for h in pair.split(" > ", 1)),
                *(words.count(row.pairs.get(pair, 0)) for row in rows),
            )
            for pair in order
        ),
        folded=True,
    )
