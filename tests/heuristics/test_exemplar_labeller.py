import time
from dataclasses import replace

import pytest

from manyways.errors import DataError
from manyways.heuristics import load_pack
from manyways.heuristics.exemplar_labeller import has_working, load, split_steps
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
    assert load(PACK[:1]).adherence("any text will do", PACK[0]) == 1.0
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


CLIPS = (
    "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in "
    "May. How many clips did Natalia sell altogether in April and May?"
)
LETTERS = (
    "James writes a 3-page letter to 2 different friends twice a week.  How many pages does he "
    "write a year?"
)
WENG = (
    "Weng earns $12 an hour for babysitting. Yesterday, she just did 50 minutes of babysitting. "
    "How much did she earn?"
)
PAGES = (
    "Julie is reading a 120-page book. Yesterday, she was able to read 12 pages and today, she "
    "read twice as many pages as yesterday. If she wants to read half of the remaining pages "
    "tomorrow, how many pages should she read?"
)
VASE = (
    "The vase was whole when the cleaner left the gallery at 3:20 and broken when the guard came "
    "by at 4:00. Lotte was in the café from 3:10 until she walked her aunt to the 3:55 bus. Marten "
    "arrived in the gallery at 3:45 and was thrown out five minutes later for shouting. Nils "
    "signed the visitors' book at 4:05, as he came in. Who can have broken the vase?\n"
    "A) Lotte\nB) Marten\nC) Nils"
)
APPLES = "小明有48个苹果,送给朋友一半。他还剩多少个苹果?"
SQUARE = "Solve $x^2 - 5x + 6 = 0$."
CUP = "64 teams play a knockout tournament. How many games are played?"
TURNIER = "Ein Turnier hat 64 Mannschaften. Wie viele Spiele gibt es?"
BARE = [
    ("", ""), ("", " \n"), ("", "\\boxed{20}"), ("", "The final answer is 72."),
    (CLIPS, "\\boxed{20}"), (CLIPS, "#### 72"), (CLIPS, "**72**"), (CLIPS, "Answer: 72"),
    (CLIPS, "x = 72\n\\boxed{72}"), (CLIPS, "La respuesta es \\boxed{72}."),
    (CLIPS, "Natalia sold 72 clips altogether in April and May. \\boxed{72}"),
    (CLIPS, "How many clips did Natalia sell altogether?\n\\boxed{72}"),
    (CLIPS, "Sure, here is the solution:\n\\boxed{72}"),
    (CLIPS, "Working backwards, the answer is \\boxed{72}."),
    (CLIPS, "Start from the final state and undo the events one at a time. \\boxed{72}"),
    (LETTERS, "James writes a \\boxed{3} page letter to 2 different friends twice a week."),
    (WENG, "21"), (WENG, "Therefore, Weng earned \\(\\boxed{20}\\) dollars yesterday."),
    (PAGES, "Julie should read \\boxed{45} pages tomorrow."),
    (VASE, "B) Marten"), (VASE, "Marten arrived in the gallery at 3:45. The answer is \\boxed{B}."),
    (SQUARE, "\\(x^2-5x+6=0\\)\n\\boxed{2,3}"),
    (APPLES, "小明有48个苹果,送给朋友一半。\\boxed{24}"), (APPLES, "答案是 \\boxed{24}。"),
]  # fmt: skip
"""(question, text): the question said again, the instruction said again, an answer."""
WORKED = [
    (CLIPS, "48/2 = 24, 48 + 24 = 72. \\boxed{72}"), (CLIPS, "48/2 = 24, 48 + 24 = 72."),
    (CLIPS, "48 + 24 = \\boxed{72}"), (CLIPS, "\\(48+\\frac{48}{2}=72\\)"),
    (CLIPS, "Half of 48 is 24, together 72."),
    (CLIPS, "Twenty-four in May, so seventy-two in all. \\boxed{72}"),
    (LETTERS, "He writes 12 pages a week. \\boxed{624}"),
    (SQUARE, "(x-2)(x-3)=0, so x = 2 or 3. \\boxed{2,3}"),
    (VASE, "Between 3:20 and 4:00 only Marten is in the gallery, so it was Marten. \\boxed{B}"),
    (VASE, "Lotte was at the bus and Nils came too late. \\boxed{B}"),
    (CUP, "Since every team but the champion loses once, there are \\boxed{63} games."),
    (TURNIER, "Jedes Spiel wirft eine Mannschaft hinaus, nur der Sieger bleibt. \\boxed{63}"),
    (APPLES, "48的一半是24,所以还剩24个。\\boxed{24}"), (APPLES, "48÷2=24。\\boxed{24}"),
    ("Сколько будет, если от 20 отнять 8?", "20 − 8 = 12. \\boxed{12}"),
    ('def up(s):\n    """Return s in upper case."""', "    return s.upper()"),
    ('def rev(s):\n    """Reverse s."""', "return s[::-1]"),
    ("def add(a, b):\n    ...", "```python\ndef add(a, b):\n    return a + b\n```"),
]  # fmt: skip


@pytest.mark.parametrize(("question", "text"), BARE)
def test_an_answer_or_a_question_said_again_follows_no_heuristic(question: str, text: str) -> None:
    pack = load_pack("polya", 4)
    assert load(pack).adherence(text, pack[0], question) == 0.0


@pytest.mark.parametrize(("question", "text"), WORKED)
def test_short_working_keeps_its_adherence(question: str, text: str) -> None:
    pack = load_pack("polya", 4)
    labeller = load(pack)
    assert all(
        labeller.adherence(text, way, question) == labeller.adherence(text, way) > 0 for way in pack
    )


@pytest.mark.parametrize("name", ["polya", "code", "narrative", "pocket"])
def test_every_exemplar_has_working(name: str) -> None:
    exemplars = [(h, e) for h in load_pack(name) for e in h.exemplars]
    assert len(exemplars) > 20
    assert [
        (h.id, e.solution) for h, e in exemplars if not has_working(e.solution, e.question, h)
    ] == []


@pytest.mark.parametrize("text", ["1,", "a.", "a", "1", "=", "(", "f(", "\\frac{", "1 + ", "- "])
def test_a_long_text_is_read_at_once(text: str) -> None:
    start = time.process_time()
    has_working(text * 4000, text * 4000, PACK[0])
    assert time.process_time() - start < 2


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
