"""A finished run of an earlier release is reported by the rules of this one."""

import json
from pathlib import Path

import pytest
from command_line import in_this_process
from made_runs import attempt, context, put_evaluation, put_pool

from manyways.commands.run import look_again
from manyways.errors import RunDirError
from manyways.measures import read_rows
from manyways.measures.yields import YieldRow
from manyways.recipe import dump_recipe
from manyways.stages import analyse
from manyways.tables import write_text


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """Analysed under another format: its yield has a column of its own and its answer is a Yes."""
    ctx = context(tmp_path / "run")
    put_pool(ctx, [])
    write_text(ctx.run.path("recipe.toml"), dump_recipe(ctx.recipe))
    analyse.run(ctx)
    ctx.close()
    stamp = ctx.run.path("stamps", "analyse.json")
    made = json.loads(stamp.read_text())
    made["identity"]["format"] -= 1
    stamp.write_text(json.dumps(made))
    said = [{"kind": "main", "sentence": "Yes: as it was said once."}]
    ctx.run.path("7-tables", "findings.json").write_text(json.dumps(said))
    ctx.run.path("7-tables", "yield.json").write_text('[{"way": "a", "right": 3}]')
    return tmp_path / "run"


def test_its_tables_are_made_anew_and_its_answer_is_not_repeated(earlier: Path) -> None:
    look_again(earlier, "report")
    assert read_rows(earlier / "7-tables" / "yield.json", YieldRow) == []
    told = (earlier / "report.md").read_text()
    assert "as it was said once" not in told
    assert "Nothing has been evaluated yet" in told


def test_a_page_of_old_tables_says_so_before_all_else(tmp_path: Path, capsys) -> None:
    """Tables made before new attempts: reported as they are, with what renews them."""
    run = tmp_path / "my run"
    ctx = context(run)
    put_pool(ctx, [])
    write_text(ctx.run.path("recipe.toml"), dump_recipe(ctx.recipe))
    analyse.run(ctx)
    put_pool(ctx, [attempt("p/0")])
    ctx.close()
    look_again(run, "report")
    renew = "`manyways analyse 'my run'`, then `manyways report 'my run'`"
    _, _, *told = (run / "report.md").read_text().splitlines()
    assert renew in told[2] and "The numbers of this page are old" in told[2]
    page = (run / "report.html").read_text()
    assert page.index("The numbers of this page are old") < page.index("<h1")
    assert "do not hold all that is in the run yet" in capsys.readouterr().err
    for stage in ("analyse", "report"):
        look_again(run, stage)
    for name in ("report.md", "report.html"):
        assert "numbers of this page are old" not in (run / name).read_text()


def test_a_table_of_old_numbers_says_so_on_stderr(tmp_path: Path, capsys) -> None:
    run = tmp_path / "my run"
    ctx = context(run)
    put_pool(ctx, [])
    benchmark = ctx.recipe.evaluate.benchmarks[0]
    tried = [attempt(f"made/test/{i:03d}", sample=n) for i in range(12) for n in range(4)]
    put_evaluation(ctx, "base", benchmark, tried)
    write_text(ctx.run.path("recipe.toml"), dump_recipe(ctx.recipe))
    analyse.run(ctx)
    fresh = in_this_process(capsys, "table", run)
    assert (fresh.code, "old" in fresh.err) == (0, False), fresh.err
    put_pool(ctx, [attempt("made/seed/001")])
    ctx.close()
    late = in_this_process(capsys, "table", run)
    assert (late.code, late.out) == (0, fresh.out), "the numbers are printed as they are"
    assert "The numbers of this table are old" in late.err
    assert f"`manyways analyse '{run}'` renews them" in late.err
    look_again(run, "analyse")
    capsys.readouterr()
    assert "old" not in in_this_process(capsys, "table", run).err


def test_a_table_of_an_earlier_release_says_so(earlier: Path, capsys) -> None:
    analyse.say_behind(context(earlier), "this table")
    assert "The numbers of this table are old" in capsys.readouterr().err


def test_rows_that_are_not_ours_are_an_error_that_says_what_to_do(earlier: Path) -> None:
    with pytest.raises(RunDirError, match="is damaged or was written by another rel"):
        read_rows(earlier / "7-tables" / "yield.json", YieldRow)


def test_a_run_that_was_cut_short_before_its_analysis_is_reported_with_its_counts(
    tmp_path: Path,
) -> None:
    ctx = context(tmp_path / "run")
    put_pool(ctx, [])
    write_text(ctx.run.path("recipe.toml"), dump_recipe(ctx.recipe))
    ctx.close()
    look_again(tmp_path / "run", "report")
    assert (tmp_path / "run" / "7-tables" / "arms.json").is_file()
    assert "not begun; `manyways run run`" in (tmp_path / "run" / "report.md").read_text()
