"""Paired differences: two checkpoints on the same problems."""

from manyways.records import Score
from manyways.reporting import charts, palette, words
from manyways.reporting.blocks import Block, Chart, Charts, Heading, Key, Table
from manyways.reporting.sections.answer import benchmark_words
from manyways.reporting.source import Source
from manyways.results import PairedRow


def blocks(source: Source) -> list[Block]:
    """A forest plot of the smallest and largest k, and the table of every k."""
    ks = sorted({row.k for row in source.paired})
    ends = (ks[0], ks[-1])
    lines: list[charts.Row] = []
    for (a, b), rows in _by_pair(source.paired).items():
        lines.append(charts.Row(label=f"{words.checkpoint_label(a)} − {words.checkpoint_label(b)}"))
        lines += [_forest_row(source, rows, benchmark, ends) for benchmark in _benchmarks(rows)]
    chart = Chart(
        id="paired",
        title="Differences on the same problems",
        alt="Paired differences: " + "; ".join(
            f"{row.a} minus {row.b} on {row.benchmark}, pass@{row.k}: "
            f"{words.points(row.difference)} points"
            for row in source.paired if row.k in ends
        ),
        spec=charts.intervals(
            lines,
            share=False,
            zero=True,
            axis="percentage points; right of zero: the first is better",
        ),
        height=charts.height_of(lines),
        note="An interval that crosses zero: no difference was found.",
    )  # fmt: skip
    keys = tuple(
        Key(group="k", name=str(k), label=f"pass@{k}", colour=palette.INK[0], symbol=marker)
        for k, marker in dict(zip(ends, ("circle", "diamond-open"), strict=True)).items()
    )
    heading = Heading(
        title="Paired differences",
        text="Each pair of checkpoints is compared on the same problems, which removes the luck of "
        "easy and hard problems.",
    )
    return [heading, Charts(charts=(chart,), legend=keys, wide=True), _paired_table(source)]


def _by_pair(rows: list[PairedRow]) -> dict[tuple[str, str], list[PairedRow]]:
    pairs: dict[tuple[str, str], list[PairedRow]] = {}
    for row in rows:
        pairs.setdefault((row.a, row.b), []).append(row)
    return pairs


def _benchmarks(rows: list[PairedRow]) -> list[str]:
    names = dict.fromkeys(row.benchmark for row in rows)
    return sorted(names, key=lambda name: name != "mean")


def _forest_row(
    source: Source, rows: list[PairedRow], benchmark: str, ends: tuple[int, int]
) -> charts.Row:
    arm = rows[0].a.split("/")[0]
    marks = tuple(
        charts.Mark(
            score=_in_points(row.difference),
            colour=source.arm_colour(arm),
            words=f"pass@{row.k}: {words.points(row.difference)} points, "
            f"p = {words.p_value(row.p)}",
            symbol="circle" if row.k == ends[0] else "diamond-open",
            meta={"k": str(row.k)},
        )
        for row in sorted(rows, key=lambda row: row.k)
        if row.benchmark == benchmark and row.k in ends
    )
    return charts.Row(label=benchmark_words(benchmark), marks=marks)


def _in_points(score: Score) -> Score:
    value, low, high = (100 * v for v in (score.value, score.low, score.high))
    return Score(name=score.name, value=value, low=low, high=high, n=score.n)


def _paired_table(source: Source) -> Table:
    return Table(
        caption="Paired differences, percentage points",
        head=("first", "second", "benchmark", "k", "first − second", "p", "problems"),
        rows=tuple(
            (
                words.checkpoint_label(row.a),
                words.checkpoint_label(row.b),
                row.benchmark,
                str(row.k),
                words.points(row.difference),
                words.p_value(row.p),
                words.count(row.difference.n),
            )
            for row in source.paired
        ),
        note="p: sign-flip permutation test over problems, not corrected for the number of rows.",
        folded=True,
    )
