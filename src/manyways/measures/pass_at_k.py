"""pass@k: the chance that at least one of k attempts at a problem is right.

The comparison table of a run has arms as rows, and benchmarks x {pass@1, pass@max} as columns.
Figures of the paper, from secondary summaries, stand beside it and are marked as not measured here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from manyways.measures import Measure, example_score
from manyways.measures.benchmarks import (
    MATH_MEAN,
    MATH_SETS,
    MEANS,
    benchmark_words,
    prefer_pooled,
    without_revision,
)
from manyways.measures.rates import RATES, ending
from manyways.records import Phase, Score, pooled
from manyways.reporting import (
    ArmsTable,
    Block,
    Chart,
    Column,
    Entry,
    Heading,
    Key,
    Note,
    Published,
    Row,
    Table,
    charts,
    first_row,
    words,
)
from manyways.run_dir import benchmark_slug

if TYPE_CHECKING:
    from manyways.measures.score_curves import Curves
    from manyways.measures.seen import Seen
    from manyways.metrics.intervals import Resampling


ABREAST = 9
"""Benchmarks in a table side by side at most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PassRow:
    """pass@k of one checkpoint on one benchmark (``benchmark='mean'``: mean over benchmarks)."""

    checkpoint: str
    arm: str
    seed: int | None
    phase: Phase
    benchmark: str
    k: int
    attempts: int
    score: Score
    seeds: Score | None = None
    """Pooled rows of 3 or more seeds: Student's t interval over the seeds' means (``n`` seeds)."""
    chance: float | None = None
    """What guessing among the options would score, where all problems have options."""


P = TypeVar("P", bound=PassRow)


def measured(seen: "Seen") -> Iterator[PassRow]:
    """One row for each curve and k."""
    material = seen.material
    for row in curve_rows(material.curves, material.settings, row_type=PassRow, rising=True):
        yield replace(row, chance=material.chance(row.benchmark, row.k))


def curve_rows(
    all_curves: "Curves",
    settings: "Resampling",
    *,
    measure: str = "pass",
    row_type: type[P],
    rising: bool = False,
) -> Iterator[P]:
    """One row of ``row_type`` per curve and k; ``measure`` names the scores (``pass@8``).

    rising: the score cannot fall with k, so the bounds of its interval do not either.
    """
    from manyways.measures.score_curves import over_seeds, score
    from manyways.metrics.intervals import rising_bounds, score_intervals

    for (name, benchmark), curve in all_curves.items():
        mean_K, low_K, high_K = score_intervals(curve.values_PK, settings, curve.strata_P)
        if rising:
            low_K, high_K = rising_bounds(low_K, high_K)
        for i, k in enumerate(curve.ks):
            label = f"{measure}@{k}"
            count = len(curve.problems)
            yield row_type(
                checkpoint=name,
                arm=curve.checkpoint.arm,
                seed=curve.checkpoint.seed,
                phase=curve.checkpoint.phase,
                benchmark=benchmark,
                k=k,
                attempts=curve.attempts,
                score=score(label, (mean_K[i], low_K[i], high_K[i]), count),
                seeds=over_seeds(label, [curve.mean_K(x)[i] for x in curve.seeds.values()]),
            )


def example() -> list[PassRow]:
    """The base and one arm on one benchmark."""

    def row(arm: str, phase: Phase, k: int, value: float) -> PassRow:
        return PassRow(
            checkpoint=pooled(arm, phase) if phase != "base" else arm, arm=arm, seed=None,
            phase=phase, benchmark="pocket/test", k=k, attempts=96,
            score=example_score(f"pass@{k}", value),
        )  # fmt: skip

    return [
        row("base", "base", 1, 0.25),
        row("base", "base", 8, 0.5),
        row("heuristics-8", "rl", 1, 0.4),
        row("heuristics-8", "rl", 8, 0.75),
    ]


def blocks(seen: "Seen") -> list[Block]:
    """A figure for each benchmark, every score, arms by benchmarks."""
    if not seen.rows(PASS_AT_K):
        return [Note(kind="empty", sentences=("No checkpoint was evaluated.",))]
    return [*_curves(seen), _scores(seen), *_arms(seen)]


