"""Paired differences: two checkpoints on the same problems."""

from collections.abc import Iterator

from manyways.reporting import charts, palette, words
from manyways.reporting.blocks import Block, Chart, Charts, Heading, Key, Table
from manyways.reporting.sections.answer import benchmark_words
from manyways.reporting.source import Source
from manyways.results.tables import PairedRow
from manyways.run_dir import benchmark_slug


def blocks(source: Source) -> list[Block]:
    """Every pair on the headline benchmark, the main pair on each benchmark, and the table."""
    heading = Heading(
        title="Paired differences",
        text="Each pair of checkpoints is compared on the same problems, which removes the luck of "
        "easy and hard problems. An interval that holds zero: no difference was found.",
    )
    keys = tuple(
        Key(
            group="k",
            name=str(k),
            label=f"pass@{k}",
            colour=palette.INK[0],
            symbol=_symbol(source, k),
        )
        for k in _ends(source)
    )
    figures = Charts(charts=tuple(_charts(source)), legend=keys)
    return [heading, figures, _table(source)]


def _ends(source: Source) -> tuple[int, ...]:
    ks = {row.k for row in source.paired}
    return tuple(sorted({min(ks), max(ks)}))


def _symbol(source: Source, k: int) -> str:
    return "circle" if k == _ends(source)[0] else "diamond-open"


def _charts(source: Source) -> Iterator[Chart]:
    pairs = list(dict.fromkeys((row.a, row.b) for row in source.paired))
    names = list(dict.fromkeys(row.benchmark for row in source.paired))
    headline = source.headline if source.headline in names else names[0]
    yield _forest(
        source,
        title=f"Every pair, on {benchmark_words(headline)}",
        rows={_pair(a, b): _select(source, a, b, headline) for a, b in pairs},
    )
    main = (f"{source.main_arm}/rl", "vanilla/rl")
    if main in pairs and len(names) > 1:
        yield _forest(
            source,
            title=f"{_pair(*main)}, on each benchmark",
            rows={benchmark_words(name): _select(source, *main, name) for name in names},
        )


def _pair(a: str, b: str) -> str:
    return f"{words.checkpoint_label(a)} − {words.checkpoint_label(b)}"


def _select(source: Source, a: str, b: str, benchmark: str) -> list[PairedRow]:
    rows = [row for row in source.paired if (row.a, row.b, row.benchmark) == (a, b, benchmark)]
    return sorted((row for row in rows if row.k in _ends(source)), key=lambda row: row.k)


def _forest(source: Source, *, title: str, rows: dict[str, list[PairedRow]]) -> Chart:
    lines = [
        charts.Row(label=label, marks=tuple(_mark(source, row) for row in found))
        for label, found in rows.items()
        if found
    ]
    said = (f"{line.label}: {mark.words}" for line in lines for mark in line.marks)
    return Chart(
        id=f"paired-{benchmark_slug(title)}",
        title=title,
        alt=f"Differences with 95% intervals. {'; '.join(said)}",
        spec=charts.intervals(
            lines, zero=True, axis="difference; right of zero: the first is better"
        ),
        height=charts.height_of(lines),
    )


def _mark(source: Source, row: PairedRow) -> charts.Mark:
    seeds = f", over {row.seeds.n} seeds {words.difference(row.seeds)}" if row.seeds else ""
    return charts.Mark(
        score=row.difference,
        colour=source.arm_colour(row.a.split("/")[0]),
        words=f"pass@{row.k}: {words.difference(row.difference)}, "
        f"p = {words.p_value(row.p)}{seeds}",
        symbol=_symbol(source, row.k),
        meta={"k": str(row.k)},
    )


def _table(source: Source) -> Table:
    return Table(
        caption="Paired differences in pass@k",
        head=("first", "second", "benchmark", "k", "first − second", "p", "n", "over seeds"),
        rows=tuple(
            (
                words.checkpoint_label(row.a),
                words.checkpoint_label(row.b),
                row.benchmark,
                str(row.k),
                words.difference(row.difference),
                words.p_value(row.p),
                words.count(row.difference.n),
                words.difference(row.seeds),
            )
            for row in source.paired
        ),
        note="n: problems. Brackets: paired bootstrap over problems. p: two-sided sign-flip "
        "permutation test over problems (the share of sign patterns whose mean difference is as "
        "large), not corrected for the number of rows. Over seeds: the interval over training "
        "seeds, from three seeds on.",
        folded=True,
    )
