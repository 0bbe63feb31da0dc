"""Why: which heuristics are used, combined and switched between, before and after RL."""

from manyways.records import Phase
from manyways.reporting import charts, charts_use, palette, words
from manyways.reporting.blocks import (
    Block,
    Cell,
    Chart,
    Charts,
    Heading,
    Key,
    Link,
    Note,
    Section,
    Table,
    explorer_link,
)
from manyways.reporting.sections import by_checkpoint, labels, pairs
from manyways.reporting.sections.answer import benchmark_words
from manyways.reporting.source import DIRECT, SEED_DATA, Source, prefer_pooled
from manyways.results.tables import CompositionRow

INTRO = (
    "RL can only strengthen what a model already tries. Here we look at which heuristics its "
    "solutions use, and whether one solution combines several: that is what mid-training on many "
    "ways is meant to make possible."
)
ORDER: dict[Phase, int] = {"base": 0, "mid": 1, "rl": 2}
MOST = 12
"""Heuristics in a figure."""


def section(source: Source) -> Section:
    """Findings, composition, use of heuristics, start of RL, pairs."""
    sentences = tuple(f.sentence for f in source.findings if f.kind == "mechanism")
    blocks: list[Block] = [Note(kind="finding", sentences=sentences)] if sentences else []
    rows = measured(source)
    if rows:
        blocks += [*_composition(source, rows), *_use(source, rows), *pairs.blocks(source, rows)]
        blocks += labels.blocks(source)
    else:
        blocks.append(Note(kind="empty", sentences=("No labelled solutions to look at.",)))
    if source.gate:
        blocks += _start(source)
    return Section(id="why", title="Why", intro=INTRO, blocks=tuple(blocks))


def measured(source: Source) -> list[CompositionRow]:
    """Composition rows of the mechanism benchmark in the order arm, phase; base once."""
    rows = [row for row in source.composition if row.benchmark == source.mechanism]
    rows = prefer_pooled(rows, key=lambda row: (row.arm, row.phase))
    place = {arm: i for i, arm in enumerate(source.arm_order)}
    return sorted(
        rows, key=lambda row: (row.phase != "base", place.get(row.arm, 99), ORDER[row.phase])
    )


def _composition(source: Source, rows: list[CompositionRow]) -> list[Block]:
    lines = by_checkpoint.lines(
        source,
        (
            (
                row,
                row.composed,
                f"composed: {words.rate(row.composed)}, n = {row.composed.n} problems",
                explorer_link(source=row.checkpoint, composed="yes"),
            )
            for row in rows
        ),
    )
    chart = Chart(
        id="composition",
        title=f"Composition rate on {benchmark_words(source.mechanism)}",
        alt=f"Share of solutions that combine heuristics: {by_checkpoint.listed(lines)}",
        spec=charts.intervals(lines, axis="share of solutions with two or more heuristics"),
        height=charts.height_of(lines),
        note="95% intervals; attempts at one problem are counted as alike.",
    )
    heading = Heading(
        title="Does one solution combine ways?",
        text="A solution is composed when its steps show two or more different heuristics. The "
        "switch rate is how often the heuristic changes from one labelled step to the next.",
    )
    return [heading, Charts(charts=(chart,)), _composition_table(source, rows)]


def _composition_table(source: Source, rows: list[CompositionRow]) -> Table:
    data = [row for row in source.composition if row.benchmark == SEED_DATA]
    corrected = any(row.corrected for row in [*data, *rows])
    return Table(
        caption="Composition, switching and variety",
        head=(
            "",
            "composed",
            *(("corrected",) if corrected else ()),
            "composed, if correct",
            "switch rate",
            "effective",
            "drift",
            "solutions",
            "n",
        ),
        rows=tuple(
            (
                f"data of {row.arm}" if row in data else words.checkpoint_label(row.checkpoint),
                words.rate(row.composed),
                *((words.rate(row.corrected),) if corrected else ()),
                words.rate(row.composed_correct),
                words.rate(row.switch),
                words.number(row.effective, 1),
                words.quantity(row.drift, 3),
                words.count(row.solutions),
                words.count(row.composed.n),
            )
            for row in [*data, *rows]
        ),
        note="n: problems. Effective: how many equally used ways, direct included, would be as "
        "varied. Drift: within-problem covariance of being composed and being correct; above zero, "
        "RL is pushed towards composing."
        + (" Corrected: for the errors of the labeller, see below." if corrected else ""),
    )


