"""The data: what the pool of attempts gave, what was kept, how varied it is."""

from manyways.reporting import charts, charts_use, palette, words
from manyways.reporting.blocks import (
    Block,
    Cell,
    Chart,
    Charts,
    Example,
    Heading,
    Link,
    Note,
    Section,
    Table,
    explorer_link,
)
from manyways.reporting.source import PLAIN, Source
from manyways.results import DiversityRow, YieldRow

INTRO = (
    "Every solution was written by the base model itself: it was asked to solve each problem under "
    "each heuristic, a verifier judged the answers, and the correct ones that follow their "
    "heuristic and are not near-copies were kept."
)


def section(source: Source) -> Section:
    """Findings, an example, yield, drops, what the arms got, diversity."""
    sentences = tuple(f.sentence for f in source.findings if f.kind == "data")
    blocks: list[Block] = [Note(kind="finding", sentences=sentences)] if sentences else []
    blocks += _example(source)
    if source.yields:
        blocks += [*_yield(source), *_drops(source)]
    else:
        blocks.append(Note(kind="empty", sentences=("No attempts were counted.",)))
    if source.arms:
        blocks.append(_arms(source))
    if source.diversity:
        blocks += _diversity(source.diversity)
    return Section(id="data", title="The data", intro=INTRO, blocks=tuple(blocks))


def _example(source: Source) -> list[Block]:
    """The problem of the explorer with the most kept ways."""
    ways = {
        row.problem_id: len({text.heuristic for text in row.texts if text.kept} - {PLAIN})
        for row in source.explorer
    }
    best = max(ways, key=lambda problem: ways[problem], default="")
    if not best or ways[best] < 2:
        return []
    return [Example(caption=f"One problem, {ways[best]} ways: {best}", problem_id=best)]


def _yield(source: Source) -> list[Block]:
    rows = sorted(source.yields, key=lambda row: (row.heuristic == PLAIN, -row.kept))
    heading = Heading(
        title="Yield",
        text="How many attempts under each heuristic were correct, and how many became solutions.",
    )
    return [
        heading,
        Charts(charts=(_yield_chart(source, rows),), wide=True),
        _yield_table(source, rows),
    ]


def _yield_chart(source: Source, rows: list[YieldRow]) -> Chart:
    undecided = [row.undecided + row.no_answer for row in rows]
    stacks = [
        charts_use.Bar(name="kept", values=[r.kept for r in rows], colour=palette.hue(0)),
        charts_use.Bar(
            name="correct, not kept",
            values=[r.correct - r.kept for r in rows],
            colour=palette.faint(palette.hue(0), palette.FLOW),
            pattern="/",
        ),
        charts_use.Bar(
            name="wrong",
            values=[r.attempts - r.correct - u for r, u in zip(rows, undecided, strict=True)],
            colour=palette.faint(palette.MUTED[0], palette.FLOW),
        ),
        charts_use.Bar(
            name="no answer or undecided", values=undecided, colour=palette.MUTED[0], pattern="."
        ),
    ]
    return Chart(
        id="yield",
        title="Attempts under each heuristic",
        alt="Stacked bars: " + "; ".join(
            f"{source.heuristic_name(r.heuristic)}: {r.kept} kept of {r.attempts} attempts"
            for r in rows
        ),
        spec=charts_use.bars(
            [source.heuristic_name(row.heuristic) for row in rows],
            stacks,
            axis="attempts",
            links=[explorer_link(heuristic=row.heuristic, source="pool") for row in rows],
        ),
        height=100 + 30 * len(rows),
    )  # fmt: skip


def _yield_table(source: Source, rows: list[YieldRow]) -> Table:
    cells: list[tuple[Cell, ...]] = [
        (
            Link(
                text=source.heuristic_name(row.heuristic),
                target=explorer_link(heuristic=row.heuristic, source="pool"),
            ),
            words.count(row.attempts),
            words.percent(row.correct / row.attempts if row.attempts else None),
            words.count(row.kept),
            words.count(row.problems),
            words.percent(row.no_answer / row.attempts if row.attempts else None),
            words.percent(row.undecided / row.attempts if row.attempts else None),
            words.percent(row.truncated / row.attempts if row.attempts else None),
            words.count(row.tokens / row.attempts) if row.attempts else words.NONE,
        )
        for row in rows
    ]
    head = ("heuristic", "attempts", "correct", "kept", "problems solved")
    return Table(
        caption="Yield per heuristic",
        head=(*head, "no answer", "undecided", "truncated", "tokens each"),
        rows=tuple(cells),
    )


def _drops(source: Source) -> list[Block]:
    reasons = list(dict.fromkeys(reason for row in source.yields for reason in row.dropped))
    if not reasons:
        return []
    totals = {r: sum(row.dropped.get(r, 0) for row in source.yields) for r in reasons}
    reasons.sort(key=lambda reason: -totals[reason])
    table = Table(
        caption="Why correct attempts were dropped",
        head=("heuristic", *reasons),
        rows=tuple(
            (
                source.heuristic_name(row.heuristic),
                *(words.count(row.dropped.get(reason, 0)) for reason in reasons),
            )
            for row in source.yields
        ),
        note=f"All together: {words.listing(f'{totals[r]:,} {r}' for r in reasons)}.",
    )
    return [table]


def _arms(source: Source) -> Table:
    groups: dict[tuple[Cell, ...], list[str]] = {}
    for row in source.arms:
        cells: tuple[Cell, ...] = (
            row.arm,
            words.arm_words(row.arm),
            words.count(row.examples),
            words.count(row.problems),
            words.number(row.ways, 1),
            words.count(row.midtrain_steps),
            words.count(row.rl_steps),
            row.outcome,
        )
        groups.setdefault(cells, []).append(str(row.seed))
    return Table(
        caption="What each arm was mid-trained on",
        head=(
            "arm",
            "data",
            "examples",
            "problems",
            "ways each",
            "SFT steps",
            "RL steps",
            "outcome",
            "seeds",
        ),
        rows=tuple((*cells, ", ".join(seeds)) for cells, seeds in groups.items()),
    )


def _diversity(rows: list[DiversityRow]) -> list[Block]:
    lines = [
        charts.Row(
            label=row.what,
            marks=(
                charts.Mark(
                    score=row.vendi,
                    colour=palette.hue(0),
                    words=f"Vendi score {words.quantity(row.vendi)}, {row.texts:,} texts",
                ),
            ),
        )
        for row in rows
    ]
    chart = Chart(
        id="diversity",
        title="Vendi score",
        alt="; ".join(f"{row.what}: {words.quantity(row.vendi)}" for row in rows),
        spec=charts.intervals(lines, share=False, axis="effective number of distinct texts"),
        height=charts.height_of(lines),
    )
    heading = Heading(
        title="Diversity",
        text="The Vendi score is the effective number of distinct texts in a set: 1 when all are "
        "alike. Compare only sets measured with the same embedder.",
    )
    table = Table(
        caption="Diversity",
        head=("texts of", "texts", "Vendi score", "distinct 3-grams", "embedder"),
        rows=tuple(
            (
                r.what,
                words.count(r.texts),
                words.quantity(r.vendi),
                words.percent(r.distinct_3),
                r.embedder,
            )
            for r in rows
        ),
    )
    return [heading, Charts(charts=(chart,)), table]
