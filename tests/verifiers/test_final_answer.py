import sys

import pytest

from manyways.verifiers.final_answer import extract, form_of, reference


def strict(text, **options):
    found = extract(text, policy="strict", **options)
    return found and (found.answer, found.rule)


def lenient(text, **options):
    found = extract(text, policy="lenient", **options)
    return found and (found.answer, found.rule)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"so \boxed{12}.", "12"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\fbox{7} is it", "7"),
        (r"\framebox{204} minutes", "204"),
        (r"\boxed {5}", "5"),
        (r"$\boxed 5$", "5"),
        (r"\boxed{\text{B}}", r"\text{B}"),
        (r"\\boxed{12}", "12"),
        (r"\boxed{\begin{pmatrix} 1 \\ 2 \end{pmatrix}}", r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}"),
        (r"Put it within \boxed{}. I get \boxed{3}.", "3"),
    ],
)
def test_strict_takes_the_box(text, answer):
    assert strict(text) == (answer, "boxed")


@pytest.mark.parametrize(
    "text", ["the answer is 12", "#### 12", "12", "", r"\boxed{}", r"\boxed{12", "boxed{12}"]
)
def test_strict_takes_nothing_else(text):
    assert strict(text) is None


def test_of_several_boxes_the_last_counts():
    assert strict(r"First \boxed{1}, which fails. So we try again: \boxed{2}") == ("2", "boxed")


@pytest.mark.parametrize(
    "text",
    [
        r"\boxed{1} and \boxed{2}",
        r"$\boxed{1}$, $\boxed{2}$",
        r"\[\boxed{1} \quad \text{and} \quad \boxed{2}\]",
        r"$x = \boxed{1}$ or $x = \boxed{2}$",
    ],
)
def test_boxes_that_stand_together_are_one_answer(text):
    assert strict(text) == ("1,2", "boxes")


def test_a_repeated_box_counts_once():
    assert strict(r"\boxed{4}, \boxed{4}") == ("4", "boxed")


def test_a_box_that_holds_nothing_but_a_box_is_that_box():
    assert strict(r"\boxed{\boxed{3}}") == ("3", "boxed")
    assert strict(r"\boxed{\fbox{90^{\circ}}}") == (r"90^{\circ}", "boxed")
    assert strict(r"\boxed{2\boxed{3}}") == (r"2\boxed{3}", "boxed")


def test_strict_follows_the_form_of_the_prompt():
    assert strict("#### 1,234", form="hashes") == ("1,234", "hashes")
    assert strict("The answer is 7.", form="phrase") == ("7", "phrase")
    assert strict(r"\boxed{7}", form="hashes") is None


def test_the_form_is_read_from_the_instruction():
    assert form_of(r"Put your final answer within \boxed{}.") == "boxed"
    assert form_of("End with #### and the number.") == "hashes"
    assert form_of('Say "The answer is X".') == "phrase"
    assert form_of("") == "boxed"


@pytest.mark.parametrize(
    ("text", "answer", "rule"),
    [
        (r"It is \boxed{1}, #### 2, the answer is 3", "1", "boxed"),
        ("The answer is 3\n#### 2", "2", "hashes"),
        ("The answer is 3. That was 4 steps.", "3", "phrase"),
        ("The answer is 3.5.", "3.5", "phrase"),
        ("**Answer:** $\\frac12$", "\\frac12", "phrase"),
        ("Answer: 1 and 2", "1 and 2", "phrase"),
        ("Final answer = 12", "12", "phrase"),
        ("Answer $ 9 $", "9", "phrase"),
        ("答案是 42。", "42", "phrase"),
        ("The final answer is $5$. I hope it is correct.", "5", "phrase"),
        ("The answer: the largest $n$ is 34.", "34", "phrase"),
        ("answer is 4? No. The answer is 5", "5", "phrase"),
        (r"cut off: \boxed{12", "12", "unclosed box"),
        ("x=5", "x=5", "whole"),
        (r"\frac{1}{2}", r"\frac{1}{2}", "whole"),
        ("$x=1$ or $x=2$", "$x=1$ or $x=2$", "whole"),
        ("two lines", "two lines", "whole"),
        ("Therefore, x = 12.", "x = 12.", "whole"),
        ("So x = 12.", "x = 12.", "whole"),
        ("10!", "10!", "whole"),
        (r"11,\! 111", r"11,\! 111", "whole"),
        ("We find that $x=3$.", "x=3", "last formula"),
        ("We find $x=3$, so in all there are 7 ways to do it.", "7", "last number"),
        ("I think there will be about 1,234.5 of them", "1,234.5", "last number"),
    ],
)
def test_lenient_tries_in_a_stated_order(text, answer, rule):
    assert lenient(text) == (answer, rule)


