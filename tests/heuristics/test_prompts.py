"""Prompts under a heuristic: what each layout says, and where a pack's own comes from."""

from itertools import product

import pytest

from manyways.errors import DataError
from manyways.heuristics import Layout, PromptFormat, load_layout
from manyways.records import Exemplar, Heuristic

WAY = Heuristic(
    id="a",
    name="Alpha",
    family="f",
    question="?",
    instruction="Do it so.",
    exemplars=(
        Exemplar(question="One?", solution="It is \\boxed{1}", answer="1"),
        Exemplar(question="Two?", solution="It is \\boxed{2}", answer="2"),
    ),
)


def texts(place, exemplars, shots):
    layout = Layout(place=place, exemplars=exemplars)
    form = PromptFormat(instruction="Box it.", layout=layout)
    return [(m.role, m.content) for m in form.under(WAY, "Three?", shots=shots)]


def test_the_first_layout_describes_the_heuristic_once_before_everything():
    assert texts("before", "turns", 1) == [
        ("user", "Alpha: Do it so.\n\nOne?\n\nBox it."),
        ("assistant", "It is \\boxed{1}"),
        ("user", "Three?\n\nBox it."),
    ]


def test_a_heuristic_behind_the_question_stands_before_the_answers_form():
    assert texts("after", "turns", 0) == [
        ("user", "Three?\n\nUse this way. Alpha: Do it so.\n\nBox it.")
    ]
    assert texts("both", "message", 1) == [
        (
            "user",
            "Alpha: Do it so.\n\nExample problem: One?\n\nSolution:\nIt is \\boxed{1}\n\n"
            "The problem to solve: Three?\n\nUse this way. Alpha: Do it so.\n\nBox it.",
        )
    ]


@pytest.mark.parametrize(
    ("place", "exemplars"), list(product(["before", "after", "both"], ["turns", "message"]))
)
def test_every_layout_says_the_heuristic_the_exemplars_the_problem_and_the_form(place, exemplars):
    said = texts(place, exemplars, 2)
    assert [role for role, _ in said][::2] == ["user"] * (len(said) // 2 + 1)
    last = said[-1][1]
    assert "Three?" in last and last.endswith("Box it.")
    whole = "\n".join(content for _, content in said)
    named = {"before": 1, "after": 3 if exemplars == "turns" else 1, "both": 2}[place]
    assert whole.count("Alpha: Do it so.") == named
    assert whole.count("It is \\boxed{1}") == whole.count("It is \\boxed{2}") == 1
    assert texts(place, exemplars, 0)[-1][1].count("Three?") == 1


def test_a_pack_says_how_its_prompts_are_laid_out(tmp_path):
    pack = tmp_path / "mine.toml"
    pack.write_text('[prompt]\nplace = "both"\n')
    assert load_layout(str(pack)) == Layout(place="both", exemplars="turns")
    assert load_layout("pocket") == Layout(place="before", exemplars="turns")
    for table, told in (
        ('place = "under"', "place"),
        ("shot = 1", "unknown keys"),
    ):
        pack.write_text(f"[prompt]\n{table}\n")
        with pytest.raises(DataError, match=told):
            load_layout(str(pack))
