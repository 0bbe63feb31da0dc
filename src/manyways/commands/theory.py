"""`manyways theory`: the main figures of the theory on one page that needs no network."""

from pathlib import Path

from manyways.commands.theory_figures import FIGURES, Curve, Drawing
from manyways.errors import UserError
from manyways.plugins import nearest
from manyways.progress import say
from manyways.reporting import charts, palette, words
from manyways.reporting.blocks import Block, Chart, Charts, Key, Section, Table
from manyways.reporting.page import render_page
from manyways.tables import write_text

ALL = "all"
TITLE = "What the theory expects"
LEAD = (
    "A minimal model of the question: could learning many ways help RL to combine them? The curves "
    "are exact for the model, and their parameters show scale: none was fitted to a run."
)
CLOSING = "Made by manyways theory from the functions in manyways.theory."
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
ROWS = 8
"""Points of each curve in the table under its figure."""


def write_page(out: Path, *, figure: str = ALL) -> None:
    """Write the page with every figure, or with one, and say where it is.

    Raises UserError when there is no such figure or ``out`` cannot be written.
    """
    if figure not in (ALL, *FIGURES):
        known = dict.fromkeys([ALL, *FIGURES])
        raise UserError(f"--figure {figure}: no such figure.{nearest(figure, known)}")
    if out.is_dir():
        raise UserError(f"--out {out} is a folder: name a file, for example {out / 'theory.html'}.")
    names = list(FIGURES) if figure == ALL else [figure]
    page = render_page(
        "theory.html.j2",
        [section(name) for name in names],
        values={
            "title": TITLE,
            "lead": LEAD,
            "closing": CLOSING,
            "names": {name: FIGURES[name][0] for name in names},
        },
    )
    write_text(out, page)
    say(f"theory: {words.plural(len(names), 'figure')} in {out}")


def section(name: str) -> Section:
    """One figure with its explanation, its legend and its numbers."""
    drawing = FIGURES[name][1]()
    keys = tuple(
        Key(
            group="line",
            name=curve.label,
            label=curve.label,
            colour=palette.hue(i),
            dash=DASHES[i % len(DASHES)],
        )
        for i, curve in enumerate(drawing.curves)
    )
    blocks: tuple[Block, ...] = (
        Charts(charts=(_chart(name, drawing),), legend=keys, wide=True),
        _table(drawing),
    )
    return Section(
        id=name, title=drawing.question, intro=" ".join(drawing.sentences), blocks=blocks
    )


def _chart(name: str, drawing: Drawing) -> Chart:
    spec = charts.lines(
        [_line(curve, i) for i, curve in enumerate(drawing.curves)],
        share=drawing.share,
        axes=drawing.axes,
        logarithmic=drawing.logarithmic,
    )
    if drawing.ticks:
        layout = spec["layout"]
        assert isinstance(layout, dict)
        ticks = list(drawing.ticks)
        layout["xaxis"] |= {"tickvals": ticks, "ticktext": [str(tick) for tick in ticks]}
    ends = "; ".join(
        f"{curve.label}: from {curve.y[0]:.3g} to {curve.y[-1]:.3g}" for curve in drawing.curves
    )
    x, y = drawing.axes
    return Chart(
        id=name,
        # A symbol keeps its case: c_G is not C_G.
        title=f"{y if set(y) & set('@_') else y[0].upper() + y[1:]} against {x}",
        alt=f"{y} against {x}. {ends}.",
        spec=spec,
        height=400,
    )


def _line(curve: Curve, number: int) -> charts.Line:
    return charts.Line(
        label=curve.label,
        x=curve.x,
        y=[float(f"{value:.5g}") for value in curve.y],
        colour=palette.hue(number),
        dash=DASHES[number % len(DASHES)],
        meta={"line": curve.label},
    )


def _table(drawing: Drawing) -> Table:
    """The same numbers in writing, at a few points; all curves of a figure share their x."""
    x = drawing.curves[0].x
    last = len(x) - 1
    places = sorted({round(i * last / (ROWS - 1)) for i in range(ROWS)})
    return Table(
        caption="The numbers",
        head=(drawing.axes[0], *(curve.label for curve in drawing.curves)),
        rows=tuple(
            (f"{x[i]:.4g}", *(f"{curve.y[i]:.4g}" for curve in drawing.curves)) for i in places
        ),
        folded=True,
    )
