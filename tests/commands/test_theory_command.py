import re

import pytest
from browser import chromium
from command_line import in_this_process

from manyways.commands.theory import FIGURES, write_page
from manyways.errors import UserError
from manyways.theory import dynamics, mixtures


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("theory") / "theory.html"
    write_page(path)
    return path


@pytest.fixture(scope="module")
def drawings():
    return {name: draw() for name, (_, draw) in FIGURES.items()}


@pytest.mark.parametrize("name", FIGURES)
def test_three_sentences_name_the_proposition(drawings, name: str) -> None:
    drawing = drawings[name]
    assert re.match(r"Propositions? [A-H]\d", drawing.sentences[0])
    for sentence in drawing.sentences:
        assert sentence.endswith(".")
        assert not re.search(r"\. [A-Z]", sentence), "one sentence each"


@pytest.mark.parametrize("name", FIGURES)
def test_curves_share_their_points_and_are_finite(drawings, name: str) -> None:
    curves = drawings[name].curves
    assert len({tuple(curve.x) for curve in curves}) == 1
    assert len({curve.label for curve in curves}) == len(curves) >= 2
    assert all(len(c.x) == len(c.y) and all(0 <= y < 1e6 for y in c.y) for c in curves)


def test_the_figures_show_what_they_say(drawings) -> None:
    vanilla, grpo, natural = drawings["escape"].curves
    assert vanilla.y[0] == pytest.approx(dynamics.escape_time(vanilla.x[0], 0.3, "vanilla"))
    assert vanilla.y[0] > grpo.y[0] > 100 * natural.y[0]
    rises, delayed, one_mode, falls = (c.y for c in drawings["composition"].curves)
    assert rises[-1] > 0.9 > delayed[-1] > falls[-1] < falls[0]
    assert all(a > b - 1e-12 for a, b in zip(one_mode, rises, strict=True)), "D2 (ii)"
    one, two = drawings["crossover"].curves
    star = mixtures.crossover_k(0.2, a=0.8, b=0.8)
    for k, lead in zip(one.x, (b - a for a, b in zip(one.y, two.y, strict=True)), strict=True):
        assert (lead > 0) == (k > star)
    middle = drawings["budget"].curves[1]
    best = mixtures.best_modes(3200, types=200, steps=2, untrained=0.1, largest=64)
    assert middle.x[middle.y.index(max(middle.y))] == best
    few, many, scaled = (c.y for c in drawings["leak"].curves)
    assert many[-1] / few[-1] == pytest.approx(4, rel=0.02)
    assert scaled == pytest.approx(few)
    large = drawings["clock"].curves[0]
    assert max(large.y) <= 63**0.5


def test_one_figure_and_an_unknown_one(tmp_path, capsys) -> None:
    out = tmp_path / "one.html"
    done = in_this_process(capsys, "theory", "--figure", "leak", "--out", out)
    assert done.code == 0
    assert f"theory: 1 figure in {out}" in done.out + done.err
    assert out.read_text().count("data-chart=") == 1
    with pytest.raises(UserError, match="Did you mean 'budget'"):
        write_page(out, figure="budgte")
    with pytest.raises(UserError, match="name a file"):
        write_page(tmp_path)


@pytest.mark.slow
def test_the_page_in_a_browser(page) -> None:
    with chromium() as browser:
        browser.prefer("light")
        browser.size(390, 844)
        browser.open(page)
        drawn = "return document.querySelectorAll('[data-chart] svg.main-svg').length"
        assert browser.js(drawn) >= len(FIGURES)
        assert browser.js("return document.documentElement.scrollWidth") == 390
        ink = "return document.querySelector('#chart-escape .xtick text').style.fill"
        light = browser.js(ink)
        browser.click("#theme")
        assert browser.js(ink) != light
        shown = "return document.getElementById('chart-leak').data.filter(t => t.visible).length"
        browser.click("#leak .key")
        assert browser.js(shown) == 2
        assert browser.log() == []
        assert browser.requests() == []
