"""Training: curves of mid-training and RL, and what the gate said."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from manyways.reporting import charts, words
from manyways.reporting.blocks import Block, Chart, Charts, Heading, Key, Note, Section, Table
from manyways.reporting.source import Source
from manyways.results.tables import CurveRow

INTRO = (
    "Mid-training teaches the kept solutions; the gate checks that RL can learn from the result; "
    "RL (GRPO) then rewards correct answers. The curves show whether each "
    "of these went as it should."
)
POINTS = 240
"""Points of a drawn curve at most."""

WINDOW = 9
"""Steps in the moving average of a drawn curve."""


class Measure(NamedTuple):
    """A curve: its field, title, whether it is a share, and what it tells."""

    field: str
    title: str
    share: bool
    note: str


RL_MEASURES = (
    Measure("reward", "Reward", True, "Share of sampled attempts that are correct."),
    Measure(
        "mixed", "Mixed groups", True, "Groups with right and wrong attempts: only these teach."
    ),
    Measure("composed", "Composition rate", True, "Solutions that use two or more heuristics."),
    Measure(
        "entropy", "Entropy", False, "Uncertainty per token in nats; near 0 nothing new is tried."
    ),
    Measure("length", "Length", False, "Mean tokens of an attempt."),
    Measure("truncated", "Truncated", True, "Attempts cut off at the length limit."),
)
LOSS = Measure("loss", "Mid-training loss", False, "Cross-entropy on the solutions.")


def section(source: Source) -> Section:
    """Findings, the gate, curves."""
    sentences = tuple(f.sentence for f in source.findings if f.kind == "training")
    blocks: list[Block] = [Note(kind="finding", sentences=sentences)] if sentences else []
    if source.gate:
        blocks += _gate(source)
    figures = {
        stage: _figures(source, stage, measures)
        for stage, measures in (("rl", RL_MEASURES), ("midtrain", (LOSS,)))
    }
    if figures["rl"]:
        blocks += [_heading("RL step by step"), Charts(charts=figures["rl"], legend=_keys(source))]
    else:
        blocks.append(Note(kind="empty", sentences=("No RL step was logged.",)))
    if figures["midtrain"]:
        blocks += [
            Heading(title="Mid-training"),
            Charts(charts=figures["midtrain"], legend=_keys(source)),
        ]
    return Section(id="training", title="Training", intro=INTRO, blocks=tuple(blocks))


def _heading(title: str) -> Heading:
    return Heading(
        title=title,
        text=f"Thin lines are what was logged, thick lines a moving average over {WINDOW} logged "
        "steps; one line for each seed.",
    )


def _keys(source: Source) -> tuple[Key, ...]:
    return tuple(
        Key(
            group="arm",
            name=arm,
            label=arm,
            colour=source.arm_colour(arm),
            dash=dash(source, arm),
            on=source.at_first(arm),
        )
        for arm in source.recipe.arms
    )


def _figures(source: Source, stage: str, measures: Sequence[Measure]) -> tuple[Chart, ...]:
    rows = [row for row in source.curves if row.stage == stage]
    charts_made = (_figure(source, rows, measure) for measure in measures)
    return tuple(chart for chart in charts_made if chart)


def _figure(source: Source, rows: list[CurveRow], measure: Measure) -> Chart | None:
    lines: list[charts.Line] = []
    ends: list[str] = []
    for arm in source.recipe.arms:
        for seed in source.recipe.seeds:
            mine = [
                (r.step, getattr(r, measure.field)) for r in rows if (r.arm, r.seed) == (arm, seed)
            ]
            logged = sorted((step, value) for step, value in mine if value is not None)
            if logged:
                lines += _curves(source, arm, seed, logged)
                ends.append(f"{arm} seed {seed}: {lines[-1].y[0]:.3g} to {lines[-1].y[-1]:.3g}")
    if not lines:
        return None
    return Chart(
        id=f"curve-{measure.field}",
        title=measure.title,
        alt=f"{measure.title} over steps, from first to last: {'; '.join(ends)}.",
        spec=charts.lines(lines, share=measure.share, axes=("step", "")),
        height=250,
        note=measure.note,
    )


def _curves(
    source: Source, arm: str, seed: int, logged: list[tuple[int, float]]
) -> list[charts.Line]:
    steps, values = zip(*logged, strict=True)
    smooth = moving_average(values, WINDOW if len(values) > 3 * WINDOW else 1)
    every = -(-len(steps) // POINTS)

    def line(y: Sequence[float], width: float, opacity: float, marker: str) -> charts.Line:
        return charts.Line(
            label=f"{arm}, seed {seed}",
            x=[*steps[:-1:every], steps[-1]],
            y=[float(f"{v:.4g}") for v in (*y[:-1:every], y[-1])],
            colour=source.arm_colour(arm),
            dash=dash(source, arm),
            width=width,
            opacity=opacity,
            meta={"arm": arm},
        )

    return [line(values, 1.0, 0.28, ""), line(smooth, 2.2, 1.0, "")]


def dash(source: Source, arm: str) -> str:
    """A line style by arm, so that arms differ without colour."""
    return ("solid", "dash", "dot", "dashdot", "longdash")[source.arm_order.index(arm) % 5]


def moving_average(values: Sequence[float], window: int) -> list[float]:
    """Centred mean over ``window`` values, over fewer at the ends; for drawing only."""
    half = window // 2
    spans: Callable[[int], Sequence[float]] = lambda i: values[max(0, i - half) : i + half + 1]  # noqa: E731
    return [sum(spans(i)) / len(spans(i)) for i in range(len(values))]


def _gate(source: Source) -> list[Block]:
    refused = tuple(
        f"{row.arm}, seed {row.seed}: {row.decision}. {row.sentence}"
        for row in source.gate
        if row.decision != "fit"
    )
    fit = sum(row.decision == "fit" for row in source.gate)
    heading = Heading(
        title="The gate",
        text=f"Before RL each checkpoint is tried on RL problems: {fit} of {len(source.gate)} were "
        "found fit.",
    )
    said: dict[tuple[str, str, str], list[str]] = {}
    for row in source.gate:
        said.setdefault((row.arm, row.decision, row.sentence), []).append(str(row.seed))
    table = Table(
        caption="What the gate decided",
        head=("arm", "decision", "in words", "seeds"),
        rows=tuple((*cells, ", ".join(seeds)) for cells, seeds in said.items()),
    )
    notes = [Note(kind="stop", sentences=refused)] if refused else []
    return [heading, *notes, table, _gate_table(source)]


def _gate_table(source: Source) -> Table:
    head = ("", "stops", "no answer", "undecided", "correct", "all right", "mixed", "all wrong")
    return Table(
        caption="What the gate measured",
        head=(*head, "attempts"),
        rows=tuple(
            (
                f"{row.arm} · seed {row.seed}",
                *(
                    words.percent(share)
                    for share in (row.stop, row.no_answer, row.undecided, row.passed)
                ),
                *(words.percent(share) for share in (row.all_right, row.mixed, row.all_wrong)),
                words.count(row.attempts),
            )
            for row in source.gate
        ),
        note="All right, mixed, all wrong: shares of groups of attempts at one problem.",
        folded=True,
    )
