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
    return {name: draw() for name, draw in FIGURES.items()}


@pytest.mark.parametrize("name", FIGURES)
def test_the_explanation_names_the_proposition_in_short_sentences(drawings, name: str) -> None:
    explained = drawings[name].explained
    assert re.match(r"Propositions? [A-H]\d", explained[0])
    for text in explained:
        assert text.endswith(".")
        for sentence in re.split(r"[.:] ", text):
            assert len(sentence.split()) <= 25, sentence


@pytest.mark.parametrize("name", FIGURES)
def test_curves_share_their_points_and_are_finite(drawings, name: str) -> None:
    x, curves = drawings[name].x, drawings[name].curves
    assert len(curves) >= 2
    for y in curves.values():
        assert len(y) == len(x) and all(0 <= value < 1e6 for value in y)


def test_the_figures_show_what_they_say(drawings) -> None:
    x, (vanilla, grpo, natural) = drawings["escape"].x, drawings["escape"].curves.values()
    assert vanilla[0] == pytest.approx(dynamics.escape_time(x[0], 0.3, "vanilla"))
    assert vanilla[0] > grpo[0] > 100 * natural[0]
    rises, delayed, one_mode, falls = drawings["composition"].curves.values()
    assert rises[-1] > 0.9 > delayed[-1] > falls[-1] < falls[0]
    assert all(a > b - 1e-12 for a, b in zip(one_mode, rises, strict=True)), "D2 (ii)"
    one, two = drawings["crossover"].curves.values()
    star = mixtures.crossover_k(0.2, a=0.8, b=0.8)
    for k, a, b in zip(drawings["crossover"].x, one, two, strict=True):
        assert (b > a) == (k > star)
    _, middle, _ = drawings["budget"].curves.values()
    best = mixtures.best_modes(3200, types=200, steps=2, untrained=0.1, largest=64)
    assert drawings["budget"].x[middle.index(max(middle))] == best
    few, many, scaled = drawings["leak"].curves.values()
    assert many[-1] / few[-1] == pytest.approx(4, rel=0.02)
    assert scaled == pytest.approx(few)
    assert max(drawings["clock"].curves["groups of 64"]) <= 63**0.5


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
