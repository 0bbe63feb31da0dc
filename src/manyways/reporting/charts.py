"""Plotly charts as plain dictionaries, and the colours, dashes and symbols of all charts.

The page draws them, because its theme can change. Labels come from users and models. They are
escaped, because Plotly interprets some HTML. ``meta`` of a trace names its arm and phase for the
legend of the page. A point with attempts behind it has a link in ``customdata``.

The colours follow Okabe and Ito ("Color Universal Design", 2008). They are darker on a light page
and lighter on a dark one, so that each has a contrast of at least 4.5 to the page. A colour is
never the only sign: arms also have symbols, phases have dashes, heuristics have their names.
"""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from manyways.records import Phase, Score
from manyways.reporting import Key, Spec, words

INK, MUTED = ("#3d4653", "#c3ccd8"), ("#6b7683", "#93a0b0")
"""Neutral colours (light page, dark page): of the base model, and of steps without a heuristic."""

HUES = (
    ("#0072b2", "#5ab4f0"),
    ("#c14b06", "#ff9257"),
    ("#00805e", "#3ecb9f"),
    ("#a1478a", "#e69bcb"),
    ("#8f6300", "#e3b53c"),
    ("#007c8a", "#55cfdc"),
    ("#6a51a3", "#b3a0ec"),
    ("#8a4b2a", "#d3a07c"),
    ("#b3243b", "#ff8095"),
    ("#4d7a1e", "#a3d36b"),
)
SYMBOLS = ("circle", "square", "triangle-up", "diamond", "cross", "star", "hexagon", "pentagon")
LINES = ("solid", "dash", "dot", "dashdot", "longdash")
"""Dashes of curves without a phase, in order."""
DASHES: dict[Phase, str] = {"base": "dot", "mid": "dash", "rl": "solid"}
CHANCE = "longdash"
"""The dash of the score of guessing."""
PHASE_SYMBOLS: dict[Phase, str] = {"base": "diamond-open", "mid": "circle-open", "rl": "circle"}

BAND = 0.13
"""Opacity of an interval band."""

PALE = 0.4
"""Opacity of a bar in the background."""


def hue(number: int) -> str:
    """The colour of the ``number``-th arm or heuristic on a light page; they repeat after ten."""
    return HUES[number % len(HUES)][0]


def symbol(number: int) -> str:
    """The marker of the ``number``-th arm; they repeat after eight."""
    return SYMBOLS[number % len(SYMBOLS)]


def line_style(number: int) -> str:
    """The dash of the ``number``-th arm or heuristic; they repeat after five."""
    return LINES[number % len(LINES)]


def with_opacity(colour: str, opacity: float) -> str:
    """``#0072b2`` -> ``rgba(0,114,178,0.13)``."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def dark_colours() -> dict[str, str]:
    """Colour on a light page -> colour on a dark page, for all colours of charts."""
    pairs = (INK, MUTED, *HUES)
    plain = {light: dark for light, dark in pairs}
    return plain | {
        with_opacity(light, opacity): with_opacity(dark, opacity)
        for light, dark in pairs
        for opacity in (BAND, PALE)
    }


Trace = dict[str, object]
ROW = 40
"""Height in pixels of one labelled row."""

SHARE_AXIS: Mapping[str, object] = {"hoverformat": ".3f"}
"""The digits of shares are those of the findings."""


def escaped(text: str) -> str:
    """``text`` so that Plotly shows it as it is."""
    return html.escape(text, quote=False)


def spec(traces: Sequence[Trace], **layout: object) -> Spec:
    """A chart without a legend of its own."""
    base: dict[str, object] = {"showlegend": False, "margin": {"l": 52, "r": 12, "t": 12, "b": 44}}
    return {"data": list(traces), "layout": base | layout}


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """A value with its interval. ``words``: its text; ``link``: where a click leads."""

    score: Score
    colour: str
    words: str
    symbol: str = "circle"
    link: str = ""
    meta: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A row of marks with a label; without marks it is a heading."""

    label: str
    marks: tuple[Mark, ...] = ()