def test_lenient_finds_nothing_in_prose_without_numbers():
    assert lenient("I do not know what could be said about that at all.") is None


def test_the_last_option_letter_is_a_fallback_of_choices_alone():
    text = "It was not (A), so I would go with B"
    assert lenient(text, choices=("x", "y")) == ("B", "letter")
    assert lenient("Surely C then, is what I would say", choices=("x", "y")) is None


def test_a_reference_may_be_a_whole_solution():
    assert reference(r"We get $x = \boxed{3}$.") == "3"
    assert reference("2 + 2 = 4\n#### 4") == "4"
    assert reference(r"\frac{1}{2}") == r"\frac{1}{2}"


def lines_run(read, text):
    """How many lines of Python it takes."""
    count = 0

    def trace(frame, event, arg):
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        read(text)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize(
    ("piece", "times", "boxed", "found"),
    [
        ("\\boxed{", 30_000, None, None),
        ("{", 100_000, None, None),
        ("$", 100_000, None, None),
        ("answer ", 20_000, None, None),
        ("####", 30_000, None, None),
        ("1,000", 20_000, None, ("000", "last number")),
        ("\\text{", 20_000, None, None),
        (r"\boxed{1},", 10_000, ("1", "boxed"), ("1", "boxed")),
    ],
)
def test_hostile_texts_take_steps_in_proportion_to_their_length(piece, times, boxed, found):
    for read, answer in ((strict, boxed), (lenient, found)):
        assert read(piece * times) == answer
        half, whole = (lines_run(read, piece * (times // part)) for part in (20, 10))
        assert whole <= 2.1 * half + 50


@pytest.mark.parametrize(
    ("text", "answer", "rule"),
    [
        (r"A first guess is \boxed{40}, off by two. So the final answer is $42$.", "42", "later"),
        (r"We get \boxed{42}. The final answer is as above.", "42", "boxed"),
        (r"The final answer is $\boxed{42}$.", "42", "boxed"),
        (r"\boxed{3} plates or \boxed{4} bowls", "3,4", "boxes"),
        (r"\boxed{3} fails, try \boxed{4}", "4", "boxed"),
        ("<answer>40</answer> no: <answer>\n42\n</answer>", "42", "tag"),
        ("<answer>The number is 42.</answer>", "42", "tag"),
        ("####: 42", "42", "hashes"),
        ("40 + 2 = **42**", "40 + 2 = 42", "whole"),
        ("Total cost: 42", "42", "whole"),
        (r"Answer: $\$42$", r"\$42", "phrase"),
        (r"The answer is $42$ and not $24$.", "42", "phrase"),
        ("The answer is 42, because 6 times 7 is 42 and not 45.", "42", "phrase"),
        ("La réponse est 42.", "42", "phrase"),
        ("Respuesta: 42", "42", "phrase"),
        ("Die Antwort lautet 42.", "42", "phrase"),
        ("所以答案是 42。", "42", "phrase"),
        ("答案：每人分到 42 个。", "42", "phrase"),
    ],
)
def test_lenient_reads_what_models_write(text, answer, rule):
    assert lenient(text) == (answer, rule)


def test_a_thought_is_no_answer():
    thought = r"<think>Perhaps \boxed{1}.</think> "
    assert strict(thought + r"It is \boxed{2}.") == ("2", "boxed")
    assert strict(thought + "So there.") is None
    assert strict(r"<think>Perhaps \boxed{1}, or") is None
    assert lenient(thought + "Hence 2 of them in all") == ("2", "last number")
    assert lenient(thought) is None


@pytest.mark.parametrize(
    ("solution", "answer"),
    [
        (r"So $x=\boxed{4}$.", "4"),
        ("2 + 2 = 4\n#### 4", "4"),
        ("Adding up, the final answer is $4$. I hope it is correct. Note: see above.", "4"),
        (r"So \boxed{x = 4", "x = 4"),
        ("4", "4"),
        ("the fourth", "the fourth"),
    ],
)
def test_a_reference_may_be_a_solution_with_its_answer_marked(solution, answer):
    assert reference(solution) == answer
