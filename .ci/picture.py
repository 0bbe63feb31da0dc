"""Renews what docs shows of a run, by `make picture RUN=runs/pocket-study`.

README's is the first screen. Where the run was evaluated on the way, that of docs/results is pass@1
and pass@k over the steps of RL, of the arms in ARMS. A folder of docs/results that has the run's
name holds copies of its report.md and tables: each of those files is written anew. The report is
drawn first, from tables made anew where they are of an earlier release, so that all is what the
present code says of the run. Needs a Chromium with its driver, as the tests of pages do.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "assets" / "report.png"
SIZE = (1280, 1440)
"""Pixels: from the question to the four cells."""
STEPS = ROOT / "docs" / "assets" / "steps.png"
ARMS = ("vanilla", "favourite", "heuristics-10")
ONLY = """
const charts = document.querySelector('#chart-steps-rl-one')?.closest('.charts');
if (!charts) return false;
for (const key of charts.querySelectorAll('.key'))
  if ((key.getAttribute('aria-pressed') === 'true') !== arguments[0].includes(key.dataset.name))
    key.click();
charts.id = 'steps';
[...charts.querySelectorAll('figure')].slice(2).forEach((figure) => figure.remove());
charts.querySelectorAll('.key').forEach((key) => {
  if (!arguments[0].includes(key.dataset.name)) key.remove();
});
return true;
"""
"""Leaves the first two figures and some arms; false where there are no such figures."""

RESULTS = ROOT / "docs" / "results"
POOLED = ("pass_at_k.json", "composition.json")
"""Copied without the rows of single seeds, which are most of them."""

sys.path.insert(0, str(ROOT / "tests"))


def main() -> None:
    """Draw the report of the run on the command line, photograph its beginning, copy its tables."""
    from browser import chromium

    from manyways.commands.run import look_again
    from manyways.stages.report import PAGE

    run = Path(sys.argv[1])
    look_again(run, "report")
    with chromium() as browser:
        browser.prefer("light")
        browser.size(*SIZE)
        browser.open(run / PAGE)
        browser.screenshot(PICTURE)
        made = [PICTURE]
        if browser.js(ONLY, ARMS):
            browser.size(900, 1180)
            browser.screenshot(STEPS, "#steps")
            made.append(STEPS)
    for picture in made:
        print(f"{picture.relative_to(ROOT)}: {picture.stat().st_size:,} bytes, of {run}")
    for copy in copied(run, RESULTS / run.resolve().name):
        print(f"{copy.relative_to(ROOT)}: {copy.stat().st_size:,} bytes, of {run}")


def copied(run: Path, folder: Path) -> Iterator[Path]:
    """Write the files of ``folder`` anew from those of ``run``; none where there is no folder."""
    from manyways.tables import write_text

    for copy in sorted(folder.glob("*")):
        inner = "" if copy.name in ("report.md", "recipe.toml") else "7-tables"
        text = (run / inner / copy.name).read_text(encoding="utf-8")
        if copy.name in POOLED:
            rows = [row for row in json.loads(text) if "/seed-" not in row["checkpoint"]]
            text = (
                "[" + ",".join(f"\n{json.dumps(row, ensure_ascii=False)}" for row in rows) + "\n]\n"
            )
        write_text(copy, text)
        yield copy


if __name__ == "__main__":
    main()
