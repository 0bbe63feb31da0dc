"""The comparison table of a run: rows are arms, columns benchmarks x {pass@1, pass@max}.

Beside it stand figures of the paper, as secondary summaries give them: never as ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from manyways.measures.benchmarks import MATH_MEAN, MATH_SETS, MEANS, prefer_pooled, whole_set
from manyways.reporting import words
from manyways.reporting.arms_table import ArmsTable, Column, Published, Row

if TYPE_CHECKING:
    from manyways.measures.pass_at_k import PassRow
    from manyways.measures.seen import Seen


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


ORDER = {"base": 0, "mid": 1, "rl": 2}


def build(seen: "Seen") -> ArmsTable:
    """The table of a run, from its rows of pass@k; empty when nothing was evaluated."""
    from manyways.measures.pass_at_k import PASS_AT_K

    pooled = prefer_pooled(
        seen.rows(PASS_AT_K), key=lambda row: (row.arm, row.phase, row.benchmark, row.k)
    )
    columns = _columns(seen, pooled)
    scores = {(row.checkpoint, row.benchmark, row.k): row.score for row in pooled}
    names = {row.checkpoint: row for row in pooled}
    order = {name: i for i, name in enumerate(["base", *seen.recipe.arms])}
    rows = tuple(
        Row(
            label=words.checkpoint_label(name),
            seeds=_seeds(seen, row),
            scores=tuple(scores.get((name, c.benchmark, c.k)) for c in columns),
        )
        for name, row in sorted(
            names.items(), key=lambda item: (order.get(item[1].arm, 99), ORDER[item[1].phase])
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
    from manyways.measures.pass_at_k import PASS_AT_K

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
    own = {whole_set(name) for name in seen.recipe.benchmarks}
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
