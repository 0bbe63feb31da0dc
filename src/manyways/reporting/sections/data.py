"""The data: what the pool of attempts gave, what was kept, how varied it is."""

from manyways.records import Phase
from manyways.reporting import charts, charts_use, palette, words
from manyways.reporting.blocks import (
    Block,
    Cell,
    Chart,
    Charts,
    Example,
    Heading,
    Key,
    Link,
    Note,
    Section,
    Table,
    explorer_link,
)
from manyways.reporting.source import PLAIN, Source
from manyways.results.tables import DiversityRow, YieldRow

INTRO = (
    "The pool was written by the base model itself: it was asked to solve each problem under "
    "each heuristic, a verifier judged the answers, and the correct ones that follow their "
    "heuristic and are not near-copies were kept."
)

ARM_HEAD = ("arm", "data", "examples", "problems", "ways each")
ADAPTIVE = (
    " Sampling was adaptive: a heuristic was left at a problem once it had its solution, so that "
    "all attempts together lean towards hard cases. Shares and adherence are those of the first "
    "attempts in the first round alone, made before anything was known."
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
        blocks += _diversity(source)
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
    stacks = _stacks(rows)
    keys = tuple(
        Key(group="stack", name=s.name, label=s.name, colour=s.colour, symbol="bar") for s in stacks
    )
    figure = Charts(charts=(_yield_chart(source, rows, stacks),), legend=keys, wide=True)
    return [heading, figure, _yield_table(source, rows)]


def _stacks(rows: list[YieldRow]) -> list[charts_use.Bar]:
    lost = [row.undecided + row.no_answer for row in rows]
    wrong = [row.attempts - row.correct - n for row, n in zip(rows, lost, strict=True)]
    light = palette.faint(palette.hue(0), palette.FLOW)
    grey = palette.faint(palette.MUTED[0], palette.FLOW)
    unkept = [row.correct - row.kept for row in rows]
    return [
        charts_use.Bar(name="kept", values=[row.kept for row in rows], colour=palette.hue(0)),
        charts_use.Bar(name="correct, not kept", values=unkept, colour=light, pattern="/"),
        charts_use.Bar(name="wrong", values=wrong, colour=grey),
        charts_use.Bar(name="no answer or undecided", values=lost, colour=palette.MUTED[0]),
    ]


def _yield_chart(source: Source, rows: list[YieldRow], stacks: list[charts_use.Bar]) -> Chart:
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
        height=64 + 30 * len(rows),
    )  # fmt: skip


def _yield_table(source: Source, rows: list[YieldRow]) -> Table:
    cells: list[tuple[Cell, ...]] = [
        (
            Link(
                text=source.heuristic_name(row.heuristic),
                target=explorer_link(heuristic=row.heuristic, source="pool"),
            ),
            words.count(row.attempts),
            words.number(row.rates.adherence),
            _share(row, row.rates.correct),
            words.count(row.kept),
            words.count(row.problems),
            _share(row, row.rates.no_answer),
            _share(row, row.rates.undecided),
            _share(row, row.rates.truncated),
            words.count(row.tokens / row.attempts) if row.attempts else words.NONE,
        )
        for row in rows
    ]
    head = ("heuristic", "attempts", "follow it", "correct", "kept", "problems solved")
    return Table(
        caption="Yield per heuristic",
        head=(*head, "no answer", "undecided", "truncated", "tokens each"),
        rows=tuple(cells),
        note=(
            "Follow it: mean adherence of all attempts to the heuristic they were asked for."
            if source.recipe.select.scorer == "labeller"
            else "Follow it: mean adherence to the heuristic asked for, of the attempts that could "
            "become solutions, by the judge; a reward model gives ranks, whose mean says nothing."
        )
        + (ADAPTIVE if any(row.fair for row in rows) else ""),
    )


def _share(row: YieldRow, count: int) -> str:
    return words.percent(count / row.rates.attempts if row.rates.attempts else None)


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
        note=f"All together: {'; '.join(f'{r} {totals[r]:,}' for r in reasons)}.",
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
            words.number(row.epochs, 1),
            words.count(row.rl_steps),
            row.outcome,
        )
        groups.setdefault(cells, []).append(str(row.seed))
    return Table(
        caption="What each arm was mid-trained on",
        head=(*ARM_HEAD, "SFT steps", "epochs", "RL steps", "outcome", "seeds"),
        rows=tuple((*cells, ", ".join(seeds)) for cells, seeds in groups.items()),
        note="Epochs: how often mid-training saw each example.",
    )


def _diversity(source: Source) -> list[Block]:
    lines = [
        charts.Row(label=_what(row), marks=(_vendi_mark(source, row),)) for row in source.diversity
    ]
    chart = Chart(
        id="diversity",
        title="Vendi score",
        alt="; ".join(f"{_what(row)}: {words.quantity(row.vendi)}" for row in source.diversity),
        spec=charts.intervals(lines, axis="effective number of distinct texts"),
        height=charts.height_of(lines),
        note="Squares: training data. Others: attempts at the benchmarks.",
    )
    heading = Heading(
        title="Diversity",
        text="The Vendi score is the effective number of distinct texts in a set: 1 when all are "
        "alike. Compare only sets measured with the same embedder.",
    )
    return [heading, Charts(charts=(chart,)), _diversity_table(source.diversity)]


def _diversity_table(rows: list[DiversityRow]) -> Table:
    return Table(
        caption="Diversity",
        head=(
            "",
            "texts",
            "Vendi score",
            "within a problem",
            "opening heuristics",
            "distinct 3-grams",
            "n",
        ),
        rows=tuple(
            (
                _what(row),
                words.count(row.texts),
                words.quantity(row.vendi),
                words.quantity(row.per_problem),
                words.quantity(row.heuristics),
                words.number(row.distinct_3),
                words.count(row.vendi.n),
            )
            for row in rows
        ),
        note=f"Embedder: {'; '.join(dict.fromkeys(row.embedder for row in rows))}. n: problems. "
        "Opening heuristics: how many equally used ones would be as varied, direct counted as one.",
        folded=len(rows) > 8,
    )


def _vendi_mark(source: Source, row: DiversityRow) -> charts.Mark:
    kind, _, name = row.what.partition(" of ")
    arm, _, last = name.partition("/")
    phase: Phase = "mid" if last == "mid" else "base" if arm == "base" else "rl"
    return charts.Mark(
        score=row.vendi,
        colour=source.arm_colour(arm, phase),
        words=f"Vendi score {words.quantity(row.vendi)}, {row.texts:,} texts",
        symbol="square" if kind == "data" else palette.PHASE_SYMBOLS[phase],
    )


def _what(row: DiversityRow) -> str:
    """``attempts of star/rl`` -> ``attempts of star · after RL``."""
    kind, of, name = row.what.partition(" of ")
    return f"{kind}{of}{words.checkpoint_label(name)}" if of else row.what
