"""How a problem set is named, and what a loaded set says about itself."""

import json
from pathlib import Path

import pytest

from manyways.errors import DataError, UserError
from manyways.heuristics import instruction_for
from manyways.problems import load_problems, load_set, split_name
from manyways.records import Problem


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("gsm8k/train", ("gsm8k", "train", {})),
        ("dapo-math-17k/train?lang=all", ("dapo-math-17k", "train", {"lang": "all"})),
        (
            "file:/data/my set/a.b.jsonl?question=q",
            ("file", "/data/my set/a.b.jsonl", {"question": "q"}),
        ),
        ("hub:me/sums?split=test", ("hub", "me/sums", {"split": "test"})),
        ("reasoning-gym:chain_sum?seed=1", ("reasoning-gym", "chain_sum", {"seed": "1"})),
        ("reasoning-gym/chain_sum", ("reasoning-gym", "chain_sum", {})),
        ("my.module:load/train", ("my.module:load", "train", {})),
    ],
)
def test_names(name: str, parts: tuple[str, str, dict[str, str]]) -> None:
    assert split_name(name) == parts


@pytest.mark.parametrize("name", ["gsm8k", "gsm8k/", "gsm8k/train?lang", "file:", ""])
def test_incomplete_names_are_refused(name: str) -> None:
    with pytest.raises(DataError, match="problem set"):
        split_name(name)


def test_an_unknown_set_names_the_nearest() -> None:
    with pytest.raises(UserError, match="Did you mean 'gsm8k'"):
        load_problems("gsm8/train")


def test_provenance_is_of_the_whole_set_and_can_be_written() -> None:
    few, many = load_set("pocket/seed?count=20", limit=3), load_set("pocket/seed?count=20")
    assert len(few.problems) == 3
    assert few.total == many.total == 20
    assert few.fingerprint == many.fingerprint
    assert json.loads(json.dumps(few.provenance()))["loaded"] == 3
    assert few.problems == many.problems[:3]


def test_a_set_of_the_users_own_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_sums.py").write_text(
        "from manyways.records import Problem\n"
        "def load(split, source):\n"
        "    source.notes['origin'] = 'my head'\n"
        "    return [Problem(id=f'mine/{split}/0', question='1 + 1?', answer='2')]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    loaded = load_set("my_sums:load/dev")
    assert [p.id for p in loaded.problems] == ["mine/dev/0"]
    assert loaded.origin == "my head"


def test_programs_are_asked_for_as_programs_and_nothing_else_changes() -> None:
    program = Problem(
        id="x/y/0", question="", answer="", verifier="python_tests", entry_point="add_up"
    )
    assert "add_up" in instruction_for(program, "Box it.")
    assert "```python" in instruction_for(program, "Box it.")
    assert instruction_for(Problem(id="x/y/0", question="", answer=""), "Box it.") == "Box it."


@pytest.mark.parametrize("name", ["mine.jsonl", "data/mine.jsonl?question=q"])
def test_a_bare_file_is_told_how_to_name_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    place = tmp_path / name.partition("?")[0]
    place.parent.mkdir(exist_ok=True)
    place.touch()
    with pytest.raises(DataError, match="is a file: for problems of your own write 'file:"):
        load_problems(name)
