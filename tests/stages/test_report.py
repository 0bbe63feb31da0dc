"""The report stage writes both files whole, once, and again when what it shows changes."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from fake_run import write_run

from manyways.errors import RunDirError
from manyways.measures import Finding, read_rows, write_rows
from manyways.recipe import load_recipe
from manyways.recipe.tree import Recipe
from manyways.run_dir import RunDir, open_for_writing
from manyways.stages import report


@dataclass(frozen=True)
class FakeContext:
    """What the report stage uses of a context."""

    recipe: Recipe
    run: RunDir


@pytest.fixture
def context(tmp_path):
    root = write_run(tmp_path / "run")
    with open_for_writing(root) as run:
        yield FakeContext(recipe=load_recipe(root / "recipe.toml"), run=run)


def times(context):
    return [context.run.path(name).stat().st_mtime_ns for name in (report.PAGE, report.SUMMARY)]


def test_both_files_a_stamp_and_where_they_are(context, capsys):
    report.run(context)
    page = context.run.path("report.html")
    assert str(page) in capsys.readouterr().err.replace("\n", "")
    stamp = context.run.stamp("report")
    assert stamp is not None
    assert stamp.counts["bytes"] == page.stat().st_size
    assert context.run.path("report.md").read_text().startswith("# Did learning many ways")
    assert report.plan(context).done


def test_a_finished_report_is_left_alone(context, capsys):
    report.run(context)
    before = times(context)
    report.run(context)
    assert times(context) == before
    assert "report.html" in capsys.readouterr().err.replace("\n", "")


def test_a_changed_table_makes_it_anew_and_leaves_no_stale_copy(context):
    report.run(context)
    write_rows(context.run.path("7-tables", "pass_at_k.json"), [])
    assert "tables" in report.plan(context).why
    report.run(context)
    assert "Nothing has been evaluated yet" in context.run.path("report.md").read_text()
    assert not context.run.path("stale").exists()


def test_what_an_earlier_release_said_of_the_tables_is_not_shown(context):
    file = context.run.path("7-tables", "findings.json")
    write_rows(file, [Finding(kind="main", sentence="Yes: as it was said once.")])
    report.run(context)
    told = [finding.sentence for finding in read_rows(file, Finding)]
    assert told[0].startswith("Partly: RL after learning many ways")
    for name in (report.PAGE, report.SUMMARY):
        assert "as it was said once" not in context.run.path(name).read_text()


def test_a_changed_recipe_or_new_work_makes_it_anew(context):
    report.run(context)
    changed = replace(context, recipe=context.recipe.model_copy(update={"name": "other"}))
    assert "recipe" in report.plan(changed).why
    with context.run.work("evaluate", identity={}, outputs=()):
        pass
    assert "work" in report.plan(context).why


def test_a_renamed_folder_makes_it_anew_under_its_name(context):
    report.run(context)
    elsewhere = context.run.root.rename(context.run.root.with_name("other name"))
    moved = replace(context, run=replace(context.run, root=elsewhere))
    report.run(moved)
    assert "other name" in moved.run.path("report.md").read_text()
    assert report.plan(moved).done


def test_a_missing_file_is_made_again(context):
    report.run(context)
    context.run.path("report.md").unlink()
    assert "output missing" in report.plan(context).why
    report.run(context)
    assert context.run.path("report.md").is_file()


def test_render_needs_only_the_folder_and_is_repeatable(tmp_path):
    root = write_run(tmp_path / "run")
    report.render(root)
    first = (root / "report.html").read_bytes(), (root / "report.md").read_bytes()
    report.render(root)
    assert ((root / "report.html").read_bytes(), (root / "report.md").read_bytes()) == first


def test_render_refuses_what_is_no_run_folder(tmp_path):
    with pytest.raises(RunDirError, match="not a run folder"):
        report.render(tmp_path)


def test_a_change_of_what_measures_or_draws_makes_it_anew(context, tmp_path, monkeypatch):
    report.run(context)
    for package in (report.measures, report.reporting):
        copy = tmp_path / package.__name__
        shutil.copytree(Path(package.__file__).parent, copy)
        monkeypatch.setattr(package, "__file__", str(copy / "__init__.py"))
        assert report.plan(context).done, "the same text elsewhere"
        with (copy / "__init__.py").open("a") as file:
            file.write("\n")
        assert not report.plan(context).done
        monkeypatch.undo()
