"""Renews pictures of a run's report, by `make picture RUN=runs/pocket-study`.

README's is the first screen. Where the run was evaluated on the way, that of docs/results is pass@1
and pass@k over the steps of RL, of the arms in ARMS. Draws the report anew from the tables of the
run, so that the pictures show the page as it is now. Needs a Chromium with its driver, as the tests
of pages do.
"""

import sys
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

sys.path.insert(0, str(ROOT / "tests"))


def main() -> None:
    """Draw the report of the run on the command line, and photograph its beginning."""
    from browser import chromium

    from manyways.stages.report import PAGE, render

    run = Path(sys.argv[1])
    render(run)
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


if __name__ == "__main__":
    main()
