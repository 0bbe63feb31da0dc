"""Charts are plain dictionaries that Plotly accepts, and labels in them cannot become markup."""

import json

import pytest
from fake_run import write_run

from manyways.measures.catalogue import sections
from manyways.measures.seen import load
from manyways.records import Score
from manyways.reporting import Charts, charts


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    source = load(write_run(tmp_path_factory.mktemp("run"), seeds=(0, 1, 2)))
    groups = [b for s in sections(source) for b in s.blocks if isinstance(b, Charts)]
    return [chart for group in groups for chart in group.charts]


def colours_of(value):
    if isinstance(value, dict):
        for inner in value.values():
            yield from colours_of(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from colours_of(inner)
    elif isinstance(value, str) and value.startswith(("#", "rgba(")) and "explorer" not in value:
        yield value


def test_plotly_accepts_every_chart(made):
    from plotly import graph_objects

    for chart in made:
        graph_objects.Figure(chart.spec)


def test_charts_are_json_have_words_and_distinct_ids(made):
    assert len(made) > 15
    assert len({chart.id for chart in made}) == len(made)
    for chart in made:
        json.dumps(chart.spec, allow_nan=False)
        assert len(chart.alt) > 20, chart.id
        assert chart.height >= 100, chart.id


def test_every_colour_has_a_dark_twin(made):
    used = {colour for chart in made for colour in colours_of(chart.spec)}
    assert used
    assert used <= set(charts.dark_colours())


def contrast(a: str, b: str) -> float:
    """Contrast ratio of WCAG 2.2."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("pair", [charts.INK, charts.MUTED, *charts.HUES])
def test_colours_stand_out_from_both_pages(pair):
    assert contrast(pair[0], "#fdfdfc") >= 4.5  # they also write the names of heuristics
    assert contrast(pair[1], "#171c24") >= 4.5


def test_arms_differ_by_more_than_colour():
    assert len(set(charts.SYMBOLS)) == len(charts.SYMBOLS)
    assert len(set(charts.DASHES.values())) == 3


def test_an_interval_keeps_its_ends():
    score = Score(name="pass@1", value=0.5, low=0.4, high=0.7, n=9)
    mark = charts.Mark(score=score, colour="#0072b2", words="0.5")
    spec = charts.intervals([charts.Row(label="x", marks=(mark,))], axis="a")
    (trace,) = spec["data"]
    assert trace["x"] == [0.5]
    assert trace["error_x"]["array"] == pytest.approx([0.2])
    assert trace["error_x"]["arrayminus"] == pytest.approx([0.1])


def test_labels_are_shown_as_they_are():
    hostile = "<a href='javascript:alert(1)'>&<b>"
    line = charts.Curve(label=hostile, x=[1, 2], y=[0.1, 0.2], colour="#0072b2")
    bar = charts.Bar(name=hostile, values=[1], colour="#0072b2")
    called = charts.Bar(name="x", label=hostile, values=[1], colour="#0072b2")
    specs = (
        charts.curves([line], share=True, axes=("step", "")),
        charts.bars([hostile], [bar], axis="a"),
        charts.bars(["y"], [called], axis="a"),
        charts.intervals([charts.Row(label=hostile)], axis="a"),
    )
    for spec in specs:
        shown = [text for text in strings_of(spec) if "javascript" in text]
        assert shown
        assert all("<a" not in text for text in shown if text != hostile), shown


def strings_of(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            if key != "meta":  # read by our script only, never drawn
                yield from strings_of(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from strings_of(inner)
    elif isinstance(value, str):
        yield value


def test_share_axes_never_leave_zero_to_one():
    flat = charts.Curve(label="x", x=[1, 2], y=[0.0, 0.0], colour="#0072b2")
    low, high = charts.curves([flat], share=True, axes=("", ""))["layout"]["yaxis"]["range"]
    assert -0.01 < low <= 0 < high < 0.1
