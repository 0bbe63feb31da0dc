"""Figures of how much of what: bars, shares that move from phase to phase, flows.

The conventions are those of ``charts``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from manyways.reporting.blocks import Spec
from manyways.reporting.charts import SHARE_AXIS, Trace, label, safe, spec
from manyways.reporting.palette import FLOW, faint


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """Stacked parts of horizontal bars, one value for each label."""

    name: str
    values: Sequence[float]
    colour: str
    pattern: str = ""


def bars(labels: Sequence[str], stacks: Sequence[Bar], *, axis: str, links: Sequence[str]) -> Spec:
    """Horizontal stacked bars, the first label on top. A click on a bar follows its link."""
    traces: list[Trace] = [
        {
            "type": "bar",
            "orientation": "h",
            "name": safe(stack.name),
            "y": [safe(label) for label in labels],
            "x": list(stack.values),
            "customdata": list(links),
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
            "hovertemplate": f"%{{y}}<br>{safe(stack.name)}: %{{x:,}}<extra></extra>",
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


def sankey(flows: Sequence[tuple[str, str, int]], names: Mapping[str, tuple[str, str]]) -> Spec:
    """Flows (first, second, number). ``names``: heuristic -> (name, colour)."""
    left = list(dict.fromkeys(first for first, _, _ in flows))
    right = list(dict.fromkeys(second for _, second, _ in flows))
    nodes = [*left, *right]
    trace: Trace = {
        "type": "sankey",
        "arrangement": "fixed",
        "node": {
            "label": [safe(names[n][0]) for n in nodes],
            "color": [names[n][1] for n in nodes],
            "pad": 14,
            "thickness": 14,
            "line": {"width": 0},
            "hovertemplate": "%{label}: %{value}<extra></extra>",
        },
        "link": {
            "source": [left.index(first) for first, _, _ in flows],
            "target": [len(left) + right.index(second) for _, second, _ in flows],
            "value": [amount for _, _, amount in flows],
            "color": [faint(names[first][1], FLOW) for first, _, _ in flows],
            "hovertemplate": "%{source.label}, then %{target.label}: %{value}<extra></extra>",
        },
    }
    return spec([trace], margin={"l": 4, "r": 4, "t": 8, "b": 8})
