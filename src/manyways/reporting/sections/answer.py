"""The first screen: the question, the answer in a sentence, the four cells."""

from collections.abc import Iterator

from manyways.records import Phase, Score
from manyways.reporting import charts, palette, words
from manyways.reporting.blocks import Block, Chart, Charts, Key, Note, Section, Table
from manyways.reporting.source import Source
from manyways.results.tables import FourCells

QUESTION = "Did learning many ways help RL here?"
FAR = 3
"""Arms shown on the first screen; the rest is under evaluation."""


def section(source: Source) -> Section:
    """Question, answer, what stopped, four cells."""
    rows = list(_cells(source))
    blocks: list[Block] = (
        [Note(kind="stop", sentences=stopped)] if (stopped := _stops(source)) else []
    )
    if rows:
        blocks += [
            _table(source, rows),
            Charts(charts=(_chart(source, rows),), legend=_legend(source)),
        ]
    more = tuple(f.sentence for f in source.findings if f.kind == "main")[1:]
    if more:
        blocks.append(Note(kind="finding", sentences=more))
    return Section(id="answer", title=QUESTION, intro=answer(source), blocks=tuple(blocks))


def answer(source: Source) -> str:
    """The main finding, or in one sentence why there is none."""
    main = [finding.sentence for finding in source.findings if finding.kind == "main"]
    if main:
        return main[0]
    attempts = sum(row.attempts for row in source.yields)
    if attempts and not sum(row.correct for row in source.yields):
        return (
            f"This run cannot say: 0 of {attempts:,} attempts were correct, "
            "so there was nothing to mid-train on."
        )
    if len(source.recipe.arms) == 1:
        return (
            f"This run cannot say: it has one arm, {source.recipe.arms[0]}, and nothing to compare "
            "it with."
        )
    if _stops(source):
        return "This run cannot say: not every arm came to its end."
    return "This run cannot say yet: its result tables are empty."


def _stops(source: Source) -> tuple[str, ...]:
    """What did not come to its end, each outcome as one sentence."""
    stopped: dict[str, list[str]] = {}
    for row in source.arms:
        if row.outcome != "complete":
            stopped.setdefault(row.outcome, []).append(f"{row.arm} (seed {row.seed})")
    return tuple(f"{words.listing(lines)}: {outcome}" for outcome, lines in stopped.items())


Cell = tuple[str, str, Phase]
"""Label, arm and phase of a row of the first screen."""


def _cells(source: Source) -> Iterator[tuple[Cell, dict[int, Score]]]:
    """Rows of the first screen: each checkpoint once, with its score at each k."""
    table = {(row.arm, row.k): row for row in source.four_cells if row.benchmark == source.headline}
    arms = [arm for arm in source.arm_order if any(arm == name for name, _ in table)]
    trained = [arm for arm in arms if arm != "vanilla"][:FAR]
    wanted: list[tuple[Cell, str]] = [(("Base model", arms[0], "base"), "base")] if arms else []
    wanted += [(("RL only", "vanilla", "rl"), "rl_only")] if arms else []
    for arm in trained:
        wanted.append(((f"{arm}: mid-trained", arm, "mid"), "mid"))
        wanted.append(((f"{arm}: mid-trained + RL", arm, "rl"), "mid_rl"))
    for cell, field in wanted:
        home = cell[1] if field in ("mid", "mid_rl") else arms[0]
        scores = {k: _score(table.get((home, k)), field) for k in source.ends}
        found = {k: score for k, score in scores.items() if score is not None}
        if found:
            yield cell, found


def _score(row: FourCells | None, field: str) -> Score | None:
    score: Score | None = getattr(row, field) if row else None
    return score


def _table(source: Source, rows: list[tuple[Cell, dict[int, Score]]]) -> Table:
    units = {score.n for _, scores in rows for score in scores.values()}
    few, many = min(units), max(units)
    return Table(
        caption=f"The four cells on {benchmark_words(source.headline)}",
        head=("", *(f"pass@{k}" for k in source.ends)),
        rows=tuple(
            (label, *(words.rate(scores.get(k)) for k in source.ends))
            for (label, _, _), scores in rows
        ),
        strong=tuple(
            i for i, ((_, arm, phase), _) in enumerate(rows)
            if arm == source.main_arm and phase == "rl"
        ),
        note=f"pass@k: the share of problems that at least one of k attempts solves, with its 95% "
        f"interval over {few if few == many else f'{few} to {many}'} problems, "
        f"{words.plural(len(source.recipe.seeds), 'training seed')}.",
    )  # fmt: skip


def _chart(source: Source, rows: list[tuple[Cell, dict[int, Score]]]) -> Chart:
    lines = [
        charts.Row(
            label=label,
            marks=tuple(
                charts.Mark(
                    score=score,
                    colour=source.arm_colour(arm, phase),
                    words=f"pass@{k}: {words.rate(score)}, n = {score.n}",
                    symbol="circle" if k == source.ends[0] else "diamond-open",
                    meta={"k": str(k)},
                )
                for k, score in scores.items()
            ),
        )
        for (label, arm, phase), scores in rows
    ]
    return Chart(
        id="four-cells",
        title=f"The same, drawn: {' and '.join(f'pass@{k}' for k in source.ends)}",
        alt="Dots with 95% intervals: " + "; ".join(
            f"{label}: "
            + ", ".join(f"pass@{k} {words.number(score.value)}" for k, score in scores.items())
            for (label, _, _), scores in rows
        ),
        spec=charts.intervals(lines, axis="share of problems solved"),
        height=charts.height_of(lines),
    )  # fmt: skip


def _legend(source: Source) -> tuple[Key, ...]:
    return tuple(
        Key(
            group="k",
            name=str(k),
            label=f"pass@{k}",
            colour=palette.INK[0],
            symbol="circle" if k == source.ends[0] else "diamond-open",
        )
        for k in source.ends
    )


def benchmark_words(name: str) -> str:
    """The name of a benchmark within a sentence."""
    return {"mean": "the mean of all benchmarks", "all": "all benchmarks together"}.get(name, name)
