"""What the run cost: seconds and tokens of each piece of work."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from manyways.measures import Measure
from manyways.measures.curves import CURVES
from manyways.records import line_name
from manyways.reporting import Block, Chart, Charts, Fold, Note, Table, charts, words
from manyways.run_dir import Stamp

if TYPE_CHECKING:
    from manyways.measures.seen import Seen


@dataclass(frozen=True, kw_only=True, slots=True)
class CostRow:
    """Seconds and tokens of one piece of work.

    work:    as ``manyways status`` names it.
    seconds: that it took.
    tokens:  that were sampled.
    """

    work: str
    seconds: float
    attempts: int
    tokens: int


def measured(seen: "Seen") -> list[CostRow]:
    """A row for each finished piece of work but analysis and report, in the order of their ends.

    RL counts no attempts itself: they follow from its steps and their logged mean length. Tokens
    of groups that were drawn again are among its tokens.
    """
    rl = _of_rl(seen)
    return [
        CostRow(work=stamp.work, seconds=stamp.seconds, attempts=attempts, tokens=tokens)
        for stamp in seen.material.ctx.run.stamps()
        if stamp.work not in ("analyse", "report")
        for attempts, tokens in [rl.get(stamp.work) or _counted(stamp)]
    ]


def _counted(stamp: Stamp) -> tuple[int, int]:
    return int(stamp.counts.get("attempts", 0)), int(stamp.counts.get("tokens", 0))


def _of_rl(seen: "Seen") -> dict[str, tuple[int, int]]:
    """Name of the work -> attempts and tokens of each RL training that logged lengths."""
    logged: dict[tuple[str, int], list[tuple[int, float, float]]] = {}
    for row in seen.rows(CURVES):
        if row.stage == "rl" and row.length is not None:
            told = (row.step, row.length, row.redrawn or 0.0)
            logged.setdefault((row.arm, row.seed), []).append(told)
    found = {}
    for (arm, seed), rows in logged.items():
        steps, lengths, redrawn = zip(*rows, strict=True)
        rl = seen.recipe.of(arm).rl
        taken = steps[-1] * rl.prompts_per_step * rl.group_size
        tokens = round(taken * sum(lengths) / len(lengths) + sum(redrawn))
        found[f"rl/{line_name(arm, seed)}"] = (taken, tokens)
    return found


def example() -> list[CostRow]:
    """Two pieces of work."""
    return [
        CostRow(work="generate", seconds=4000.0, attempts=384, tokens=27000),
        CostRow(work="midtrain/star/seed-0", seconds=61.0, attempts=0, tokens=0),
    ]


def total(seen: "Seen") -> str:
    """The sum of all costs, in a sentence; empty where nothing was recorded."""
    rows = seen.rows(COSTS)
    seconds, tokens = sum(row.seconds for row in rows), sum(row.tokens for row in rows)
    return f"All together {words.duration(seconds)} and {tokens:,} sampled tokens." if rows else ""


def blocks(seen: "Seen") -> list[Block]:
    """Time by stage, most first, and every piece of work."""
    if not seen.rows(COSTS):
        return [Note(kind="empty", sentences=("No finished work was recorded.",))]
    rows = sorted(seen.rows(COSTS), key=lambda row: -row.seconds)
    stages: dict[str, float] = {}
    for row in rows:
        stage = row.work.split("/")[0]
        stages[stage] = stages.get(stage, 0.0) + row.seconds
    stages = dict(sorted(stages.items(), key=lambda one: -one[1]))
    chart = Chart(
        id="seconds",
        title="Minutes by stage",
        alt="; ".join(f"{stage}: {words.duration(spent)}" for stage, spent in stages.items()),
        spec=charts.bars(
            list(stages),
            [
                charts.Bar(
                    name="minutes",
                    values=[round(s / 60, 2) for s in stages.values()],
                    colour=charts.hue(0),
                )
            ],
            axis="minutes",
        ),
        height=70 + 30 * max(2, len(stages)),
    )
    table = Table(
        caption="Costs of each piece of work",
        head=("work", "time", "attempts", "tokens"),
        rows=tuple(
            (
                row.work,
                words.duration(row.seconds),
                words.count(row.attempts),
                words.count(row.tokens),
            )
            for row in rows
        ),
        folded=len(rows) > 12,
    )
    figure = Charts(charts=(chart,))
    longest = ", ".join(f"{stage} {words.duration(spent)}" for stage, spent in stages.items())
    return [Fold(title=f"Time by stage: {longest}", blocks=(figure,)), table]


COSTS = Measure(
    name="costs", row=CostRow, measured=measured, example=example, shown={"costs": blocks}
)
