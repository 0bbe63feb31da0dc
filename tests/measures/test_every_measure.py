"""The same questions put to every measure: its rows are kept, shown and put into words."""

import ast
import dataclasses
import inspect
import json
import re
import sys
from pathlib import Path

import pytest
from fake_run import recipe_tree, write_run

from manyways.measures import Measure, read_rows, write_rows
from manyways.measures.catalogue import CHAPTERS, MEASURES, TABLES, sections
from manyways.measures.seen import Seen, load
from manyways.recipe import parse_recipe
from manyways.reporting import Block, Chart, Charts, Note, Table
from manyways.reporting.page import render_html, render_markdown

EVERY = pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.name)
ARMS = ("vanilla", "star", "heuristics-8")


def seen(*measures: Measure) -> Seen:
    """A run of which these measures alone have rows."""
    return Seen(
        name="made",
        recipe=parse_recipe(recipe_tree(ARMS, (0,)), "test"),
        tables={measure.name: list(measure.example()) for measure in measures},
    )


def blocks(measure: Measure, run: Seen) -> list[Block]:
    return [block for show in measure.shown.values() for block in show(run)]


def charts(shown: list[Block]) -> list[Chart]:
    return [chart for block in shown if isinstance(block, Charts) for chart in block.charts]


def empty(block: Block) -> bool:
    return isinstance(block, Note) and block.kind == "empty"


def test_names_and_rows_are_told_apart() -> None:
    names = [measure.name for measure in MEASURES]
    assert len(set(names)) == len(names)
    assert len({measure.row for measure in MEASURES}) == len(MEASURES)
    assert set(TABLES) == {*names, "findings"}


@EVERY
def test_rows_are_frozen_and_come_back_as_they_were(measure: Measure, tmp_path: Path) -> None:
    rows = list(measure.example())
    assert rows
    for row in rows:
        assert type(row) is measure.row
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(row, dataclasses.fields(row)[0].name, None)
    path = tmp_path / f"{measure.name}.json"
    write_rows(path, rows)
    assert read_rows(path, measure.row) == rows
    assert len(path.read_text().splitlines()) == len(rows) + 2, "a line for each row"


@EVERY
def test_rows_are_shown(measure: Measure) -> None:
    """In a section that there is, or by the measure that it names."""
    if measure.within:
        (home,) = [other for other in MEASURES if other.name == measure.within]
        alone, both = seen(home), seen(home, measure)
        assert not measure.shown
        assert blocks(home, alone) != blocks(home, both)
        return
    assert set(measure.shown) <= {chapter.id for chapter in CHAPTERS}
    assert any(not empty(block) for block in blocks(measure, seen(measure)))


@EVERY
def test_charts_say_in_words_what_they_show_and_plotly_takes_them(measure: Measure) -> None:
    from plotly import graph_objects

    for chart in charts(blocks(measure, seen(measure))):
        assert len(chart.alt) > 20, chart.id
        assert re.search(r"\d", chart.alt), "the numbers that it draws"
        json.dumps(chart.spec, allow_nan=False)
        graph_objects.Figure(chart.spec)


@EVERY
def test_tables_have_a_cell_for_every_column(measure: Measure) -> None:
    for block in blocks(measure, seen(measure)):
        if isinstance(block, Table):
            assert {len(row) for row in block.rows} <= {len(block.head)}, block.caption
            assert len(block.caption) > 5


@EVERY
def test_findings_are_sentences(measure: Measure) -> None:
    for finding in measure.says(seen(measure)):
        assert re.match(r"[A-Z]|\d|heuristics-8 ", finding.sentence), finding.sentence
        assert re.search(r"[.:)]$|\w$", finding.sentence), finding.sentence
        assert len(finding.sentence) > 20


@EVERY
def test_a_run_without_rows_draws_nothing_and_does_not_fail(measure: Measure) -> None:
    nothing = Seen(name="made", recipe=parse_recipe(recipe_tree(ARMS, (0,)), "test"))
    assert charts(blocks(measure, nothing)) == []
    list(measure.says(nothing))


def test_the_examples_together_make_a_report() -> None:
    run = seen(*MEASURES)
    built = sections(run)
    assert [section.id for section in built] == [chapter.id for chapter in CHAPTERS]
    ids = [chart.id for section in built for chart in charts(list(section.blocks))]
    assert len(set(ids)) == len(ids)
    told = render_markdown(run.name, built).replace("\\", "")
    assert all(finding.sentence in told for finding in run.findings)
    assert "<h1" in render_html(run.name, run.recipe, built)


def test_rows_are_measured_once_or_read() -> None:
    calls = []

    def measured(_: Seen) -> list[object]:
        calls.append(1)
        return list(MEASURES[-1].example())

    counted = dataclasses.replace(MEASURES[-1], name="counted", measured=measured)
    run = dataclasses.replace(seen(), from_run=object())
    assert run.rows(counted) is run.rows(counted)
    assert len(calls) == 1


def test_a_table_on_disk_is_what_is_seen(tmp_path: Path) -> None:
    run = load(write_run(tmp_path, tables=["costs"]))
    (costs,) = [measure for measure in MEASURES if measure.name == "costs"]
    assert run.rows(costs)
    assert all(not run.rows(measure) for measure in MEASURES if measure is not costs)


@EVERY
def test_a_measure_loads_heavy_libraries_only_to_measure(measure: Measure) -> None:
    """At the top of its file none; ``TYPE_CHECKING`` is another matter."""
    source = inspect.getsource(sys.modules[measure.measured.__module__])
    tops = [
        node for node in ast.parse(source).body if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    names = [
        name
        for node in tops
        for name in (
            [node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
        )
    ]
    heavy = (
        "numpy",
        "pyarrow",
        "scipy",
        "sklearn",
        "plotly",
        "manyways.metrics",
        "manyways.tables",
    )
    assert [name for name in names if name and name.startswith(heavy)] == []
