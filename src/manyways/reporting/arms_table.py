"""The comparison table of a run: rows are arms, columns benchmarks x {pass@1, pass@max}."""

from collections.abc import Sequence
from dataclasses import dataclass

from manyways.records import Score
from manyways.reporting import words
from manyways.reporting.published import COLUMNS, ROWS, SOURCE
from manyways.reporting.source import Source, prefer_pooled
from manyways.results.scores import MATH_MEAN, MATH_SETS, MEAN, whole_set
from manyways.results.tables import PassRow

BRACKETS = " In brackets: 95% bootstrap intervals over problems."
"""Follows the caption where intervals are printed."""
ORDER = {"base": 0, "mid": 1, "rl": 2}


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """Example: ``Column(benchmark="aime24/test", k=64)``."""

    benchmark: str
    k: int

    @property
    def measure(self) -> str:
        """``pass@64``."""
        return f"pass@{self.k}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One arm at one phase. ``seeds``: training seeds behind it, None for the base model."""

    label: str
    seeds: int | None
    scores: tuple[Score | None, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """The paper's figures for the benchmarks of this run, in %; None where it gives none."""

    source: str
    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, tuple[float | None, ...]], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ArmsTable:
    """The table, whatever it is written as. ``published`` only for the paper's benchmarks."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    published: Published | None

    def best(self, column: int) -> set[int]:
        """The rows that print the highest score of a column; none where there is one row only."""
        scores = [row.scores[column] for row in self.rows]
        printed = [None if score is None else percent(score.value) for score in scores]
        there = [score.value for score in scores if score is not None]
        if len(there) < 2:
            return set()
        return {i for i, text in enumerate(printed) if text == percent(max(there))}


def percent(value: float) -> str:
    """0.4321 -> ``43.2``."""
    return f"{100 * value:.1f}"


def build(source: Source) -> ArmsTable:
    """The table of a run, from its rows of pass@k; empty when nothing was evaluated."""
    pooled = prefer_pooled(
        source.pass_at_k, key=lambda row: (row.arm, row.phase, row.benchmark, row.k)
    )
    columns = _columns(source, pooled)
    scores = {(row.checkpoint, row.benchmark, row.k): row.score for row in pooled}
    names = {row.checkpoint: row for row in pooled}
    order = {name: i for i, name in enumerate(["base", *source.recipe.arms])}
    rows = tuple(
        Row(
            label=words.checkpoint_label(name),
            seeds=_seeds(source, row),
            scores=tuple(scores.get((name, c.benchmark, c.k)) for c in columns),
        )
        for name, row in sorted(
            names.items(), key=lambda item: (order.get(item[1].arm, 99), ORDER[item[1].phase])
        )
    )
    return ArmsTable(
        caption=_caption(source, columns, rows),
        columns=columns,
        rows=rows,
        published=_published(source, columns),
    )


def _columns(source: Source, rows: Sequence[PassRow]) -> tuple[Column, ...]:
    """The recipe's benchmarks in its order, then the means; k = 1 and the largest of each."""
    ks: dict[str, set[int]] = {}
    for row in rows:
        ks.setdefault(row.benchmark, set()).add(row.k)
    order = [*source.recipe.evaluate.benchmarks, MATH_MEAN, MEAN]
    return tuple(
        Column(benchmark=benchmark, k=k)
        for benchmark in order
        if benchmark in ks
        for k in sorted({min(ks[benchmark]), max(ks[benchmark])})
    )


def _seeds(source: Source, row: PassRow) -> int | None:
    if row.phase == "base":
        return None
    return len({
        other.seed
        for other in source.pass_at_k
        if (other.arm, other.phase) == (row.arm, row.phase) and other.seed is not None
    })  # fmt: skip


def _caption(source: Source, columns: Sequence[Column], rows: Sequence[Row]) -> str:
    if not columns:
        return "No checkpoint was evaluated."
    problems = []
    for benchmark in dict.fromkeys(column.benchmark for column in columns):
        at = [i for i, column in enumerate(columns) if column.benchmark == benchmark]
        counts = sorted({s.n for row in rows for i in at if (s := row.scores[i]) is not None})
        problems.append(f"{benchmark} {' to '.join(str(n) for n in {counts[0]: 0, counts[-1]: 0})}")
    settings = source.recipe.evaluate
    seeds = sorted({row.seeds for row in rows if row.seeds is not None})
    listed = words.listing(map(str, seeds))
    over = f"mean over {listed} training {'seed' if seeds == [1] else 'seeds'}, " if seeds else ""
    return (
        f"pass@k in %, {over}{settings.attempts} attempts per problem at temperature "
        f"{settings.temperature:g}, top-p {settings.top_p:g}, at most {settings.max_tokens} "
        f"tokens. Problems: "
        f"{', '.join(problems)}. Bold: the highest of its column, which is no test of a difference."
    )


def _published(source: Source, columns: Sequence[Column]) -> Published | None:
    """The block is shown where the run asks all problems of the paper's six math sets."""
    own = {whole_set(name) for name in source.recipe.evaluate.benchmarks}
    if not columns or not own.issuperset(MATH_SETS) or source.recipe.evaluate.limit is not None:
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
