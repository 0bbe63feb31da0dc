"""Renews README's picture, the first screen of a run's report, by `make picture RUN=runs/pocket`.

Draws the report anew from the tables of the run, so that the picture shows the page as it is now.
Needs a Chromium with its driver, as the tests of pages do.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "assets" / "report.png"
SIZE = (1280, 1180)
"""Pixels: from the question to the four cells."""

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
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size:,} bytes, of {run}")


if __name__ == "__main__":
    main()
