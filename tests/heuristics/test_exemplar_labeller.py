from dataclasses import replace

import pytest

from manyways.errors import DataError
from manyways.heuristics import load_pack
from manyways.heuristics.exemplar_labeller import load, split_steps
from manyways.records import Exemplar, Heuristic


def heuristic(name: str, *solutions: str) -> Heuristic:
    exemplars = tuple(Exemplar(question="q", solution=s, answer="1") for s in solutions)
    return Heuristic(
        id=name, name=name, family="f", question="q?", instruction=f"Use {name}.",
        exemplars=exemplars,
    )  # fmt: skip


PACK = (
    heuristic("backwards", "At the end she holds 7.\nBefore the snack she held 7 * 2 = 14."),
    heuristic("cases", "Case 1: rest 50, no.\nCase 2: rest 36, yes."),
    heuristic("equation", "Let x be the price of a jacket.\nSo 3x = 12 and x = 4."),
)


def test_a_step_in_the_words_of_an_exemplar_is_labelled() -> None:
    text = "Case 1: rest 9, yes.\nBefore the bus she held 3.\nThe answer is \\boxed{3}."
    labels = [segment.heuristic for segment in load(PACK).segments(text)]
    assert labels == ["cases", "backwards", None]


def test_unknown_words_are_neutral() -> None:
    labeller = load(PACK)
    assert [s.heuristic for s in labeller.segments("Zebras graze quietly.")] == [None]
    assert labeller.adherence("Zebras graze quietly", PACK[0]) == pytest.approx(0.5)


def test_adherence_is_high_for_the_own_way_and_low_for_others() -> None:
    labeller = load(PACK)
    text = "Case 1: rest 12, no. Case 2: rest 4, yes."
    own, *others = (labeller.adherence(text, PACK[i]) for i in (1, 0, 2))
    assert own > 0.8
    assert max(others) < 0.3


def test_figures_do_not_matter() -> None:
    labeller = load(PACK)
    one, two = "Case 1: rest 1234.", "Case 7: rest 5.5."
    assert labeller.adherence(one, PACK[1]) == labeller.adherence(two, PACK[1])


def test_texts_without_steps_and_strangers_follow_nothing() -> None:
    labeller = load(PACK)
    assert labeller.segments(" \n ") == []
    assert labeller.adherence("", PACK[0]) == 0.0
    assert labeller.adherence("Case 1.", heuristic("other", "x")) == 0.0


def test_a_pack_of_one_and_an_empty_pack() -> None:
    assert load(PACK[:1]).adherence("anything", PACK[0]) == 1.0
    assert load(PACK[:1]).segments("anything")[0].heuristic == "backwards"
    with pytest.raises(DataError, match="at least one"):
        load(())


def test_the_order_of_the_pack_does_not_matter() -> None:
    text = "Let y be the price. Before that, case 1."
    one, two = load(PACK), load(PACK[::-1])
    assert one.segments(text) == two.segments(text)
    assert one.adherence(text, PACK[2]) == pytest.approx(two.adherence(text, PACK[2]))


def test_steps_are_lines_and_sentences_but_decimals_stay_whole() -> None:
    text = "It costs 3.50 each. Then 2 * 3.5 = 7.\n\nDone; So it is 7."
    assert split_steps(text) == ["It costs 3.50 each.", "Then 2 * 3.5 = 7.", "Done;", "So it is 7."]


LISTED = """To determine the total number of clips, we need to follow these steps:

1. Calculate the number of clips sold in April.
2. Calculate the number of clips sold in May.

Therefore, the number of clips sold in May is:
\\[
\\frac{48}{2} = 24
\\]"""
HEADED = """**Step 1: Determine the number of clips sold in April.**
- Let \\( x \\) be the number of clips.
- Mr. Smith sold half as many:
  \\[
  x + \\frac{x}{2} = 48
  \\]

**Step 2:**
Solve the equation. """
CODED = """Let's implement this in Python:
```python
# Calculate the pages
pages = 3 * 2
print(pages)
```
```output
6
```
The total is \\(\\boxed{6}\\)."""
REAL = {
    "a numbered list": (LISTED, [
        "To determine the total number of clips, we need to follow these steps:",
        "1. Calculate the number of clips sold in April.",
        "2. Calculate the number of clips sold in May.",
        "Therefore, the number of clips sold in May is:",
        "\\[\n\\frac{48}{2} = 24\n\\]",
    ]),
    "headings, bullets, a title": (HEADED, [
        "**Step 1: Determine the number of clips sold in April.**",
        "- Let \\( x \\) be the number of clips.",
        "- Mr. Smith sold half as many:",
        "\\[\n  x + \\frac{x}{2} = 48\n  \\]",
        "**Step 2:**\nSolve the equation.",
    ]),
    "a program": (CODED, [
        "Let's implement this in Python:",
        "```python\n# Calculate the pages",
        "pages = 3 * 2",
        "print(pages)\n```",
        "```output\n6\n```",
        "The total is \\(\\boxed{6}\\).",
    ]),
    "marks within a line and alone": (
        "Step 1. Find it. A. Five.\n(b)\nCheck it.\n### Step 3",
        ["Step 1. Find it.", "A. Five.", "(b)\nCheck it.\n### Step 3"],
    ),
}  # fmt: skip
"""In the style of a real model: what stands alone between line and sentence ends is no step."""


@pytest.mark.parametrize("name", REAL)
def test_marks_headings_and_formulas_are_no_steps_of_their_own(name: str) -> None:
    text, steps = REAL[name]
    assert split_steps(text) == steps


@pytest.mark.parametrize("text", ["It is 3.\n4.", "1.", "\\[", "Case 1.", "Then\n\\[\nx = 1"])
def test_no_word_of_a_text_is_lost_where_it_is_cut_off(text: str) -> None:
    assert "".join("".join(split_steps(text)).split()) == "".join(text.split())


def test_it_names_most_unseen_exemplars_of_a_real_pack() -> None:
    pack = load_pack("pocket", 8)
    right = 0
    for out in (0, 1):
        seen = [replace(h, exemplars=(h.exemplars[1 - out],)) for h in pack]
        labeller = load(seen)
        for h in pack:
            scores = {o.id: labeller.adherence(h.exemplars[out].solution, o) for o in pack}
            right += max(scores, key=scores.__getitem__) == h.id
    assert right >= 12
