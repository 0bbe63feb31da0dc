"""``manyways status``: what is finished in a run folder, and what it cost."""

import fcntl
from datetime import datetime

from rich.console import Console
from rich.table import Table

from manyways.commands.forecast.records import FILE, read_forecast
from manyways.commands.forecast.show import print_comparison
from manyways.run_dir import RunDir


def print_status(run: RunDir) -> None:
    """Print one row per finished piece of work, then whether somebody is writing now."""
    table = Table("work", "ended", "seconds", "counts", title=str(run.root))
    for stamp in run.stamps():
        ended = datetime.fromtimestamp(stamp.ended).strftime("%Y-%m-%d %H:%M:%S")
        counts = ", ".join(f"{key} {value:g}" for key, value in stamp.counts.items())
        table.add_row(stamp.work, ended, f"{stamp.seconds:.1f}", counts)
    console = Console()
    console.print(table)
    kept = read_forecast(run.path(FILE))
    if kept:
        print_comparison(kept, run)
    unfinished = sorted(
        begun.stem.replace("__", "/")
        for begun in run.path("stamps").glob("*.begun")
        if not begun.with_suffix(".json").exists()
    )
    if unfinished:
        console.print(f"begun and not finished: {', '.join(unfinished)}")
    for outcome in sorted(run.path("arms").glob("*/seed-*/outcome.json")):
        console.print(outcome.read_text(encoding="utf-8"), highlight=False)
    console.print(f"being written to now: {'yes' if _locked(run) else 'no'}")
    report = run.path("report.html")
    if report.is_file():
        console.print(f"report: {report}", soft_wrap=True)


def _locked(run: RunDir) -> bool:
    lock = run.path(".lock")
    if not lock.exists():
        return False
    with lock.open("r") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False