def height_of(rows: Sequence[Row]) -> int:
    """Pixels that ``intervals`` needs."""
    return round(ROW * sum(1.0 if row.marks else 0.7 for row in rows)) + 58


def intervals(rows: Sequence[Row], *, zero: bool = False, axis: str) -> Spec:
    """Dots with their intervals. Each row has its label above it, so that it fits a phone.

    zero: mark where the difference is zero.
    """
    places, bottom = [], 0.0
    for row in rows:
        bottom += 1.0 if row.marks else 0.7
        places.append(bottom)
    traces = [
        _interval(mark, y=place + 0.17 * (i - (len(row.marks) - 1) / 2), name=row.label)
        for row, place in zip(rows, places, strict=True)
        for i, mark in enumerate(row.marks)
    ]
    labels = [
        label(row.label, place - (0.46 if row.marks else 0.1), bold=not row.marks)
        for row, place in zip(rows, places, strict=True)
    ]
    return spec(
        traces,
        margin={"l": 8, "r": 14, "t": 4, "b": 44},
        annotations=labels,
        yaxis={"visible": False, "range": [bottom + 0.45, 0.25], "fixedrange": True},
        xaxis={
            "title": {"text": axis},
            "zeroline": zero,
            "rangemode": "tozero" if zero else "normal",
            "zerolinewidth": 2,
        },
    )


def in_text(rows: Sequence[Row]) -> str:
    """The rows and their first values, for readers who cannot see the chart."""
    return "; ".join(f"{row.label} {words.number(row.marks[0].score.value)}" for row in rows)


def _interval(mark: Mark, *, y: float, name: str) -> Trace:
    score = mark.score
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [score.value],
        "y": [y],
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [score.high - score.value],
            "arrayminus": [score.value - score.low],
            "thickness": 2,
            "width": 4,
            "color": mark.colour,
        },
        "marker": {
            "color": mark.colour,
            "symbol": mark.symbol,
            "size": 11,
            "line": {"width": 2, "color": mark.colour},
        },
        "meta": dict(mark.meta),
        "customdata": [mark.link],
        "hovertemplate": f"{escaped(name)}<br>{escaped(mark.words)}<extra></extra>",
    }