def _rows(seen: "Seen", benchmark: str) -> dict[str, list[PassRow]]:
    """Checkpoint -> its rows in the order of k, pooled over seeds where that exists."""
    rows = [row for row in seen.rows(PASS_AT_K) if row.benchmark == benchmark]
    found: dict[str, list[PassRow]] = {}
    for row in prefer_pooled(rows, key=lambda row: (row.arm, row.phase, row.k)):
        found.setdefault(row.checkpoint, []).append(row)
    return {name: sorted(rows, key=lambda row: row.k) for name, rows in found.items()}


def _curves(seen: "Seen") -> list[Block]:
    figures = [_curve(seen, benchmark) for benchmark in seen.benchmarks]
    heading = Heading(
        title="pass@k",
        text="Bands are 95% intervals over problems. The legend hides and shows; what is "
        "struck through is hidden at first.",
    )
    return [heading, *first_row(figures, tuple(_keys(seen)), "other pass@k figure")]


def _keys(seen: "Seen") -> Iterator[Key]:
    for arm in seen.recipe.arms:
        yield Key(
            group="arm",
            name=arm,
            label=arm,
            colour=seen.arm_colour(arm),
            symbol=seen.arm_symbol(arm),
            on=seen.at_first(arm),
        )
    phases = {row.phase for row in seen.rows(PASS_AT_K)}
    for phase, style in charts.DASHES.items():
        if phase in phases:
            yield Key(
                group="phase",
                name=phase,
                label=words.PHASES[phase],
                colour=charts.INK[0],
                dash=style,
                on=not (phase == "mid" and "rl" in phases),
            )
    if seen.choices:
        colour, dash = charts.MUTED[0], charts.CHANCE
        yield Key(group="line", name="chance", label="guessing", colour=colour, dash=dash)
    yield Key(group="band", name="yes", label="intervals", colour=charts.MUTED[0], symbol="band")


def _curve(seen: "Seen", benchmark: str) -> Chart:
    lines = [
        charts.Curve(
            label=words.checkpoint_label(name),
            x=[row.k for row in rows],
            y=[row.score.value for row in rows],
            low=[row.score.low for row in rows],
            high=[row.score.high for row in rows],
            colour=seen.arm_colour(rows[0].arm, rows[0].phase),
            dash=charts.DASHES[rows[0].phase],
            symbol=seen.arm_symbol(rows[0].arm),
            link=seen.texts_of(name, benchmark),
            meta={"phase": rows[0].phase}
            | ({"arm": rows[0].arm} if rows[0].phase != "base" else {}),
        )
        for name, rows in _rows(seen, benchmark).items()
    ]
    ks = sorted({row.k for row in seen.rows(PASS_AT_K) if row.benchmark == benchmark})
    problems = max(row.score.n for row in seen.rows(PASS_AT_K) if row.benchmark == benchmark)
    guessed = seen.chance(benchmark)
    if guessed:
        lines.append(_guessing(guessed))
    return Chart(
        id=f"pass-{benchmark_slug(benchmark)}",
        title=benchmark_words(benchmark).capitalize() if benchmark in MEANS else benchmark,
        alt=f"pass@k on {benchmark_words(benchmark)} from k = {ks[0]} to {ks[-1]}: "
        + "; ".join(
            f"{line.label} {words.number(line.y[0])} to {words.number(line.y[-1])}"
            for line in lines
        ),
        spec=charts.pass_curves(lines, ks),
        height=275,
        note=f"n = {problems} problems." + (_by_guessing(guessed) if guessed else ""),
    )


def _guessing(chance: dict[int, float]) -> charts.Curve:
    return charts.Curve(
        label="guessing",
        x=list(chance),
        y=list(chance.values()),
        colour=charts.MUTED[0],
        dash=charts.CHANCE,
        meta={"line": "chance"},
    )


def _by_guessing(chance: dict[int, float]) -> str:
    first, last = min(chance), max(chance)
    return (
        f" Multiple choice: guessing scores {chance[first]:.2f} at pass@{first} and "
        f"{chance[last]:.2f} at pass@{last}."
    )


