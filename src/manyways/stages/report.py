"""8 report: result tables -> report.html, report.md, the findings and the comparison table."""

from pathlib import Path
from typing import TYPE_CHECKING

from manyways import measures, reporting
from manyways.fingerprint import content_hash, fingerprint
from manyways.measures import write_rows
from manyways.measures.catalogue import MEASURES
from manyways.measures.seen import FINDINGS
from manyways.progress import say
from manyways.run_dir import Amount, RunDir, Work
from manyways.stages import analyse
from manyways.tables import write_text

if TYPE_CHECKING:
    from manyways.context import Context

NAME = "report"
PAGE, SUMMARY = "report.html", "report.md"
DRAWS = (".py", ".j2", ".css", ".js")
COMPARISON = ("comparison.md", "comparison.csv", "comparison.tex")
"""Files in ``7-tables`` with the table of arms by benchmarks, for a paper."""


def plan(ctx: "Context") -> Work:
    """The report depends on the tables, the recipe, the finished work and the folder's name."""
    run = ctx.run
    return run.work(
        NAME,
        identity={},
        # A change of identity would set the old report aside; a new report just replaces it.
        request={
            "code": _code(),
            "folder": run.root.name,
            "behind": analyse.behind(ctx),
            "tables": {measure.name: _hash(run, measure.name) for measure in MEASURES},
            # The report does not show the data folder, and readers of a run have different ones.
            "recipe": ctx.recipe.model_dump(mode="json", exclude={"data_dir"}),
            "work": {s.work: fingerprint(s.identity) for s in run.stamps() if s.work != NAME},
        },
        outputs=(
            run.path(PAGE),
            run.path(SUMMARY),
            *(run.path("7-tables", name) for name in (f"{FINDINGS}.json", *COMPARISON)),
        ),
    )


def run(ctx: "Context") -> None:
    """Write the files and say where the page is."""
    work = plan(ctx)
    if not work.done:
        with work:
            work.counts["bytes"] = float(render(ctx.run.root, behind=analyse.behind(ctx)))
    say(f"report: {ctx.run.path(PAGE)}")


def amount(_: "Context") -> list[Amount]:
    """One piece of work."""
    return [Amount(work=NAME, stage=NAME)]


def render(run_root: Path, *, behind: bool = False) -> int:
    """Write both pages, the findings and the comparison table; returns the page's size in bytes.

    It needs only the run folder. ``behind``: the page says that its tables are old.

    Raises RunDirError when ``run_root`` is no run folder.
    """
    from manyways.measures.catalogue import sections
    from manyways.measures.pass_at_k import build
    from manyways.measures.seen import load
    from manyways.reporting.arms_table import FORMATS
    from manyways.reporting.page import render_html, render_markdown

    seen = load(run_root, behind=behind)
    built = sections(seen)
    page = render_html(seen.name, seen.recipe, built)
    write_text(run_root / PAGE, page)
    write_text(run_root / SUMMARY, render_markdown(seen.name, built))
    write_rows(run_root / "7-tables" / f"{FINDINGS}.json", seen.findings)
    table = build(seen)
    for name, write in zip(COMPARISON, FORMATS.values(), strict=True):
        write_text(run_root / "7-tables" / name, write(table))
    return len(page.encode())


def _code() -> str:
    """A hash of the code that draws the page: any change draws the page again, in seconds."""
    folders = (Path(str(package.__file__)).parent for package in (measures, reporting))
    files = [file for folder in folders for file in sorted(folder.rglob("*"))]
    return content_hash(file.read_text(encoding="utf-8") for file in files if file.suffix in DRAWS)


def _hash(run: RunDir, stem: str) -> str:
    path = run.path("7-tables", f"{stem}.json")
    return content_hash([path.read_text(encoding="utf-8")]) if path.is_file() else ""
