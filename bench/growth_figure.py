"""Draw docs/assets/growth.png from what bench/scale.py wrote; needs chromium.

python bench/growth_figure.py [docs/results/scale.json] [--out docs/assets/growth.png]
"""

import argparse
import json
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[1]
STAGES = ("generate", "select", "analyse", "report")
MEASURES = {"seconds": ("seconds of wall clock", 1), "mib": ("peak memory, MiB", "D2")}
"""Measure -> its title and its axis's steps: powers of ten, or 2 and 5 between them too."""
SIZE = (1080, 440)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scale", nargs="?", type=Path, default=ROOT / "docs/results/scale.json")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/assets/growth.png")
    given = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not given.scale.is_file():
        print(f"there is no {given.scale}: run bench/scale.py --out {given.scale} first")
        return
    if chromium is None:
        print("no chromium on the path: nothing is drawn")
        return
    rows = json.loads(given.scale.read_text(encoding="utf-8"))["attempts"]
    with TemporaryDirectory() as folder:
        page = Path(folder, "growth.html")
        figure(rows).write_html(page, config={"staticPlot": True})
        given.out.parent.mkdir(parents=True, exist_ok=True)
        words = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        words += ["--virtual-time-budget=20000", f"--window-size={SIZE[0]},{SIZE[1]}"]
        subprocess.run(
            [chromium, *words, f"--screenshot={given.out}", page.as_uri()],
            check=True,
            capture_output=True,
        )
    print(f"drawn: {given.out}")


def figure(rows: list[dict[str, Any]]) -> Any:
    """Time and memory over attempts, both axes logarithmic."""
    from plotly.subplots import make_subplots

    from manyways.reporting import charts

    drawn = make_subplots(rows=1, cols=2, horizontal_spacing=0.1)
    x = [row["attempts"] for row in rows]
    for column, (measure, (title, ticks)) in enumerate(MEASURES.items(), start=1):
        for place, stage in enumerate(STAGES):
            style = {"color": charts.hue(place), "width": 2.5}
            drawn.add_scatter(
                x=x, y=[row[stage][measure] for row in rows], name=stage, line=style,
                marker={"size": 8, "symbol": charts.symbol(place)}, mode="lines+markers",
                showlegend=column == 1, row=1, col=column,
            )  # fmt: skip
        axis = {"type": "log", "tickformat": ",", "exponentformat": "none", "row": 1, "col": column}
        drawn.update_xaxes(title="attempts of the run", dtick=1, **axis)
        drawn.update_yaxes(title=title, dtick=ticks, **axis)
    lowest = min(row[stage]["seconds"] for row in rows for stage in STAGES)
    linear = [lowest * count / x[0] for count in x]
    drawn.add_scatter(
        x=x, y=linear, name="linear", mode="lines", line={"color": "#999", "dash": "dot"},
        row=1, col=1,
    )  # fmt: skip
    drawn.update_layout(
        template="plotly_white", width=SIZE[0], height=SIZE[1], font={"size": 13},
        margin={"l": 64, "r": 12, "t": 40, "b": 56},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    )  # fmt: skip
    return drawn


if __name__ == "__main__":
    main()