def _scores(seen: "Seen") -> Table:
    ks = sorted({row.k for row in seen.rows(PASS_AT_K)})
    rates = {(row.checkpoint, row.benchmark): row for row in seen.rows(RATES)}
    rows: list[tuple[Entry, ...]] = []
    for benchmark in seen.benchmarks:
        guessed = {k: words.number(value) for k, value in seen.chance(benchmark).items()}
        if guessed:
            entries = (*(guessed.get(k, words.NONE) for k in ks), *[words.NONE] * 4)
            rows.append((benchmark, "guessing", *entries))
        for name, found in _rows(seen, benchmark).items():
            scores = {row.k: row.score for row in found}
            ended = rates.get((name, benchmark))
            rows.append(
                (
                    benchmark,
                    words.checkpoint_label(name),
                    *(words.quantity(scores.get(k)) for k in ks),
                    words.count(max(score.n for score in scores.values())),
                    *ending(ended),
                )
            )
    head = ("benchmark", "checkpoint", *(f"pass@{k}" for k in ks), "problems")
    return Table(
        caption="pass@k of every checkpoint on every benchmark",
        head=(*head, "truncated", "no answer", "undecided"),
        rows=tuple(rows),
        folded=True,
    )


def _arms(seen: "Seen") -> list[Table]:
    """Ours, a table for each k, then the paper's where the benchmarks are the paper's."""
    table = build(seen)
    ours = [
        Table(
            caption=f"Arms by benchmarks, {measure}",
            head=("", "seeds", *(table.columns[j].benchmark for j in places)),
            rows=tuple(
                (
                    row.label,
                    words.NONE if row.seeds is None else str(row.seeds),
                    *(words.quantity(row.scores[j]) for j in places),
                )
                for row in table.rows
            ),
            note="Also in 7-tables/comparison.md, .csv and .tex (manyways table RUN).",
            folded=True,
        )
        for measure, places in _by_measure(table.columns)
    ]
    if table.published is None:
        return ours
    quoted = Table(
        caption="Published, not measured here",
        head=("", *(f"{benchmark} {measure}" for benchmark, measure in table.published.columns)),
        rows=tuple(
            (label, *(words.number(value) for value in values))
            for label, values in table.published.rows
        ),
        note=table.published.source,
    )
    return [*ours, quoted]


def _by_measure(columns: Sequence[Column]) -> Iterator[tuple[str, list[int]]]:
    """pass@k -> its columns, at most ``ABREAST`` at once: more would be cut off."""
    for measure in dict.fromkeys(column.measure for column in columns):
        places = [j for j, column in enumerate(columns) if column.measure == measure]
        for first in range(0, len(places), ABREAST):
            yield measure, places[first : first + ABREAST]


PASS_AT_K = Measure(
    name="pass_at_k",
    row=PassRow,
    measured=measured,
    example=example,
    shown={"evaluation": blocks},
)


SOURCE = (
    "Published figures, not measured here: RRV et al., Mid-Training with Self-Generated Data "
    "Improves Reinforcement Learning in Language Models, arXiv 2605.08472, quoted from secondary "
    "summaries; Llama-3.2-3B-Instruct, in %, no intervals given."
)
MEAN64, AIME25, AMC23, MATH500 = (
    (name, "pass@64") for name in (MATH_MEAN, "aime25/test", "amc23/test", "math500/test")
)
CODE, MURDER, TEAM = (
    (name, "k not stated") for name in ("humaneval/test", "musr/murder", "musr/team")
)
COLUMNS = (MEAN64, AIME25, AMC23, MATH500, CODE, MURDER, TEAM)
"""(benchmark, measure), in the order of the table."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedRow:
    """One line of the paper's results, in %. Example: ``PublishedRow(label="RL only", ...)``."""

    label: str
    values: dict[tuple[str, str], float]


ROWS = (
    PublishedRow(label="base (zero-shot)", values={MEAN64: 46.30}),
    PublishedRow(label="STaR, mid-trained", values={MEAN64: 46.32}),
    PublishedRow(label="Polya n=64, mid-trained", values={MEAN64: 48.17}),
    PublishedRow(
        label="RL only",
        values={
            MEAN64: 44.21, AIME25: 16.91, AMC23: 78.18, MATH500: 83.42, CODE: 51.14,
            MURDER: 53.15, TEAM: 23.46,
        },
    ),
    PublishedRow(label="STaR + RL", values={MEAN64: 45.69}),
    PublishedRow(label="Polya n=16 + RL", values={MEAN64: 48.09}),
    PublishedRow(label="Polya n=64 + RL", values={MEAN64: 47.62}),
    PublishedRow(label="Polya n=32 + RL", values={TEAM: 39.07}),
    PublishedRow(
        label="Polya + RL, n not stated",
        values={AIME25: 23.34, AMC23: 84.52, MATH500: 86.27, CODE: 52.82, MURDER: 57.36},
    ),
)  # fmt: skip


