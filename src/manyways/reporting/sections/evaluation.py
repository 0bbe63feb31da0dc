"""Evaluation: pass@k on each benchmark, paired differences, the rates behind every score."""

from collections.abc import Iterator

from manyways.reporting import charts, palette, words
from manyways.reporting.blocks import (
    Block,
    Cell,
    Chart,
    Charts,
    Heading,
    Key,
    Note,
    Section,
    Table,
    explorer_link,
)
from manyways.reporting.sections import arms, comparison, sampling, votes
from manyways.reporting.sections.answer import benchmark_words
from manyways.reporting.source import Source, prefer_pooled
from manyways.results.tables import PassRow
from manyways.run_dir import benchmark_slug

INTRO = (
    "pass@k is the chance that at least one of k attempts at a problem is right: pass@1 says how "
    "reliable a model is, large k how much it can reach at all. RL often buys the first with the "
    "second."
)


def section(source: Source) -> Section:
    """Curves, four cells of all arms, paired differences, rates."""
    blocks: list[Block] = []
    if source.pass_at_k:
        blocks += [*_curves(source), _scores(source), *arms.tables(source)]
    else:
        blocks.append(Note(kind="empty", sentences=("No checkpoint was evaluated.",)))
    if source.averages:
        blocks.append(votes.table(source))
    if source.four_cells:
        blocks.append(_four_cells(source))
    if source.paired:
        blocks += comparison.blocks(source)
    if source.rates:
        blocks += _rates(source)
    sampled = sampling.table(source)
    if sampled:
        blocks.append(sampled)
    return Section(id="evaluation", title="Evaluation", intro=INTRO, blocks=tuple(blocks))


def _rows(source: Source, benchmark: str) -> dict[str, list[PassRow]]:
    """Checkpoint -> its rows in the order of k, pooled over seeds where that exists."""
    rows = [row for row in source.pass_at_k if row.benchmark == benchmark]
    found: dict[str, list[PassRow]] = {}
    for row in prefer_pooled(rows, key=lambda row: (row.arm, row.phase, row.k)):
        found.setdefault(row.checkpoint, []).append(row)
    return {name: sorted(rows, key=lambda row: row.k) for name, rows in found.items()}


def _curves(source: Source) -> list[Block]:
    figures = tuple(_curve(source, benchmark) for benchmark in source.benchmarks)
    heading = Heading(
        title="pass@k",
        text="Bands are 95% intervals over problems. The legend hides and shows; what is "
        "struck through is hidden at first.",
    )
    return [heading, Charts(charts=figures, legend=tuple(_keys(source)))]


def _keys(source: Source) -> Iterator[Key]:
    for arm in source.recipe.arms:
        yield Key(
            group="arm",
            name=arm,
            label=arm,
            colour=source.arm_colour(arm),
            symbol=source.arm_symbol(arm),
            on=source.at_first(arm),
        )
    phases = {row.phase for row in source.pass_at_k}
    for phase, style in palette.DASHES.items():
        if phase in phases:
            yield Key(
                group="phase",
                name=phase,
                label=words.PHASES[phase],
                colour=palette.INK[0],
                dash=style,
                on=not (phase == "mid" and "rl" in phases),
            )
    yield Key(group="band", name="yes", label="intervals", colour=palette.MUTED[0], symbol="band")


def _curve(source: Source, benchmark: str) -> Chart:
    lines = [
        charts.Line(
            label=words.checkpoint_label(name),
            x=[row.k for row in rows],
            y=[row.score.value for row in rows],
            low=[row.score.low for row in rows],
            high=[row.score.high for row in rows],
            colour=source.arm_colour(rows[0].arm, rows[0].phase),
            dash=palette.DASHES[rows[0].phase],
            symbol=source.arm_symbol(rows[0].arm),
            link=explorer_link(source=name),
            meta={"phase": rows[0].phase}
            | ({"arm": rows[0].arm} if rows[0].phase != "base" else {}),
        )
        for name, rows in _rows(source, benchmark).items()
    ]
    ks = sorted({row.k for row in source.pass_at_k if row.benchmark == benchmark})
    problems = max(row.score.n for row in source.pass_at_k if row.benchmark == benchmark)
    return Chart(
        id=f"pass-{benchmark_slug(benchmark)}",
        title=benchmark_words(benchmark).capitalize() if benchmark == "mean" else benchmark,
        alt=f"pass@k on {benchmark_words(benchmark)} from k = {ks[0]} to {ks[-1]}: "
        + "; ".join(
            f"{line.label} {words.number(line.y[0])} to {words.number(line.y[-1])}"
            for line in lines
        ),
        spec=charts.pass_curves(lines, ks),
        height=340,
        note=f"n = {problems} problems.",
    )


def _scores(source: Source) -> Table:
    ks = sorted({row.k for row in source.pass_at_k})
    rates = {(row.checkpoint, row.benchmark): row for row in source.rates}
    rows: list[tuple[Cell, ...]] = []
    for benchmark in source.benchmarks:
        for name, found in _rows(source, benchmark).items():
            scores = {row.k: row.score for row in found}
            ended = rates.get((name, benchmark))
            rows.append(
                (
                    benchmark,
                    words.checkpoint_label(name),
                    *(words.rate(scores.get(k)) for k in ks),
                    words.count(max(score.n for score in scores.values())),
                    *votes.shares(ended),
                )
            )
    head = ("benchmark", "checkpoint", *(f"pass@{k}" for k in ks), "problems")
    return Table(
        caption="pass@k of every checkpoint on every benchmark",
        head=(*head, "truncated", "no answer", "undecided"),
        rows=tuple(rows),
        folded=True,
    )


def _four_cells(source: Source) -> Table:
    return Table(
        caption="The four cells of every arm and benchmark",
        head=("arm", "benchmark", "k", "base", "mid-trained", "RL only", "mid-trained + RL"),
        rows=tuple(
            (
                row.arm,
                row.benchmark,
                str(row.k),
                *(words.rate(cell) for cell in (row.base, row.mid, row.rl_only, row.mid_rl)),
            )
            for row in source.four_cells
        ),
        folded=True,
    )


def _rates(source: Source) -> list[Block]:
    measured = [row for row in source.rates if row.measured]
    cut = max(measured, key=lambda row: row.truncated)
    lost = max(measured, key=lambda row: row.undecided)
    heading = Heading(
        title="How the attempts ended",
        text=f"At most {words.percent(cut.truncated)} were truncated "
        f"({words.checkpoint_label(cut.checkpoint)} on {cut.benchmark}) and at most "
        f"{words.percent(lost.undecided)} undecided "
        f"({words.checkpoint_label(lost.checkpoint)} on {lost.benchmark}).",
    )
    shares = ("correct", "wrong", "no_answer", "undecided", "truncated")
    table = Table(
        caption="How the attempts behind the scores ended",
        head=(
            "checkpoint",
            "benchmark",
            *(s.replace("_", " ") for s in shares),
            "tokens each",
            "attempts",
        ),
        rows=tuple(
            (
                words.checkpoint_label(row.checkpoint),
                row.benchmark,
                *(words.percent(getattr(row, share)) for share in shares),
                words.count(row.mean_tokens),
                words.count(row.attempts),
            )
            for row in measured
        ),
        note="Undecided (the verifier ran out of time or failed) is counted apart from wrong.",
        folded=True,
    )
    return [heading, table]
