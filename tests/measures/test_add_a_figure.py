"""A figure is one file and one line: add one in a copy of the package, and run the report."""

import shutil
import subprocess
import sys
from pathlib import Path

from fake_run import write_run

import manyways

FILE = '''
"""How many characters the recipe has."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from manyways.measures import Finding, Measure
from manyways.reporting import charts
from manyways.reporting import Block, Chart, Charts

if TYPE_CHECKING:
    from manyways.measures.seen import Seen


@dataclass(frozen=True, kw_only=True, slots=True)
class LengthRow:
    """One number."""

    characters: int


def measured(seen: "Seen") -> list[LengthRow]:
    return [LengthRow(characters=len(seen.recipe_text))]


def example() -> list[LengthRow]:
    return [LengthRow(characters=321)]


def blocks(seen: "Seen") -> list[Block]:
    return [
        Charts(
            charts=(
                Chart(
                    id="length",
                    title="Length of the recipe",
                    alt=f"One bar of {row.characters} characters.",
                    spec=charts.bars(
                        ["recipe"],
                        [charts.Bar(name="n", values=[row.characters], colour="#0072b2")],
                        axis="characters",
                    ),
                ),
            )
        )
        for row in seen.rows(LENGTH)
    ]


def says(seen: "Seen") -> Iterator[Finding]:
    for row in seen.rows(LENGTH):
        yield Finding(kind="data", sentence=f"The recipe has {row.characters} characters.")


LENGTH = Measure(
    name="length", row=LengthRow, measured=measured, example=example, shown={"data": blocks},
    says=says,
)
'''  # fmt: skip


def test_one_file_and_one_line_make_a_figure(tmp_path: Path) -> None:
    package = tmp_path / "copy" / "manyways"
    shutil.copytree(
        Path(manyways.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__")
    )
    (package / "measures" / "length.py").write_text(FILE.lstrip())
    catalogue = package / "measures" / "catalogue.py"
    text = catalogue.read_text()
    (line,) = [line for line in text.splitlines() if line == "    COSTS,"]
    text = text.replace(line, f"{line}\n    LENGTH,")
    imports = "from manyways.measures.length import LENGTH\n"
    catalogue.write_text(
        text.replace("from manyways.measures.openings", imports + "from manyways.measures.openings")
    )
    run = write_run(tmp_path / "run")
    code = (
        "from pathlib import Path\n"
        "from manyways.measures.catalogue import MEASURES, sections\n"
        "from manyways.measures import write_rows\n"
        "from manyways.measures.seen import load\n"
        "from manyways.stages.report import render\n"
        f"root = Path({str(run)!r})\n"
        "seen = load(root)\n"
        "write_rows(root / '7-tables/length.json', MEASURES[-1].measured(seen))\n"
        "render(root)\n"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(package.parent)}
    )
    characters = len((run / "recipe.toml").read_text())
    assert f"The recipe has {characters} characters." in (run / "report.md").read_text()
    page = (run / "report.html").read_text()
    assert f'aria-label="One bar of {characters} characters."' in page
