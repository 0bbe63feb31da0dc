"""Training step by step: mid-training and RL."""

import contextlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from manyways.measures import Finding, Measure
from manyways.reporting import Block, Chart, Charts, Fold, Heading, Key, Note, charts, first_row

if TYPE_CHECKING:
    from manyways.arms import Line
    from manyways.measures.seen import Seen


LOGS = (("3-midtrain", "midtrain"), ("5-rl", "rl"))
POINTS = 240
"""Points of a drawn curve at most."""

WINDOW = 9
"""Steps in the moving average of a drawn curve."""
SMOOTHED = 3 * WINDOW
"""Logged steps up to which nothing is averaged."""
ENDS = 0.2
"""Share of the steps that "first" and "last" of a curve average over."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CurveRow:
    """One logged step of training; what a stage does not log is None.

    stage:     which training.
    loss:      as the trainer logs it: in mid-training cross-entropy on the solutions.
    reward:    mean over the attempts that could be verified.
    all_right: share of groups whose attempts are all correct.
    all_wrong: share of groups without a correct one.
    mixed:     share of groups with both.
    entropy:   of the policy, in nats a token.
    length:    mean tokens of an attempt.
    truncated: share of attempts cut off at the token limit.
    undecided: share of undecided attempts.
    composed:  share of the labelled attempts that show two or more heuristics.
    seconds:   that the step took.
    """

    arm: str
    seed: int
    stage: Literal["midtrain", "rl"]
    step: int
    loss: float | None = None
    reward: float | None = None
    mixed: float | None = None
    all_right: float | None = None
    all_wrong: float | None = None
    entropy: float | None = None
    length: float | None = None
    truncated: float | None = None
    undecided: float | None = None
    composed: float | None = None
    seconds: float | None = None
    redrawn: float | None = None
    """Tokens of attempts that were drawn and drawn again, since their group earned all the same."""
    openings: dict[str, tuple[int, int]] | None = None
    """Heuristic -> how many labelled attempts open with it, how many of these are correct."""


class Drawn(NamedTuple):
    """A curve: its field, title, whether it is a share, and what it tells."""

    field: str
    title: str
    share: bool
    note: str


RL_DRAWN = (
    Drawn("reward", "Reward", True, "Share of sampled attempts that are correct."),
    Drawn(
        "mixed",
        "Mixed groups",
        True,
        "Groups with right and wrong attempts: by verdicts, only these teach.",
    ),
    Drawn("composed", "Composition rate", True, "Solutions that use two or more heuristics."),
    Drawn(
        "entropy", "Entropy", False, "Uncertainty per token in nats; near 0 nothing new is tried."
    ),
    Drawn("length", "Length", False, "Mean tokens of an attempt."),
    Drawn("truncated", "Truncated", True, "Attempts cut off at the length limit."),
)


LOSS = Drawn("loss", "Mid-training loss", False, "Cross-entropy on the solutions.")


LOGGED = {field.name for field in fields(CurveRow)} - {"arm", "seed", "stage", "step"}


def measured(seen: "Seen") -> list[CurveRow]:
    """Every logged step; of a step logged twice (a resume) the last."""
    ctx = seen.material.ctx
    return [
        row
        for line in ctx.lines
        for folder, stage in LOGS
        for row in _curve(
            ctx.run.arm_path(line.arm, line.seed, folder, "metrics.jsonl"), line, stage
        )
    ]


def _curve(path: Path, line: "Line", stage: str) -> list[CurveRow]:
    return [
        CurveRow(
            arm=line.arm,
            seed=line.seed,
            stage="midtrain" if stage == "midtrain" else "rl",
            step=step,
            **{name: value for name, value in row.items() if name in LOGGED},
        )
        for step, row in logged_steps(path).items()
    ]


def logged_steps(path: Path) -> dict[int, dict[str, Any]]:
    """Step -> what a metrics.jsonl says of it, in the order of steps; empty without the file.

    A training that was resumed logs some steps twice: the last line counts.
    """
    steps: dict[int, dict[str, Any]] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        with contextlib.suppress(json.JSONDecodeError):  # a kill may have cut off the last line
            row = json.loads(line)
            steps[int(row["step"])] = row
    return dict(sorted(steps.items()))


def example() -> list[CurveRow]:
    """A few steps of both."""
    return [
        CurveRow(arm="heuristics-8", seed=0, stage="midtrain", step=1, loss=0.7),
        CurveRow(arm="heuristics-8", seed=0, stage="rl", step=1, reward=0.25, mixed=0.5),
        CurveRow(arm="heuristics-8", seed=0, stage="rl", step=2, reward=0.5, mixed=0.25,
                 openings={"symmetry": (4, 2), "direct": (4, 1)}),
    ]  # fmt: skip


def blocks(seen: "Seen") -> list[Block]:
    """RL first, then mid-training on demand."""
    drawn: list[Block] = []
    figures = {
        stage: _figures(seen, stage, measures)
        for stage, measures in (("rl", RL_DRAWN), ("midtrain", (LOSS,)))
    }
    if not figures["rl"]:
        drawn.append(Note(kind="empty", sentences=("No RL step was logged.",)))
    legend = arm_keys(seen)
    if any(figures.values()):
        drawn.append(_heading(seen))
    if figures["rl"]:
        drawn += first_row(figures["rl"], legend, "other figure")
    if figures["midtrain"]:
        loss = Charts(charts=figures["midtrain"], legend=legend)
        drawn.append(Fold(title="Mid-training, step by step", blocks=(loss,)))
    return drawn


def _heading(seen: "Seen") -> Heading:
    average = (
        f"a moving average over {WINDOW} logged steps, of trainings that logged more than "
        f"{SMOOTHED} (shorter ones are drawn as logged)"
    )
    if len(seen.recipe.seeds) == 1:
        text = f"Thin lines are what was logged; thick lines {average}."
    else:
        text = (
            "Lines are means over seeds, and bands reach from the lowest to the highest seed, at "
            f"the steps that every seed logged. Drawn is {average}."
        )
    return Heading(title="Step by step", text=text)


def arm_keys(seen: "Seen") -> tuple[Key, ...]:
    """The legend of curves over steps: a colour and a line style for each arm."""
    return tuple(
        Key(
            group="arm",
            name=arm,
            label=arm,
            colour=seen.arm_colour(arm),
            dash=seen.arm_dash(arm),
            on=seen.at_first(arm),
        )
        for arm in seen.recipe.arms
    )


def _figures(seen: "Seen", stage: str, measures: Sequence[Drawn]) -> tuple[Chart, ...]:
    rows = [row for row in seen.rows(CURVES) if row.stage == stage]
    charts_made = (_chart(seen, rows, measure) for measure in measures)
    return tuple(chart for chart in charts_made if chart)


def _chart(seen: "Seen", rows: list[CurveRow], measure: Drawn) -> Chart | None:
    lines: list[charts.Curve] = []
    ends: list[str] = []
    for arm in seen.recipe.arms:
        logged: dict[int, dict[int, float]] = {}
        for row in rows:
            value = getattr(row, measure.field)
            if row.arm == arm and value is not None:
                logged.setdefault(row.seed, {})[row.step] = value
        drawn = _curves(seen, arm, logged) if logged else []
        lines += drawn
        ends += [f"{line.label}: {line.y[0]:.3g} to {line.y[-1]:.3g}" for line in drawn[-1:]]
    if not lines:
        return None
    return Chart(
        id=f"curve-{measure.field}",
        title=measure.title,
        alt=f"{measure.title} over steps, from first to last: {'; '.join(ends)}.",
        spec=charts.curves(lines, share=measure.share, axes=("step", "")),
        height=215,
        note=measure.note,
    )


def _curves(seen: "Seen", arm: str, logged: dict[int, dict[int, float]]) -> list[charts.Curve]:
    """One training: its log and a moving average. Several: the mean of averages, and a band.

    logged: seed -> step -> value.
    """
    steps = sorted(set.intersection(*map(set, logged.values())))
    if not steps:
        return []
    values = [[of_seed[step] for step in steps] for of_seed in logged.values()]
    smooth = [moving_average(one, WINDOW if len(steps) > SMOOTHED else 1) for one in values]
    every = -(-len(steps) // POINTS)

    def thinned(numbers: Iterable[float]) -> list[float]:
        kept = list(numbers)
        return [float(f"{v:.4g}") for v in (*kept[:-1:every], kept[-1])]

    one = len(values) == 1
    line = charts.Curve(
        label=f"{arm}, seed {next(iter(logged))}" if one else f"{arm}, mean of {len(logged)} seeds",
        x=[*steps[:-1:every], steps[-1]],
        y=thinned(map(fmean, zip(*smooth, strict=True))),
        low=() if one else thinned(map(min, zip(*smooth, strict=True))),
        high=() if one else thinned(map(max, zip(*smooth, strict=True))),
        colour=seen.arm_colour(arm),
        dash=seen.arm_dash(arm),
        meta={"arm": arm},
    )
    thin = replace(line, y=thinned(values[0]), width=1.0, opacity=0.28)
    return [thin, line] if one else [line]


def moving_average(values: Sequence[float], window: int) -> list[float]:
    """Centred mean over ``window`` values, over fewer at the ends; for drawing only."""
    half = window // 2
    spans = (values[max(0, i - half) : i + half + 1] for i in range(len(values)))
    return [sum(span) / len(span) for span in spans]


def says(seen: "Seen") -> Iterator[Finding]:
    """What RL's reward did, and how long each arm mid-trained."""
    for sentence in (*_rewards(seen), *_lengths(seen)):
        yield Finding(kind="training", sentence=sentence)


