"""``manyways status``: what is finished in a run folder, and what it cost."""

import fcntl
import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

from manyways import foreign
from manyways.commands.forecast.records import FILE, read_forecast
from manyways.commands.forecast.show import print_comparison
from manyways.commands.printing import open_table, print_result, print_text
from manyways.errors import RecipeError
from manyways.recipe.file import load_recipe
from manyways.run_dir import RunDir


def print_status(run: RunDir) -> None:
    """Print one row per finished piece of work, then whether somebody is writing now."""
    with suppress(RecipeError):  # of another version, perhaps: nothing of it is used here
        foreign.say_unused(load_recipe(run.path("recipe.toml")))
    table = open_table("work", "ended", "seconds", "what")
    for stamp in run.stamps():
        ended = datetime.fromtimestamp(stamp.ended).strftime("%m-%d %H:%M")
        table.add_row(stamp.work, ended, f"{stamp.seconds:.1f}", _in_words(stamp.counts))
    print_result(table)
    kept = read_forecast(run.path(FILE))
    if kept:
        print_comparison(kept, run)
    unfinished = sorted(
        begun.stem.replace("__", "/")
        for begun in run.path("stamps").glob("*.begun")
        if not begun.with_suffix(".json").exists()
    )
    if unfinished:
        print_text(f"begun and not finished: {', '.join(unfinished)}")
    for outcome in sorted(run.path("arms").glob("*/seed-*/outcome.json")):
        row = json.loads(outcome.read_text(encoding="utf-8"))
        print_text(f"{row['arm']} seed {row['seed']}: {row['outcome']}")
    print_text(f"being written to now: {'yes' if _locked(run) else 'no'}")
    report = run.path("report.html")
    if report.is_file():
        print_text(f"report: {report}")


def _in_words(counts: Mapping[str, float]) -> str:
    """Counts of a stamp; for sampling only what matters at a glance."""
    if "attempts" not in counts:
        return ", ".join(f"{value:,g} {key}" for key, value in counts.items())
    attempts = counts["attempts"]
    words = [f"{attempts:,.0f} attempts"]
    for key in ("correct", "no_answer", "undecided", "truncated"):
        if counts.get(key):
            words.append(f"{counts[key] / max(attempts, 1):.0%} {key.replace('_', ' ')}")
    if "tokens" in counts:
        words.append(f"{counts['tokens']:,.0f} tokens")
    return ", ".join(words)


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
