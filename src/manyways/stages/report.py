"""Stage 8: result tables -> report.html, report.md, what they say and the comparison table."""

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
"""In ``7-tables``: arms by benchmarks, for a paper."""


def plan(ctx: "Context") -> Work:
    """The report depends on the tables, the recipe, what is finished and the folder's name."""
    run = ctx.run
    return run.work(
        NAME,
        identity={},
        # Not identity: a new report replaces the old one, which can be made again at any time.
        request={
            "code": _code(),
            "folder": run.root.name,
            "behind": analyse.behind(ctx),
            "tables": {measure.name: _hash(run, measure.name) for measure in MEASURES},
            # Where the data lies is not shown, and differs between who looks at a run.
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
    """Write the files, and say where the page is."""
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

    Needs nothing but the run folder. behind: the page says that its tables are old.

    Raises RunDirError when ``run_root`` is none.
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
    """A hash of what draws the page: it takes seconds, so any change of the code draws it anew."""
    folders = (Path(str(package.__file__)).parent for package in (measures, reporting))
    files = [file for folder in folders for file in sorted(folder.rglob("*"))]
    return content_hash(file.read_text(encoding="utf-8") for file in files if file.suffix in DRAWS)


def _hash(run: RunDir, stem: str) -> str:
    path = run.path("7-tables", f"{stem}.json")
    return content_hash([path.read_text(encoding="utf-8")]) if path.is_file() else ""
