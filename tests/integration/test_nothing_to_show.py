"""Runs with nothing to show: the report says so first, in words that help, and is whole."""

from pathlib import Path

import pytest
from browser import chromium
from nothing_to_show import (
    all_refused,
    charts,
    empty_charts,
    first_sentence,
    not_numbers,
    nothing_correct,
    one_arm,
    page_of,
    smoke,
)

RUNS = {
    "nothing correct": nothing_correct,
    "one arm": one_arm,
    "vanilla alone": lambda out: one_arm(out, "vanilla"),
    "all refused": all_refused,
}
REAL = {
    "one arm": lambda out: smoke(out, 'arms=["heuristics-2"]'),
    "vanilla alone": lambda out: smoke(out, 'arms=["vanilla"]'),
    "all refused": lambda out: smoke(out, "gate.enforce=true", "gate.min_mixed=1.0"),
}
EMPTY = (
    "return [...document.querySelectorAll('[data-chart]')]"
    ".filter(e => !e.querySelector('.point, .trace path')).map(e => e.id)"
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        return {name: make(tmp_path_factory.mktemp("run")) for name, make in RUNS.items()}


@pytest.mark.parametrize("name", RUNS)
def test_nothing_is_drawn_without_numbers_and_nothing_printed_but_numbers(made, name) -> None:
    assert empty_charts(made[name]) == []
    assert not_numbers(made[name]) == []
    assert first_sentence(made[name]).startswith("Not answered: ")


def test_nothing_correct_says_what_to_change(made) -> None:
    said = first_sentence(made["nothing correct"])
    assert "none of the 36 attempts of the pool (under 2 heuristics and plain) was correct" in said
    assert "Choose easier problems" in said
    page = page_of(made["nothing correct"])
    assert "nothing to mid-train arm &#39;heuristics-2&#39; on" in page.split('id="why"')[0]
    assert "No RL step was logged." in page
    assert {"yield", "pass-mean", "seconds"} <= set(charts(made["nothing correct"]))
    assert "use-star" not in charts(made["nothing correct"])


def test_one_arm_has_nothing_beside_it(made) -> None:
    said = first_sentence(made["one arm"])
    assert "the run has one arm, heuristics-2, but no vanilla arm (RL alone)" in said
    assert "after RL" in page_of(made["one arm"])
    assert "none that learns before RL to compare it with" in first_sentence(made["vanilla alone"])


def test_direct_solutions_alone_are_said_to_show_no_heuristic(made) -> None:
    assert "No solution shows a heuristic: every step is direct." in page_of(made["one arm"])
    assert "use-heuristics-2" not in charts(made["one arm"])
    alone = "Solutions hold nothing but their answer: there is no step to label."
    assert alone in page_of(made["nothing correct"])


def test_refusals_are_counted_and_one_is_quoted(made) -> None:
    said = first_sentence(made["all refused"])
    assert "the gate refused all 3 checkpoints, so RL never ran." in said
    assert "The first, vanilla, seed 0: only 2% of groups hold both." in said
    page = page_of(made["all refused"])
    assert page.count("not fit for RL: only 2% of groups hold both.") >= 2
    assert "0 of 3 were found fit" in page
    assert "No RL step was logged." in page
    assert "curve-loss" in charts(made["all refused"])


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_real_runs_are_as_clear(tmp_path: Path, name: str) -> None:
    root = REAL[name](tmp_path / "run")
    print(name, "|", first_sentence(root))
    assert empty_charts(root) == []
    assert not_numbers(root) == []
    assert first_sentence(root).startswith("Not answered: ")
    with chromium() as browser:
        quiet_and_drawn(browser, root)


@pytest.mark.slow
def test_a_browser_draws_every_figure_and_complains_of_nothing(made) -> None:
    with chromium() as browser:
        for root in made.values():
            quiet_and_drawn(browser, root)


def quiet_and_drawn(browser, root: Path) -> None:
    browser.size(390, 844)
    browser.open(root / "report.html")
    browser.js("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    browser.wait(f"return ({EMPTY.removeprefix('return ')}).length === 0")
    assert browser.js(EMPTY) == []
    assert browser.js("return document.documentElement.scrollWidth") == 390
    assert browser.log() == []
    assert browser.requests() == []
