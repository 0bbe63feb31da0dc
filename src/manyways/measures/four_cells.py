"""The four cells: base, mid-trained, RL only, mid-trained and RL."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from manyways.arms import RL_ALONE, VANILLA, parse_arm
from manyways.measures import Measure, example_score
from manyways.measures.benchmarks import MEANS, benchmark_words
from manyways.measures.pass_at_k import PASS_AT_K
from manyways.records import BASE, Phase, Score, pooled
from manyways.reporting import Block, Chart, Charts, Table, charts, words

if TYPE_CHECKING:
    from manyways.measures.seen import Seen


FAR = 2
"""Arms on the first screen; the section on evaluation has the others."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FourCells:
    """pass@k of base, mid-trained, RL only, mid-trained + RL for one arm, over seeds.

    A cell is None where its checkpoint was not produced.

    base:    the untouched model.
    mid:     the arm after mid-training.
    rl_only: the vanilla arm after RL.
    mid_rl:  the arm after mid-training and RL.
    """

    arm: str
    benchmark: str
    k: int
    base: Score | None
    mid: Score | None
    rl_only: Score | None
    mid_rl: Score | None


def measured(seen: "Seen") -> Iterator[FourCells]:
    """Rows for each arm and benchmark, at k = 1 and the largest k."""
    rows, arms = seen.rows(PASS_AT_K), seen.recipe.arms
    scores = {(r.checkpoint, r.benchmark, r.k): r.score for r in rows}
    largest: dict[str, int] = {}
    for row in rows:
        largest[row.benchmark] = max(row.k, largest.get(row.benchmark, 1))
    trained = [arm for arm in arms if parse_arm(arm).midtrains] or list(arms)
    for arm in trained:
        for benchmark in sorted(largest, key=lambda b: b not in MEANS):
            for k in sorted({1, largest[benchmark]}):
                cells = {
                    "base": scores.get(("base", benchmark, k)),
                    "mid": scores.get((pooled(arm, "mid"), benchmark, k)),
                    "rl_only": scores.get((RL_ALONE, benchmark, k)),
                    "mid_rl": scores.get((pooled(arm, "rl"), benchmark, k))
                    if parse_arm(arm).midtrains
                    else None,
                }
                if any(cells.values()):
                    yield FourCells(arm=arm, benchmark=benchmark, k=k, **cells)


def example() -> list[FourCells]:
    """One arm whose mid-trained checkpoint was not evaluated."""
    base, rl_only, mid_rl = (example_score("pass@1", value) for value in (0.2, 0.3, 0.4))
    return [
        FourCells(
            arm="heuristics-8", benchmark="pocket/test", k=k, base=base, mid=None,
            rl_only=rl_only, mid_rl=mid_rl,
        )
        for k in (1, 2)
    ]  # fmt: skip


def first_screen(seen: "Seen") -> list[Block]:
    """The cells of the first arms on the headline benchmark, as a table and drawn."""
    rows = list(_cells(seen))
    if not rows:
        return []
    return [
        _table(seen, rows),
        Charts(charts=(_chart(seen, rows),), legend=charts.end_keys(seen.ends)),
    ]


def shown_arms(seen: "Seen") -> list[str]:
    """The arms whose cells the first screen shows."""
    return [arm for arm in seen.arm_order if parse_arm(arm).midtrains][:FAR]


def every(seen: "Seen") -> list[Block]:
    """The cells of every arm and benchmark."""
    return [_every(seen)] if seen.rows(FOUR_CELLS) else []


Place = tuple[str, str, Phase]
"""Label, arm and phase of a cell."""


def _cells(seen: "Seen") -> Iterator[tuple[Place, dict[int, Score]]]:
    """Rows of the first screen: each checkpoint once, with its score at each k."""
    table = {
        (row.arm, row.k): row for row in seen.rows(FOUR_CELLS) if row.benchmark == seen.headline
    }
    arms = [arm for arm in seen.arm_order if any(arm == name for name, _ in table)]
    trained = [arm for arm in shown_arms(seen) if arm in arms]
    wanted: list[tuple[Place, str]] = [(("Base model", arms[0], "base"), "base")] if arms else []
    wanted += [(("RL only", VANILLA, "rl"), "rl_only")] if arms else []
    for arm in trained:
        wanted.append(((f"{arm}: mid-trained", arm, "mid"), "mid"))
        wanted.append(((f"{arm}: mid-trained + RL", arm, "rl"), "mid_rl"))
    for cell, field in wanted:
        home = cell[1] if field in ("mid", "mid_rl") else arms[0]
        scores = {k: getattr(table.get((home, k)), field, None) for k in seen.ends}
        found = {k: score for k, score in scores.items() if score is not None}
        if found:
            yield cell, found


def _table(seen: "Seen", rows: list[tuple[Place, dict[int, Score]]]) -> Table:
    units = {score.n for _, scores in rows for score in scores.values()}
    few, many = min(units), max(units)
    return Table(
        caption=f"What each training gives, on {benchmark_words(seen.headline)}",
        head=("", *(f"pass@{k}" for k in seen.ends)),
        rows=tuple(
            (label, *(words.quantity(scores.get(k)) for k in seen.ends))
            for (label, _, _), scores in rows
        ),
        strong=tuple(
            i for i, ((_, arm, phase), _) in enumerate(rows)
            if arm == seen.lead and phase == "rl"
        ),
        cells=True,
        note=f"In brackets 95% intervals over {few if few == many else f'{few} to {many}'} "
        f"problems, {words.plural(len(seen.recipe.seeds), 'training seed')}.",
    )  # fmt: skip


def _chart(seen: "Seen", rows: list[tuple[Place, dict[int, Score]]]) -> Chart:
    lines = [
        charts.Row(
            label=label,
            marks=tuple(
                charts.Mark(
                    score=score,
                    colour=seen.arm_colour(arm, phase),
                    words=f"pass@{k}: {words.quantity(score)}, n = {score.n}",
                    symbol=charts.end_symbol(k, seen.ends),
                    link=seen.texts_of(
                        BASE.name if phase == "base" else pooled(arm, phase), seen.headline
                    ),
                    meta={"k": str(k)},
                )
                for k, score in scores.items()
            ),
        )
        for (label, arm, phase), scores in rows
    ]
    return Chart(
        id="four-cells",
        title=f"The same, drawn: {' and '.join(f'pass@{k}' for k in seen.ends)}",
        alt="Dots with 95% intervals: " + "; ".join(
            f"{label}: "
            + ", ".join(f"pass@{k} {words.number(score.value)}" for k, score in scores.items())
            for (label, _, _), scores in rows
        ),
        spec=charts.intervals(lines, axis="share of problems solved"),
        height=charts.height_of(lines),
    )  # fmt: skip


def _every(seen: "Seen") -> Table:
    return Table(
        caption="The four cells of every arm and benchmark",
        head=("arm", "benchmark", "k", "base", "mid-trained", "RL only", "mid-trained + RL"),
        rows=tuple(
            (
                row.arm,
                row.benchmark,
                str(row.k),
                *(words.quantity(cell) for cell in (row.base, row.mid, row.rl_only, row.mid_rl)),
            )
            for row in seen.rows(FOUR_CELLS)
        ),
        folded=True,
    )


FOUR_CELLS = Measure(
    name="four_cells",
    row=FourCells,
    measured=measured,
    example=example,
    shown={"evaluation": every},
)