def _rewards(seen: "Seen") -> Iterator[str]:
    import numpy as np

    moves: dict[str, str] = {}
    for arm in seen.arms:
        curves = [c for c in seen.rows(CURVES) if c.arm == arm.name and c.stage == "rl"]
        points = [(c.step, c.reward) for c in curves if c.reward is not None]
        if len({step for step, _ in points}) > 1:
            start, last = min(points)[0], max(points)[0]
            first = [reward for step, reward in points if step <= max(start, ENDS * last)]
            final = [reward for step, reward in points if step > (1 - ENDS) * last]
            moves[arm.name] = f"{np.mean(first):z.2f} to {np.mean(final):z.2f}"
    if moves:
        said = seen.of_arms(moves)
        yield f"Mean reward in the first and the last fifth of the RL steps: {said}."


def _lengths(seen: "Seen") -> Iterator[str]:
    """How long each arm mid-trained, in steps and in passes over its data."""
    from manyways.measures.arms import ARMS

    trained = {row.arm: row for row in seen.rows(ARMS) if row.epochs is not None}
    if len({row.midtrain_steps for row in trained.values()}) == 1:
        listed = seen.of_arms({arm: f"{row.epochs:.1f} times" for arm, row in trained.items()})
        yield f"Every arm mid-trains for the same number of steps, so it sees its data: {listed}."
    elif trained:
        listed = seen.of_arms({
            arm: f"{row.midtrain_steps} steps, {row.epochs:.1f} times"
            for arm, row in trained.items()
        })  # fmt: skip
        yield f"Arms mid-train for different lengths; each sees its data: {listed}."


CURVES = Measure(
    name="curves",
    row=CurveRow,
    measured=measured,
    example=example,
    shown={"training": blocks},
    says=says,
)
