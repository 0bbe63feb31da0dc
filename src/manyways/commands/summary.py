"""The last lines of ``manyways run``: the four cells, and where the report is."""

from rich.console import Console
from rich.table import Table

from manyways.measures.benchmarks import headline
from manyways.measures.four_cells import FourCells
from manyways.measures.measure import Finding, read_rows
from manyways.records import Score
from manyways.run_dir import RunDir


def print_summary(run: RunDir) -> None:
    """Print the four cells on the headline benchmark, the main findings and the report's place."""
    console = Console()
    cells = read_rows(run.path("7-tables", "four_cells.json"), FourCells)
    main = headline(row.benchmark for row in cells)
    if cells:
        console.print(_table([row for row in cells if row.benchmark == main]))
    for finding in read_rows(run.path("7-tables", "findings.json"), Finding):
        if finding.kind == "main":
            console.print(finding.sentence, highlight=False, markup=False)
    report = run.path("report.html")
    if report.is_file():
        console.print(f"Report: {report}", highlight=False, soft_wrap=True)


def _table(cells: list[FourCells]) -> Table:
    table = Table(
        "arm", "benchmark", "k", "base", "mid-trained", "RL only", "mid-trained + RL",
        title="pass@k with 95% intervals over problems",
    )  # fmt: skip
    for row in cells:
        scores = (row.base, row.mid, row.rl_only, row.mid_rl)
        table.add_row(row.arm, row.benchmark, str(row.k), *map(_text, scores))
    return table


def _text(score: Score | None) -> str:
    return "-" if score is None else f"{score.value:.2f} [{score.low:.2f}, {score.high:.2f}]"