def label(text: str, place: float, *, bold: bool = False) -> dict[str, object]:
    """An annotation at the left edge of a chart, at ``place`` on the y axis."""
    return {
        "x": 0,
        "xref": "paper",
        "xanchor": "left",
        "y": place,
        "yanchor": "middle",
        "text": f"<b>{escaped(text)}</b>" if bold else escaped(text),
        "showarrow": False,
        "font": {"size": 12.5},
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """A curve, with an interval band where ``low`` and ``high`` are given."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    colour: str
    dash: str = "solid"
    symbol: str = ""
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    width: float = 2.2
    opacity: float = 1.0
    link: str = ""
    meta: Mapping[str, str] = field(default_factory=dict)


def curves(
    drawn: Sequence[Curve], *, share: bool, axes: tuple[str, str], logarithmic: str = ""
) -> Spec:
    """Curves. ``axes``: the titles of x and y; ``logarithmic``: "x", "y", "xy" or ""."""
    traces = [trace for curve in drawn for trace in (*_band(curve), _curve(curve, share))]
    y_axis = {**SHARE_AXIS, "range": _share_range(drawn)} if share else {}
    return spec(
        traces,
        xaxis={**_scale("x" in logarithmic), "title": {"text": axes[0]}, "zeroline": False},
        yaxis={
            **y_axis,
            **_scale("y" in logarithmic),
            "title": {"text": axes[1]},
            "zeroline": False,
        },
        hovermode="closest",
    )


def _scale(logarithmic: bool) -> dict[str, object]:
    """A logarithmic axis with a label at each power of ten, as a plain number."""
    plain = {"exponentformat": "none", "separatethousands": True}
    return {"type": "log", "dtick": 1, **plain} if logarithmic else {}


def _share_range(drawn: Sequence[Curve]) -> list[float]:
    """A little wider than the values, within 0 and 1, and never too narrow to read."""
    values = [v for curve in drawn for v in (*curve.y, *curve.low, *curve.high)]
    low, high = min(values), max(values)
    margin = max(0.05 * (high - low), 0.02)
    return [max(low - margin, -0.004), min(high + margin, 1.004)]


def pass_curves(drawn: Sequence[Curve], ks: Sequence[int]) -> Spec:
    """pass@k over k, on a doubling scale."""
    figure = curves(drawn, share=True, axes=("k: attempts allowed (doubling scale)", "pass@k"))
    layout = figure["layout"]
    assert isinstance(layout, dict)
    layout["xaxis"] |= {"type": "log", "tickvals": list(ks), "ticktext": [str(k) for k in ks]}
    return figure


def _band(curve: Curve) -> list[Trace]:
    if not curve.low:
        return []
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "x": [*curve.x, *reversed(curve.x)],
            "y": [*curve.high, *reversed(curve.low)],
            "fill": "toself",
            "fillcolor": with_opacity(curve.colour, BAND),
            "line": {"width": 0},
            "hoverinfo": "skip",
            "meta": {**curve.meta, "band": "yes"},
        }
    ]


def _curve(curve: Curve, share: bool) -> Trace:
    form = ":.3f" if share else ":.3~g"
    return {
        "type": "scatter",
        "mode": "lines+markers" if curve.symbol else "lines",
        "x": list(curve.x),
        "y": list(curve.y),
        "opacity": curve.opacity,
        "line": {"color": curve.colour, "dash": curve.dash, "width": curve.width},
        "marker": {"color": curve.colour, "symbol": curve.symbol or "circle", "size": 8},
        "meta": dict(curve.meta),
        "customdata": [curve.link] * len(curve.x),
        "hovertemplate": f"{escaped(curve.label)}<br>%{{x}}: %{{y{form}}}<extra></extra>",
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One segment of stacked horizontal bars: a value for each label."""

    name: str
    """The name by which a legend switches it."""
    values: Sequence[float]
    colour: str
    pattern: str = ""
    label: str = ""
    """The name for readers, if it differs."""
    links: Sequence[str] = ()
    """Where a click on each value leads."""

    @property
    def called(self) -> str:
        """The name for readers."""
        return self.label or self.name


def keys(stacks: Sequence[Bar]) -> tuple[Key, ...]:
    """A legend of the segments of bars."""
    return tuple(
        Key(group="stack", name=s.name, label=s.called, colour=s.colour, symbol="bar")
        for s in stacks
    )


def end_symbol(k: int, ends: Sequence[int]) -> str:
    """The marker of pass@k in a chart with the smallest and the largest k."""
    return "circle" if k == ends[0] else "diamond-open"


def end_keys(ends: Sequence[int]) -> tuple[Key, ...]:
    """A legend of the smallest and the largest k."""
    return tuple(
        Key(group="k", name=str(k), label=f"pass@{k}", colour=INK[0], symbol=end_symbol(k, ends))
        for k in ends
    )


def bars(labels: Sequence[str], stacks: Sequence[Bar], *, axis: str) -> Spec:
    """Horizontal stacked bars, the first label on top. A click on a segment follows its link."""
    traces: list[Trace] = [
        {
            "type": "bar",
            "orientation": "h",
            "name": escaped(stack.called),
            "y": [escaped(label) for label in labels],
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
            "hovertemplate": f"%{{y}}<br>{escaped(stack.called)}: %{{x:,}}<extra></extra>",
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
class Movement:
    """The share of one heuristic in each phase: symbol -> value."""

    label: str
    colour: str
    values: Mapping[str, tuple[str, float]]
    """Phase in words -> (marker symbol, share), in the order of time."""

    link: str = ""


def movements(rows: Sequence[Movement], *, top: float, axis: str) -> Spec:
    """How shares change from phase to phase, up to ``top``: a row for each heuristic."""
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


def _movement(row: Movement, place: int) -> Trace:
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
        "text": [escaped(phase) for phase in row.values],
        "customdata": [row.link] * len(shares),
        "hovertemplate": f"{escaped(row.label)}<br>%{{text}}: %{{x:.3f}}<extra></extra>",
    }