def _use(source: Source, rows: list[CompositionRow]) -> list[Block]:
    base = next((row for row in rows if row.phase == "base"), None)
    top = max((s for row in rows for h, s in row.shares.items() if h != DIRECT), default=0.0)
    if not top:
        return [Note(kind="empty", sentences=(_unlabelled(rows),))]
    figures = []
    for arm in source.arm_order:
        mine = [row for row in rows if row.arm == arm and row.phase != "base"]
        of_arm = [*([base] if base else []), *mine]
        if mine and any(_used(row) for row in of_arm):
            figures.append(_use_chart(source, of_arm, top))
    keys = tuple(
        Key(
            group="phase",
            name=phase,
            label=words.PHASES[phase],
            colour=palette.INK[0],
            symbol=marker,
        )
        for phase, marker in palette.PHASE_SYMBOLS.items()
        if any(row.phase == phase for row in rows)
    )
    heading = Heading(
        title="Which heuristics are used?",
        text="Share of all steps that show each heuristic, on "
        f"{benchmark_words(source.mechanism)}. Steps that show none are left out.",
    )
    return [heading, Charts(charts=tuple(figures), legend=keys)] if figures else []


def _unlabelled(rows: list[CompositionRow]) -> str:
    if any(row.shares for row in rows):
        return "No solution shows a heuristic: every step is direct."
    return "Solutions hold nothing but their answer: there is no step to label."


def _used(row: CompositionRow) -> set[str]:
    """The heuristics that its steps show."""
    return {h for h, share in row.shares.items() if share > 0 and h != DIRECT}


def _use_chart(source: Source, rows: list[CompositionRow], top: float) -> Chart:
    arm, last = rows[-1].arm, rows[-1].shares
    used = {heuristic for row in rows for heuristic in _used(row)}
    order = sorted(used, key=lambda h: -max(row.shares.get(h, 0.0) for row in rows))[:MOST]
    order.sort(key=lambda h: -last.get(h, 0.0))
    lines = [
        charts_use.Phases(
            label=source.heuristic_name(h),
            colour=source.heuristic_colour(h),
            values={
                words.checkpoint_label(row.checkpoint): (
                    palette.PHASE_SYMBOLS[row.phase],
                    row.shares.get(h, 0.0),
                )
                for row in rows
            },
            link=explorer_link(heuristic=h, source=rows[-1].checkpoint),
        )
        for h in order
    ]
    direct = "; ".join(
        f"{words.checkpoint_label(row.checkpoint)} {words.number(row.shares.get(DIRECT, 0.0))}"
        for row in rows
    )
    return Chart(
        id=f"use-{arm}",
        title=arm,
        alt=f"Share of steps under each heuristic in arm {arm}: "
        + "; ".join(f"{source.heuristic_name(h)} {words.number(last.get(h, 0.0))}" for h in order),
        spec=charts_use.movements(lines, top=top, axis="share of steps"),
        height=62 + 38 * max(len(lines), 1),
        note=f"Without any heuristic: {direct}.",
    )


def _start(source: Source) -> list[Block]:
    rows: list[tuple[Cell, ...]] = [
        (
            Link(text=f"{row.arm} · seed {row.seed}", target="#training"),
            words.number(row.passed),
            words.number(row.mixed),
            words.number(row.switch),
            words.number(row.effective),
            words.count(row.attempts),
        )
        for row in source.gate
    ]
    heading = Heading(
        title="What RL started from",
        text="Measured on RL problems just before RL. Only mixed groups (some attempts right, some "
        "wrong) give a gradient, and only switches that already happen can be rewarded.",
    )
    table = Table(
        caption="Just before RL",
        head=("", "correct", "mixed groups", "switch rate", "effective heuristics", "attempts"),
        rows=tuple(rows),
        folded=len(rows) > MOST,
    )
    return [heading, table]
