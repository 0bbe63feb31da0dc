"""D4 needs parts that were trained apart: when it can be measured, and what it then says."""

from pathlib import Path

import pytest
from made_runs import attempt, context, put_evaluation

from manyways.metrics.resampling import Resampling
from manyways.records import Problem
from manyways.stages.analysis.contrasts import policies
from manyways.stages.analysis.evaluated import evaluations
from manyways.stages.analysis.transfer import Apart, found_apart, parts_apart, transfer_row
from manyways.stages.analysis.ways import Reader, labelled

TEST = "made_runs:load/test?count=12"


def problem(name: str, operations: str) -> Problem:
    tags = {"operations": operations} if operations else {}
    return Problem(id=name, question="?", answer="1", tags=tags)


SINGLE = [problem("t/0", "sum"), problem("t/1", "product")]


@pytest.mark.parametrize(
    ("trained", "asked", "why"),
    [
        ([problem("t/0", "")], "sum product", "do not say which parts a problem has"),
        ([*SINGLE, problem("t/2", "sum rule")], "sum product", "1 of the 3 problems trained on"),
        (SINGLE, "sum", "no benchmark joins the parts trained on"),
        (SINGLE, "sum rule", "no benchmark joins the parts trained on"),
        (SINGLE, "sum product", ""),
    ],
)
def test_what_it_needs(trained, asked: str, why: str) -> None:
    apart = found_apart(trained, {"bench": [problem("b/0", asked)]})
    assert why in apart.why
    assert apart.joined == (frozenset() if why else {"bench b/0"})


def test_sets_without_tags_cannot_tell(tmp_path: Path) -> None:
    assert "tag 'operations'" in parts_apart(context(tmp_path)).why


def test_only_joined_problems_count(tmp_path: Path) -> None:
    ctx = context(tmp_path, arms=("heuristics-2",))
    for phase, text in (("mid", "<a> x\n<a> y"), ("rl", "<a> x\n<b> y")):
        rows = [
            attempt(f"made/test/{i:03d}", sample=n, text=text if i < 6 else "<a> x")
            for i in range(12)
            for n in range(2)
        ]
        put_evaluation(ctx, f"heuristics-2/seed-0/{phase}", TEST, rows)
    reader = Reader(ctx.labeller)
    found = policies([labelled(evaluation, reader) for evaluation in evaluations(ctx)])
    before, after = found["heuristics-2/mid"], found["heuristics-2/rl"]
    joined = frozenset(f"{TEST} made/test/{i:03d}" for i in range(6))
    row = transfer_row(before, after, Apart(joined=joined), Resampling(resamples=50))
    assert row.measured.value == pytest.approx(1.0)
    assert (row.measured.n, row.outcome) == (6, "agrees")
    row = transfer_row(before, after, Apart(joined=frozenset({"x"})), Resampling(resamples=50))
    assert row.measured is None
    assert row.note.startswith("cannot be measured here because no such problem has attempts")
