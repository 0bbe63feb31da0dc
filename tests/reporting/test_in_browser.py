"""The page in a real browser: drawn, quiet, offline, filterable, readable on a phone."""

import dataclasses
from itertools import pairwise

import pytest
from browser import chromium
from fake_run import write_run

from manyways.measures import read_rows, write_rows
from manyways.measures.explorer import ExplorerRow, ExplorerText
from manyways.measures.yields import YieldRow
from manyways.stages.report import render

HOSTILE = "</script><script>document.title='broken'</script><img src=x onerror='document.title=1'>"
COUNT = "return document.getElementById('explorer-count').textContent"


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    root = write_run(tmp_path_factory.mktemp("run"), seeds=(0, 1, 2))
    render(root)
    return root / "report.html"


@pytest.fixture(scope="module")
def loaded(browser, page):
    browser.prefer("light")
    browser.size(1280, 900)
    browser.open(page)
    assert browser.log() == []
    assert browser.requests() == []
    return browser


@pytest.fixture
def opened(loaded):
    """The page as it is at first: loading it for every test would take minutes."""
    loaded.js("location.hash = ''; document.querySelector('#explorer-filters').reset()")
    loaded.wait(f"{COUNT}.startsWith('1,200 of')")
    yield loaded
    assert loaded.log() == []
    assert loaded.requests() == []


