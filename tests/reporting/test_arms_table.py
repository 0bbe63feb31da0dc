"""The comparison table: what it says, and that each format can be read back."""

import csv
import io
import re
from pathlib import Path

import pytest
from command_line import in_this_process
from fake_run import recipe_tree, score, summary, write_run

from manyways.measures import write_rows
from manyways.measures.benchmarks import MATH_MEAN, MATH_SETS, MEAN
from manyways.measures.pass_at_k import PassRow, build
from manyways.measures.seen import load
from manyways.recipe import dump_recipe, parse_recipe
from manyways.reporting.arms_table import MARK, tex, to_csv, to_latex, to_markdown

PAPER = (*MATH_SETS, "humaneval/test", "musr/team")


def paper_run(root: Path, benchmarks=PAPER, *, limit: int | None = None, means=(MATH_MEAN, MEAN)):
    """base, and vanilla and star with two seeds, on the paper's benchmarks."""
    arms = ("vanilla", "star")
    write_run(root, arms=arms, seeds=(0, 1))
    tree = recipe_tree(arms, (0, 1))
    tree["evaluate"] = {"benchmarks": list(benchmarks), "max_tokens": 3072, "attempts": 64}
    if limit:
        tree["evaluate"]["limit"] = limit
    (root / "recipe.toml").write_text(dump_recipe(parse_recipe(tree, "test")))
    names = {
        "base": ("base", None, "base", 0.1),
        "vanilla/rl": ("vanilla", None, "rl", 0.2),
        "star/mid": ("star", None, "mid", 0.12),
        "star/rl": ("star", None, "rl", 0.2),
    }
    names |= {f"{arm}/seed-{s}/rl": (arm, s, "rl", 0.2) for arm in arms for s in (0, 1)}
    names["star/seed-1/mid"] = ("star", 1, "mid", 0.12)
    rows = [
        PassRow(
            checkpoint=name, arm=arm, seed=seed, phase=phase, benchmark=benchmark, k=k,
            attempts=1920, score=score(f"pass@{k}", value + 0.3 * (k == 64), 30),
        )
        for name, (arm, seed, phase, value) in names.items()
        for benchmark in (*benchmarks, *means)
        for k in (1, 2, 64)
    ]  # fmt: skip
    write_rows(root / "7-tables" / "pass_at_k.json", rows)
    return load(root)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return paper_run(tmp_path_factory.mktemp("paper"))


def test_rows_are_arms_and_columns_benchmarks(source):
    table = build(source)
    assert [(row.label, row.seeds) for row in table.rows] == [
        ("base model", None), ("vanilla · after RL", 2), ("star · mid-trained", 1),
        ("star · after RL", 2),
    ]  # fmt: skip
    assert [(c.benchmark, c.k) for c in table.columns] == [
        (benchmark, k) for benchmark in (*PAPER, MATH_MEAN, MEAN) for k in (1, 64)
    ]
    assert table.best(0) == {1, 3}, "a tie in print is a tie"
    for part in ("1 and 2 training seeds", "64 attempts", "aime24/test 30", "3072 tokens"):
        assert part in table.caption


def test_datasets_figures_only_beside_the_papers_benchmarks(tmp_path, source):
    published = build(source).published
    assert [column[0] for column in published.columns] == [
        MATH_MEAN, "aime25/test", "amc23/test", "math500/test", "humaneval/test", "musr/team",
    ]  # fmt: skip
    assert dict(published.rows)["RL only"] == (44.21, 16.91, 78.18, 83.42, 51.14, 23.46)
    assert dict(published.rows)["Polya n=16 + RL"] == (48.09, *[None] * 5)
    assert build(paper_run(tmp_path / "a", limit=5)).published is None
    assert build(paper_run(tmp_path / "b", MATH_SETS[1:], means=(MEAN,))).published is None
    assert build(load(write_run(tmp_path / "c"))).published is None


def test_the_six_alone_are_their_own_mean(tmp_path):
    table = build(paper_run(tmp_path, MATH_SETS, means=(MEAN,)))
    assert table.columns[-1].benchmark == MEAN
    assert table.published.columns[0] == (MATH_MEAN, "pass@64")


