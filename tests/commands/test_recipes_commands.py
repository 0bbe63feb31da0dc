"""The reference of recipe keys is complete, and the page in docs is what the command prints."""

import json
from pathlib import Path

import pytest

from manyways.commands.recipes import print_keys, print_schema, tables
from manyways.errors import UserError
from manyways.recipe.tree import Recipe

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    print_keys(None, markdown=True)
    assert capsys.readouterr().out == (ROOT / "docs" / "recipe.md").read_text(encoding="utf-8")


def test_every_key_is_there_and_says_what_it_means() -> None:
    found = {table.path: table for table in tables()}
    named = {path.partition(".")[0] for path in found}
    assert {"", *Recipe.model_fields} <= named | {key.name for key in found[""].keys}
    assert {"model.http", "rl.verl", "select.judge", "midtrain.lora"} <= set(found)
    assert found["rl.lora"].like == "midtrain.lora"
    assert all(table.keys or table.like for table in found.values())
    texts = [key.meaning for table in found.values() for key in table.keys]
    assert min(map(len, texts)) > 5


def test_kinds_and_defaults() -> None:
    rl = {key.name: key for table in tables() if table.path == "rl" for key in table.keys}
    assert (rl["group_size"].kind, rl["group_size"].default) == ("integer, at least 2", "16")
    assert rl["steps"].default == "required"
    assert rl["limit"].default == ""
    assert rl["scale_rewards"].kind == '"group", "batch", "none"'


def test_one_table_with_what_is_within_it(capsys: pytest.CaptureFixture[str]) -> None:
    print_keys("rl", markdown=False)
    out = capsys.readouterr().out
    heads = [line.split("  ")[0] for line in out.splitlines() if line.startswith("[")]
    assert heads == ["[rl]", "[rl.stop]", "[rl.lora]", "[rl.verl]"]
    assert 'loss_type = "dapo"' in out


def test_a_wrong_table_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match="Did you mean 'midtrain'"):
        print_keys("midtrian", markdown=False)


def test_the_schema_knows_every_key_and_its_meaning(capsys) -> None:
    print_schema()
    told = json.loads(capsys.readouterr().out)
    places = [told, *told["$defs"].values()]
    keys = [key for place in places for key in place["properties"].values()]
    assert all("description" in key or "$ref" in str(key) for key in keys)
    assert all("description" in place for place in places)
    assert "steps" in told["$defs"]["RLConfig"]["properties"]
    assert not any("required" in place for place in places)


def test_a_key_is_found_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    print_keys("rl.steps", markdown=False)
    out = capsys.readouterr().out
    assert out.startswith("[rl]")
    assert "steps    (integer" in out
    assert "group_size    (" not in out
    print_keys("steps", markdown=False)
    out = capsys.readouterr().out
    assert "[rl]" in out and "[midtrain]" in out
    with pytest.raises(UserError, match="Did you mean 'rl\\.steps'"):
        print_keys("rl.stepps", markdown=False)