def test_every_chart_is_drawn(opened):
    empty = "return [...document.querySelectorAll('[data-chart]')].filter(e => !e.querySelector('svg .main-svg, svg.main-svg')).map(e => e.id)"  # noqa: E501
    assert opened.js("return document.querySelectorAll('[data-chart]').length") > 15
    folded = opened.js(empty)
    assert folded, "what is folded away waits"
    opened.js("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    opened.wait(f"return {empty[7:]}.length === 0")
    opened.js("document.querySelectorAll('details').forEach(d => { d.open = false; })")
    assert opened.js("return document.querySelectorAll('.chart .errorbar, .chart .xerror').length")


def test_filters_change_what_is_counted_and_shown(opened):
    assert opened.js(COUNT) == "1,200 of 1,200 texts on 40 of 40 problems"
    opened.js(
        "const f = document.getElementById('explorer-filters'); f.elements.status.value = 'wrong';"
        "f.dispatchEvent(new Event('input'))"
    )
    wrong = int(opened.js(COUNT).split()[0])
    assert 0 < wrong < 1200
    opened.js("document.querySelector('.problem:not([hidden])').open = true")
    opened.wait("return document.querySelectorAll('.problem[open] .card').length > 0")
    verdicts = (
        "return [...document.querySelectorAll('.problem[open] .verdict')].map(e => e.textContent)"
    )
    assert set(opened.js(verdicts)) == {"✗ wrong"}
    opened.js("document.querySelector('#explorer-filters button[type=reset]').click()")
    opened.wait(f"{COUNT}.startsWith('1,200 of')")


def test_search_finds_words_of_questions_and_texts(opened):
    opened.js(
        "const f = document.getElementById('explorer-filters');"
        "f.elements.query.value = 'pocket/seed/00007'; f.dispatchEvent(new Event('input'))"
    )
    assert opened.js(COUNT) == "30 of 1,200 texts on 1 of 40 problems"


def test_words_are_found_in_any_order_and_the_address_can_be_passed_on(opened):
    texts = "return document.querySelectorAll('.problem:not([hidden])').length"
    first = opened.js("return document.querySelector('.problem .question').textContent")
    words = " ".join(reversed(first.split()[:4]))
    opened.js(
        "const f = document.getElementById('explorer-filters');"
        "f.elements.query.value = arguments[0]; f.elements.status.value = 'wrong';"
        "f.dispatchEvent(new Event('input'))",
        words,
    )
    found, told = opened.js(texts), opened.js(COUNT)
    assert 0 < found <= 40
    address = opened.js("return location.hash")
    assert address.startswith("#explorer?query=")
    opened.js("document.querySelector('#explorer-filters').reset()")
    opened.wait(f"{COUNT}.startsWith('1,200 of')")
    opened.js("location.hash = arguments[0]", address)
    opened.wait(f"{COUNT} === arguments[0]".replace("arguments[0]", repr(told)))


def test_links_lead_to_the_texts_behind(opened):
    opened.js("location.hash = '#explorer?heuristic=decomposing&source=pool&kept=yes'")
    opened.wait(f"return !{COUNT[7:]}.startsWith('1,200 of')")
    texts = int(opened.js(COUNT).split()[0])
    assert 0 < texts < 100
    opened.js("location.hash = '#explorer?problem=pocket%2Fseed%2F00003'")
    opened.wait(f"{COUNT} === '30 of 1,200 texts on 1 of 40 problems'")
    opened.wait("return document.querySelectorAll('.problem[open] .card').length === 30")
    legend = "return document.querySelector('#explorer-legend .key')"
    opened.js(f"{legend}.click()")
    assert opened.js(f"{legend}.getAttribute('aria-pressed')") == "true"


def test_a_link_that_names_a_count_opens_that_many_or_says_how_many_are_here(opened):
    address = "#explorer?heuristic=decomposing&how=asked&source=pool&status=wrong"
    opened.js("location.hash = arguments[0]", address)
    opened.wait(f"return !{COUNT[7:]}.startsWith('1,200 of')")
    there = int(opened.js(COUNT).split()[0])
    assert there > 1
    opened.js("location.hash = arguments[0]", f"{address}&of={there}")
    opened.wait(f"{COUNT}.startsWith('All {there} attempts behind that number')")
    opened.js("location.hash = arguments[0]", f"{address}&of=4321")
    opened.wait(f"{COUNT}.startsWith('{there} of the 4,321 attempts behind that number are on')")
    opened.js("document.querySelectorAll('.problem:not([hidden])').forEach(p => { p.open = true })")
    opened.wait(
        f"return document.querySelectorAll('.problem:not([hidden]) .card').length === {there}"
    )
    opened.js("document.querySelectorAll('.problem').forEach(p => { p.open = false })")
    other = "const f = document.getElementById('explorer-filters'); f.elements.status.value = '';"
    opened.js(f"{other} f.dispatchEvent(new Event('input'))")
    assert "behind" not in opened.js(COUNT), "another filter is another number"


def test_a_click_on_a_figure_leads_to_its_texts(opened):
    opened.js(
        "document.getElementById('chart-composition').emit('plotly_click',"
        "{points: [{customdata: '#explorer?source=heuristics-8%2Frl&composed=yes'}]})"
    )
    opened.wait(
        "return document.getElementById('explorer-filters').elements.composed.value === 'yes'"
    )
    links = opened.js(
        "return document.getElementById('chart-composition').data.map(t => t.customdata[0])"
    )
    assert all(link.startswith("#explorer?source=") for link in links)


def test_legends_hide_and_show(opened):
    shown = "return document.getElementById('chart-pass-mean').data.filter(t => t.visible).length"
    before = opened.js(shown)
    key = "#evaluation .key[data-name='star']"
    opened.click(key)
    assert opened.js(shown) < before
    assert opened.js("return document.querySelector(arguments[0]).ariaPressed", key) == "false"
    opened.click(key)
    assert opened.js(shown) == before


def test_theme_follows_the_system_and_the_button(opened):
    paper = "return getComputedStyle(document.body).backgroundColor"
    ink = "return document.querySelector('#chart-four-cells .xtick text').style.fill"
    light, light_ink = opened.js(paper), opened.js(ink)
    opened.prefer("dark")
    opened.wait(f"{ink} !== '{light_ink}'")
    assert opened.js(paper) != light
    opened.click("#theme")
    assert opened.js(paper) == light
    assert opened.js(ink) == light_ink
    assert opened.js("return document.getElementById('theme').ariaPressed") == "false"
    opened.js("localStorage.clear()")


@pytest.mark.parametrize("width", [320, 390, 768])
def test_narrow_screens_do_not_scroll_sideways(opened, width):
    opened.js("location.hash = '#explorer?problem=pocket/seed/00001'")
    opened.js("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    opened.size(width, 844)
    try:
        opened.wait(f"return document.querySelector('#chart-four-cells svg').clientWidth < {width}")
        opened.wait(f"return document.documentElement.scrollWidth === {width}")
    finally:
        opened.js("document.querySelectorAll('details').forEach(d => { d.open = false; })")
        opened.size(1280, 900)


def test_everything_can_be_reached_and_named(opened):
    unnamed = (
        "return [...document.querySelectorAll('button, select, input, a, summary, [role=img],"
        " [role=region]')].filter(e => !(e.ariaLabel || e.textContent.trim() ||"
        " e.closest('label'))).map(e => e.outerHTML.slice(0, 90))"
    )
    assert opened.js(unnamed) == []
    levels = opened.js(
        "return [...document.querySelectorAll('h1, h2, h3')].map(e => Number(e.tagName[1]))"
    )
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    ids = opened.js("return [...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))
    targets = "return [...document.querySelectorAll('a[href^=\"#\"]')].map(e => e.hash.slice(1).split('?')[0]).filter(id => !document.getElementById(id))"  # noqa: E501
    assert opened.js(targets) == []


def test_paper_is_light_and_fits(opened, tmp_path):
    ink = "return document.querySelector('#chart-four-cells .xtick text').style.fill"
    widths = (
        "return [...document.querySelectorAll('.chart svg.main-svg:first-child')]"
        ".filter(e => !e.closest('details:not([open])'))"
        ".map(e => e.clientWidth)"
    )
    flows = "return document.querySelectorAll('#chart-pairs-rl .point').length"
    opened.prefer("dark")
    dark, drawn = opened.js(ink), opened.js(flows)
    opened.js("window.dispatchEvent(new Event('beforeprint'))")
    assert opened.js(ink) != dark
    assert set(opened.js(widths)) == {340, 690}
    assert opened.js(flows) == drawn > 0
    opened.js("window.dispatchEvent(new Event('afterprint'))")
    assert opened.js(ink) == dark
    opened.cdp("Emulation.setEmulatedMedia", {"media": "print"})
    opened.size(702, 1000)  # A4 without its margins
    assert opened.js("return document.documentElement.scrollWidth") == 702
    opened.size(1280, 900)
    opened.cdp("Emulation.setEmulatedMedia", {"media": ""})
    opened.pdf(tmp_path / "report.pdf")
    pages = (tmp_path / "report.pdf").read_bytes().count(b"/Type /Page\n")
    assert 5 <= pages <= 20
    opened.prefer("light")


def test_a_head_sorts_its_column_and_a_table_can_be_copied(opened):
    table = "document.querySelector('.hero .cells table')"
    column = f"[...{table}.tBodies[0].rows].map(r => parseFloat(r.cells[1].textContent))"
    before = opened.js(f"return {column}")
    assert before != sorted(before)
    head = f"{table}.tHead.rows[0].cells[1]"
    for order, shown in (
        ("ascending", sorted(before)), ("descending", sorted(before)[::-1]), (None, before)
    ):  # fmt: skip
        opened.js(f"{head}.querySelector('button').click()")
        assert opened.js(f"return {head}.getAttribute('aria-sort')") == order
        assert opened.js(f"return {column}") == shown
    opened.js(
        "window.copied = null; Object.defineProperty(navigator, 'clipboard', {configurable: true,"
        " value: {writeText: async text => { window.copied = text; }}})"
    )
    opened.click(".hero .cells .copy")
    opened.wait("return document.querySelector('.hero .cells .copy').textContent === 'Copied'")
    lines = opened.js("return window.copied").split("\n")
    assert lines[0] == "what,pass@1,pass@16"
    assert lines[1].startswith('Base model,"0.30 [0.25, 0.35]"')
    assert len(lines) == len(before) + 1


def test_no_table_is_cut_off_on_a_desk(opened):
    opened.size(1400, 1000)
    opened.js("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    cut = (
        "return [...document.querySelectorAll('.scroll')]"
        ".filter(e => e.scrollWidth > e.clientWidth).map(e => e.ariaLabel)"
    )
    assert opened.js(cut) == []
    opened.js("document.querySelectorAll('details').forEach(d => { d.open = false; })")
    opened.size(1280, 900)


def test_hostile_texts_are_shown_as_text(browser, tmp_path):
    root = write_run(tmp_path)
    path = root / "7-tables" / "explorer.json"
    text = ExplorerText(
        source="pool", heuristic=HOSTILE, status="correct", answer=HOSTILE, kept=True, note=HOSTILE,
        steps=[(HOSTILE, HOSTILE), ("\u202egnp.exe\x07", None)],
    )  # fmt: skip
    rows = read_rows(path, ExplorerRow)
    change = {"question": HOSTILE, "answer": HOSTILE, "texts": [text]}
    write_rows(path, [dataclasses.replace(row, **change) for row in rows[:2]])
    path = root / "7-tables" / "yield.json"
    yields = read_rows(path, YieldRow)
    write_rows(path, [dataclasses.replace(row, name=HOSTILE) for row in yields])
    render(root)
    browser.size(1280, 900)
    browser.open(root / "report.html")
    browser.js("document.querySelector('.problem').open = true")
    browser.wait("return document.querySelectorAll('.problem .card').length === 1")
    card = browser.js("return document.querySelector('.problem .card').textContent")
    assert HOSTILE in card
    assert r"\u202egnp.exe\x07" in card
    assert browser.js("return document.querySelectorAll('main img').length") == 0
    assert "broken" not in browser.js("return document.title")
    assert browser.log() == []


def test_a_browser_that_cannot_unpack_the_library_shows_words_for_figures(browser, page):
    script = {"source": "delete window.DecompressionStream"}
    added = browser.cdp("Page.addScriptToEvaluateOnNewDocument", script)
    try:
        browser.open(page)
        cells = "return document.getElementById('chart-four-cells').textContent"
        assert browser.js(cells).startswith("Dots with 95% intervals: Base model: pass@1 0.30")
        assert any("DecompressionStream" in line for line in browser.log())
    finally:
        browser.cdp("Page.removeScriptToEvaluateOnNewDocument", added)


def test_fifteen_arms_are_no_endless_page(browser, tmp_path):
    numbered = [f"heuristics-{n}" for n in (1, 2, 4, 8)]
    others = ["favourite", "random", "matched-8", "wrong-8", "budget-1", "budget-8"]
    variants = ["star@25", "heuristics-8@25", "heuristics-8@2epochs"]
    arms = ["vanilla", "star", *numbered, *others, *variants]
    root = write_run(tmp_path, arms=arms)
    render(root)
    browser.size(1400, 1000)
    browser.open(root / "report.html")
    assert browser.js("return document.documentElement.scrollHeight") <= 12_000
    folded = "return [...document.querySelectorAll('details:not([open]) [data-chart]')].length"
    assert browser.js(folded) > 10, "the figures of the other arms are there on demand"
    assert browser.log() == []


def test_a_run_with_nothing_opens_quietly(browser, tmp_path):
    root = write_run(tmp_path, tables=())
    render(root)
    browser.open(root / "report.html")
    assert browser.js("return document.querySelectorAll('[data-chart]').length") == 0
    assert browser.log() == []
