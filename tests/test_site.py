"""The site of docs/: every link leads somewhere, nothing comes from elsewhere, it fits a phone."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Browser, chromium
from command_line import ROOT
from needs import needs_sphinx

pytestmark = [pytest.mark.slow, needs_sphinx]
SETTINGS = ROOT / "docs" / "site"


def build(pages: Path, out: Path) -> "subprocess.CompletedProcess[str]":
    """What ``make docs`` runs."""
    (line,) = re.findall(r"^SPHINX := .+?sphinx-build (.+)$", (ROOT / "Makefile").read_text(), re.M)
    command = [sys.executable, "-m", "sphinx", *line.split(), "-c", SETTINGS, pages, out]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as it is."""
    out = tmp_path_factory.mktemp("site")
    done = build(ROOT / "docs", out)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def test_what_leads_nowhere_fails(tmp_path: Path) -> None:
    """One warning for each mistake; ``x.md`` has none."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "x.md").write_text("# X\n")
    (tmp_path / "docs" / "index.md").write_text(
        "# Title\n\n[a](nowhere.md) [b](x.md#nothing) [c](../no_file.py) ![d](no.png)\n\n"
        "## Pages\n\n- [x](x.md)\n\n```nolanguage\nx\n```\n"
    )
    done = build(tmp_path / "docs", tmp_path / "out")
    assert done.returncode == 1, done.stderr
    for word in ("nowhere", "nothing", "no_file", "no.png", "nolanguage"):
        assert word in done.stderr, word
    assert len(re.findall("WARNING", done.stderr)) == 5, done.stderr


def test_every_page_is_there_in_reading_order(site: Path) -> None:
    listed = re.findall(r"^- \[.+?\]\((\S+)\.md\)", (ROOT / "docs/index.md").read_text(), re.M)
    pages = {str(page.relative_to(ROOT / "docs").with_suffix("")) for page in
             [*(ROOT / "docs").glob("*.md"), *(ROOT / "docs/results").glob("*.md")]}  # fmt: skip
    assert {*listed, "index"} == pages
    side = re.findall(r'class="toctree-l1"><a class="reference internal" href="([^"]+)\.html"',
                      (site / "index.html").read_text())  # fmt: skip
    assert side == listed


def test_nothing_comes_from_elsewhere(site: Path) -> None:
    """Links may lead away; what a page loads may not."""
    loaded = re.compile(
        r"""<(?:script|img|link|iframe|source)\b[^>]*?(?:src|href)=["']?(?:https?:)?//"""
    )
    for page in site.rglob("*.html"):
        assert not loaded.search(page.read_text()), page
    for style in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", style.read_text()), style


def test_pages_fit_and_search_finds(site: Path, browser: Browser) -> None:
    browser.driver.get("about:blank")
    browser.requests()
    for width in (1400, 390):
        browser.size(width, 900)
        for page in sorted([*site.glob("*.html"), *(site / "results").glob("*.html")]):
            browser.driver.get(page.as_uri())
            assert browser.js("return document.documentElement.scrollWidth") == width, page
            hidden = browser.js(
                "return [...document.querySelectorAll('article img')]"
                ".filter((i) => !i.complete || !i.naturalWidth).length"
            )
            assert hidden == 0, page
    assert browser.log() == []
    browser.driver.get((site / "search.html").as_uri() + "?q=adherence")
    browser.wait("return document.querySelectorAll('#search-results li a').length > 2")
    assert browser.requests() == []  # of a site on disk: titles without excerpts