def test_markdown(source):
    text = to_markdown(build(source))
    ours, published = text.split("**Published figures, not measured here")
    assert "2605.08472" in published
    assert "secondary summaries" in published
    for block in (ours, published):
        lines = [line for line in block.splitlines() if line.startswith("|")]
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
    row = next(line for line in ours.splitlines() if line.startswith("| star · after RL"))
    assert row.startswith(r"| star · after RL | 2 | **20.0** \[")
    bare = to_markdown(build(source), intervals=False)
    assert "| star · after RL | 2 | **20.0** | **50.0** |" in bare
    assert "brackets" not in bare
    assert "44.21" not in ours


def test_csv_reads_back(source):
    lines = list(csv.DictReader(io.StringIO(to_csv(build(source)))))
    star = next(line for line in lines if line["row"] == "star · after RL")
    assert float(star["aime24/test pass@64"]) == 50.0
    assert float(star["aime24/test pass@64 low"]) < 50 < float(star["aime24/test pass@64 high"])
    assert (star["source"], star["seeds"], star["mean pass@1 problems"]) == ("measured", "2", "30")
    quoted = [line for line in lines if line["source"] == MARK]
    only = next(line for line in quoted if line["row"] == "RL only")
    assert only[f"{MATH_MEAN} pass@64"] == "44.21"
    assert (only["aime25/test pass@64"], only["aime25/test pass@64 low"]) == ("16.91", "")
    assert only["humaneval/test k not stated"] == "51.14"
    assert not any(None in line or None in line.values() for line in lines)


@pytest.mark.parametrize("intervals", [True, False])
def test_latex_is_well_formed(source, intervals):
    text = to_latex(build(source), intervals=intervals)
    assert text.count(r"\begin{table*}") == text.count(r"\end{table*}") == 2
    for part in text.split(r"\end{table*}")[:2]:
        columns = re.search(r"\\begin\{tabular\}\{(\w+)\}", part)[1]
        body = part[part.index(r"\toprule") : part.index(r"\bottomrule")]
        rows = [line for line in body.splitlines() if line.endswith(r"\\")]
        assert len(rows) > 4
        for row in rows:
            spans = [int(n) - 1 for n in re.findall(r"\\multicolumn\{(\d+)\}", row)]
            assert row.count("&") + 1 + sum(spans) == len(columns), row
        for rule in (r"\toprule", r"\midrule", r"\bottomrule"):
            assert part.count(rule) == 1
    bare = re.sub(r"\\.", "", text)
    assert bare.count("{") == bare.count("}")
    assert not re.search(r"[%#_]", re.sub(r"^%.*", "", bare)), "unescaped"
    assert r"\textbf{20.0}" in text
    assert (r"{\scriptsize[" in text) is intervals


def test_latex_escapes_everything():
    assert tex(r"a_b & 50% {x} #1 $2 ~ ^ \o") == (
        r"a\_b \& 50\% \{x\} \#1 \$2 \textasciitilde{} \textasciicircum{} \textbackslash{}o"
    )


def test_the_command_and_the_report_write_the_same(tmp_path, capsys):
    from manyways.stages import report

    source = paper_run(tmp_path / "run")
    report.render(tmp_path / "run")
    for style, name in (("markdown", "md"), ("csv", "csv"), ("latex", "tex")):
        outcome = in_this_process(capsys, "table", tmp_path / "run", "--format", style)
        assert outcome.code == 0, outcome.err
        assert outcome.out == (tmp_path / "run/7-tables" / f"comparison.{name}").read_text()
    out = tmp_path / "deep" / "table.tex"
    arguments = ("--format", "latex", "--no-intervals", "--out", out)
    assert in_this_process(capsys, "table", tmp_path / "run", *arguments).out == ""
    assert out.read_text() == to_latex(build(source), intervals=False)
    assert "**Published, not measured here**" in summary(source)


def test_a_run_without_scores_is_refused(tmp_path, capsys):
    root = write_run(tmp_path / "run", tables=())
    outcome = in_this_process(capsys, "table", root)
    assert (outcome.code, outcome.out) == (2, "")
    assert "no scores yet" in outcome.err
    assert "No checkpoint was evaluated." in to_latex(build(load(root)))
