"""The last lines of ``manyways run``: the four cells, and where the report is."""

from rich.table import Table

from manyways.commands.printing import open_table, print_result, print_text
from manyways.measures.benchmarks import headline
from manyways.measures.four_cells import FourCells
from manyways.measures.measure import Finding, read_rows
from manyways.records import Score
from manyways.run_dir import RunDir


def print_summary(run: RunDir) -> None:
    """Print the four cells on the headline benchmark, the main findings and the report's place."""
    cells = read_rows(run.path("7-tables", "four_cells.json"), FourCells)
    main = headline(row.benchmark for row in cells)
    if cells:
        print_result(_table([row for row in cells if row.benchmark == main]))
    for finding in read_rows(run.path("7-tables", "findings.json"), Finding):
        if finding.kind == "main":
            print_text(finding.sentence)
    report = run.path("report.html")
    if report.is_file():
        print_text(f"Report: {report}")


def _table(cells: list[FourCells]) -> Table:
    table = open_table(
        "arm", "benchmark", "k", "base", "mid-trained", "RL only", "mid-trained + RL",
        title="pass@k with 95% intervals over problems",
    )  # fmt: skip
    for row in cells:
        scores = (row.base, row.mid, row.rl_only, row.mid_rl)
        table.add_row(row.arm, row.benchmark, str(row.k), *map(_text, scores))
    return table


def _text(score: Score | None) -> str:
    return "-" if score is None else f"{score.value:.2f} [{score.low:.2f}, {score.high:.2f}]"