def build(seen: "Seen") -> ArmsTable:
    """The table of a run, from its rows of pass@k; empty when nothing was evaluated."""
    pooled = prefer_pooled(
        seen.rows(PASS_AT_K), key=lambda row: (row.arm, row.phase, row.benchmark, row.k)
    )
    columns = _columns(seen, pooled)
    scores = {(row.checkpoint, row.benchmark, row.k): row.score for row in pooled}
    names = {row.checkpoint: row for row in pooled}
    order = {name: i for i, name in enumerate(["base", *seen.recipe.arms])}
    phases = list(words.PHASES)
    rows = tuple(
        Row(
            label=words.checkpoint_label(name),
            seeds=_seeds(seen, row),
            scores=tuple(scores.get((name, c.benchmark, c.k)) for c in columns),
        )
        for name, row in sorted(
            names.items(),
            key=lambda item: (order.get(item[1].arm, 99), phases.index(item[1].phase)),
        )
    )
    return ArmsTable(
        caption=_caption(seen, columns, rows),
        columns=columns,
        rows=rows,
        published=_published(seen, columns),
    )


def _columns(seen: "Seen", rows: "Sequence[PassRow]") -> tuple[Column, ...]:
    """The recipe's benchmarks in its order, then the means; k = 1 and the largest of each."""
    ks: dict[str, set[int]] = {}
    for row in rows:
        ks.setdefault(row.benchmark, set()).add(row.k)
    order = [*seen.recipe.benchmarks, *reversed(MEANS)]
    return tuple(
        Column(benchmark=benchmark, k=k)
        for benchmark in order
        if benchmark in ks
        for k in sorted({min(ks[benchmark]), max(ks[benchmark])})
    )


def _seeds(seen: "Seen", row: "PassRow") -> int | None:
    if row.phase == "base":
        return None
    return len({
        other.seed
        for other in seen.rows(PASS_AT_K)
        if (other.arm, other.phase) == (row.arm, row.phase) and other.seed is not None
    })  # fmt: skip


def _caption(seen: "Seen", columns: Sequence[Column], rows: Sequence[Row]) -> str:
    if not columns:
        return "No checkpoint was evaluated."
    problems = []
    for benchmark in dict.fromkeys(column.benchmark for column in columns):
        at = [i for i, column in enumerate(columns) if column.benchmark == benchmark]
        counts = sorted({s.n for row in rows for i in at if (s := row.scores[i]) is not None})
        problems.append(f"{benchmark} {' to '.join(str(n) for n in {counts[0]: 0, counts[-1]: 0})}")
    settings = seen.recipe.evaluate
    seeds = sorted({row.seeds for row in rows if row.seeds is not None})
    listed = words.listing(map(str, seeds))
    over = f"mean over {listed} training {'seed' if seeds == [1] else 'seeds'}, " if seeds else ""
    return (
        f"pass@k in %, {over}{settings.attempts} attempts per problem at temperature "
        f"{settings.temperature:g}, top-p {settings.top_p:g}, at most {settings.max_tokens} "
        f"tokens. Problems: "
        f"{', '.join(problems)}. Bold: the highest of its column, which is no test of a difference."
    )


def _published(seen: "Seen", columns: Sequence[Column]) -> Published | None:
    """The block is shown where the run asks all problems of the paper's six math sets."""
    own = {without_revision(name) for name in seen.recipe.benchmarks}
    if not columns or not own.issuperset(MATH_SETS) or seen.recipe.evaluate.limit is not None:
        return None
    shown = tuple(c for c in COLUMNS if c[0] in own or c[0] == MATH_MEAN)
    found = [(row.label, tuple(row.values.get(c) for c in shown)) for row in ROWS]
    return Published(
        source=SOURCE,
        columns=shown,
        rows=tuple(
            (label, values) for label, values in found if any(v is not None for v in values)
        ),
    )
