"""Stage 8: result tables -> report.html and report.md."""

from pathlib import Path
from typing import TYPE_CHECKING

from manyways.fingerprint import content_hash, fingerprint
from manyways.progress import say
from manyways.results import TABLES
from manyways.run_dir import RunDir, Work
from manyways.tables import write_text

if TYPE_CHECKING:
    from manyways.stages.context import Context

NAME = "report"
PAGE, SUMMARY = "report.html", "report.md"


def plan(ctx: "Context") -> Work:
    """The report depends on the tables, the recipe and the record of finished work, no more."""
    run = ctx.run
    return run.work(
        NAME,
        identity={},
        # Not identity: a new report replaces the old one, which can be made again at any time.
        request={
            "tables": {stem: _hash(run, stem) for stem in TABLES},
            "recipe": ctx.recipe.model_dump(mode="json"),
            "work": {s.work: fingerprint(s.identity) for s in run.stamps() if s.work != NAME},
        },
        outputs=(run.path(PAGE), run.path(SUMMARY)),
    )


def run(ctx: "Context") -> None:
    """Write both files, and say where they are."""
    work = plan(ctx)
    if not work.done:
        with work:
            work.counts["bytes"] = float(render(ctx.run.root))
    say(f"report: {ctx.run.path(PAGE)}")


def render(run_root: Path) -> int:
    """Write report.html and report.md of a run folder from its tables; the page's size in bytes.

    Needs nothing but the run folder. Raises RunDirError when ``run_root`` is none.
    """
    from manyways.reporting.markdown import render_markdown
    from manyways.reporting.page import render_html
    from manyways.reporting.source import load_source

    source = load_source(run_root)
    page = render_html(source)
    write_text(run_root / PAGE, page)
    write_text(run_root / SUMMARY, render_markdown(source))
    return len(page.encode())


def _hash(run: RunDir, stem: str) -> str:
    path = run.path("7-tables", f"{stem}.json")
    return content_hash([path.read_text(encoding="utf-8")]) if path.is_file() else ""
