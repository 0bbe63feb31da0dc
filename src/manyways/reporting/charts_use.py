"""Figures of how much of what: bars, and shares that move from phase to phase.

The conventions are those of ``charts``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from manyways.reporting.blocks import Key, Spec
from manyways.reporting.charts import SHARE_AXIS, Trace, label, safe, spec


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """Stacked parts of horizontal bars, one value for each label."""

    name: str
    """What a legend switches it by."""
    values: Sequence[float]
    colour: str
    pattern: str = ""
    label: str = ""
    """What it is called, where that is not its name."""
    links: Sequence[str] = ()
    """Where a click on each value leads."""

    @property
    def called(self) -> str:
        """What a reader sees."""
        return self.label or self.name


def keys(stacks: Sequence[Bar]) -> tuple[Key, ...]:
    """A legend of the parts of bars."""
    return tuple(
        Key(group="stack", name=s.name, label=s.called, colour=s.colour, symbol="bar")
        for s in stacks
    )


def bars(labels: Sequence[str], stacks: Sequence[Bar], *, axis: str) -> Spec:
    """Horizontal stacked bars, the first label on top. A click on a part follows its link."""
    traces: list[Trace] = [
        {
            "type": "bar",
            "orientation": "h",
            "name": safe(stack.called),
            "y": [safe(label) for label in labels],
            "x": list(stack.values),
            "customdata": list(stack.links),
            "meta": {"stack": stack.name},
            "marker": {
                "color": stack.colour,
                "pattern": {
                    "shape": stack.pattern,
                    "fillmode": "overlay",
                    "solidity": 0.2,
                    "size": 6,
                },
            },
            "hovertemplate": f"%{{y}}<br>{safe(stack.called)}: %{{x:,}}<extra></extra>",
        }
        for stack in stacks
    ]
    return spec(
        traces,
        barmode="stack",
        bargap=0.35,
        margin={"l": 8, "r": 14, "t": 8, "b": 44},
        yaxis={"autorange": "reversed", "automargin": True, "ticks": "", "showgrid": False},
        xaxis={"title": {"text": axis}, "zeroline": False},
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Phases:
    """The share of one heuristic in each phase: symbol -> value."""

    label: str
    colour: str
    values: Mapping[str, tuple[str, float]]
    """Phase in words -> (marker symbol, share), in the order of time."""

    link: str = ""


def movements(rows: Sequence[Phases], *, top: float, axis: str) -> Spec:
    """How shares move from phase to phase, up to ``top``: a labelled line for each heuristic."""
    return spec(
        [_movement(row, place) for place, row in enumerate(rows)],
        margin={"l": 8, "r": 14, "t": 4, "b": 44},
        annotations=[label(row.label, place - 0.42) for place, row in enumerate(rows)],
        xaxis={
            **SHARE_AXIS,
            "title": {"text": axis},
            "range": [-0.03 * top, 1.06 * top],
            "zeroline": False,
        },
        yaxis={"visible": False, "range": [len(rows) - 0.6, -0.8]},
    )


def _movement(row: Phases, place: int) -> Trace:
    shares = [share for _, share in row.values.values()]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "x": shares,
        "y": [place] * len(shares),
        "line": {"color": row.colour, "width": 2},
        "marker": {
            "color": row.colour,
            "symbol": [marker for marker, _ in row.values.values()],
            "size": 10,
            "line": {"width": 2, "color": row.colour},
        },
        "text": [safe(phase) for phase in row.values],
        "customdata": [row.link] * len(shares),
        "hovertemplate": f"{safe(row.label)}<br>%{{text}}: %{{x:.3f}}<extra></extra>",
    }
