from fractions import Fraction

import pytest

from manyways.verifiers.answers.numbers import (
    MAX_DIGITS,
    read_number,
    same_number,
    surely_differ,
    value,
    value_at_a_point,
)
from manyways.verifiers.answers.shapes import read_shape
from manyways.verifiers.answers.spelling import tidy
from manyways.verifiers.answers.units import drop_units
from manyways.verifiers.answers.words import same_words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12", 12), ("-12.50", Fraction(-25, 2)), (".5", Fraction(1, 2)), ("1,234", 1234),
        ("3/4", Fraction(3, 4)), (r"-\frac{3}{4}", Fraction(-3, 4)), (r"\frac12", Fraction(1, 2)),
        (r"2\frac{1}{2}", Fraction(5, 2)), (r"-2\frac{1}{2}", Fraction(-5, 2)), ("1e3", 1000),
        (r"2\times10^{-2}", Fraction(1, 50)), ("10^3", 1000), ("(7)", 7), ("50%", 50),
    ],
)  # fmt: skip
def test_numerals(text, expected):
    assert read_number(text).value == expected


@pytest.mark.parametrize(
    "text",
    ["", "x", "1,23", "0,123", "1/0", r"3\frac{5}{2}", "1e99999", "1e401", "9" * (MAX_DIGITS + 1),
     "1 2", "--1", "1.2.3", "١٢", "0x10", "1_000"],
)  # fmt: skip
def test_what_is_no_numeral(text):
    assert read_number(text) is None


@pytest.mark.parametrize(
    ("gold", "answer", "same", "apart"),
    [
        ("1/3", "0.333333", True, False),
        ("1/3", "0.3333", False, False),  # a rounding: for the second step to accept
        ("1/3", "0.333", False, True),
        ("2.5", "2.50", True, False),
        ("5", "5.0000001", False, True),
        ("5", "5.0000000000001", True, False),
        ("0.25", "25%", True, False),
        ("25", "25%", True, False),
        ("25%", "0.25%", False, True),
        ("1000000", "1000000.4", False, True),
    ],
)
def test_when_two_numbers_are_one_answer(gold, answer, same, apart):
    one, two = read_number(gold), read_number(answer)
    assert same_number(one, two) is same_number(two, one) is same
    assert surely_differ(one, two) is surely_differ(two, one) is apart


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2+3*4", 14), (r"\frac{1+3}{2}", 2), (r"2\sqrt{9}", 6), (r"\sqrt[3]{27}", 3),
        ("2^{-1}", 0.5),
        ("-2^2", -4), ("3!", 6), ("(1+2)(3)", 9), (r"\sin^2 0 + 1", 1), ("i^2", -1), ("6/2/3", 1),
        (r"\sin(0)", 0), (r"2\pi/\pi", 2),
    ],
)  # fmt: skip
def test_values_of_constants(text, expected):
    assert value(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    "text",
    ["x", "2 3", r"1\frac{1}{2}", "9^9^9", "1/0", "(", "", "f(", r"\sin^{-1} 1", "x_1", "2^"],
)
def test_what_has_no_value(text):
    assert value(text) is None


def test_unknowns_have_values_at_a_point():
    assert value_at_a_point("(x+1)^2") == pytest.approx(value_at_a_point("x^2+2x+1"))
    assert value_at_a_point("x") != value_at_a_point("y")
    assert value_at_a_point("x_1") != value_at_a_point("x_2")
    assert value_at_a_point(r"\omega t") == pytest.approx(value_at_a_point(r"t \omega"))


@pytest.mark.parametrize(
    ("text", "kind", "items"),
    [
        ("12", "value", ("12",)),
        ("1,234", "value", ("1,234",)),
        ("(12)", "value", ("12",)),
        ("1, 2", "list", ("1", "2")),
        ("1 and 2", "list", ("1", "2")),
        ("x = 1, 2", "list", ("1", "2")),
        ("(1,2)", "sequence", ("1", "2")),
        ("(0;1)", "sequence", ("0", "1")),
        ("(1,2),(3,4)", "list", ("(1,2)", "(3,4)")),
        (r"\{1,2\}", "set", ("1", "2")),
        (r"a \pm b, c", "list", ("a + b", "a - b", "c")),
        (r"(0,1) \cup (2,3)", "union", ("(0,1)", "(2,3)")),
        (r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", "matrix", ("1", "2", "3", "4")),
        ("f(1,2)", "value", ("f(1,2)",)),
        ("(1)(2)", "value", ("(1)(2)",)),
        ("(1,2", "list", None),
    ],
)
def test_shapes(text, kind, items):
    shape = read_shape(text)
    if items is not None:
        assert (shape.kind, tuple(" ".join(i.split()) for i in shape.items)) == (kind, items)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"$\dfrac{1}{2}$.", r"\frac{1}{2}"),
        (r"\left( 1, 2 \right)", "( 1, 2 )"),
        ("x**2", "x^2"),
        ("sqrt(2)", r"\sqrt{2}"),
        ("√2", r"\sqrt{2}"),
        ("∛8", r"\sqrt[3]{8}"),
        (r"\sqrt[3]8", r"\sqrt[3]{8}"),
        ("5∜(x+1)", r"5\sqrt[4]{x+1}"),
        ("x²", "x^{2}"),
        ("１２", "12"),
        (r"\boxed{5}", "5"),
        ("185\\", "185"),
        (r"\frac\pi 2", r"\frac{\pi}{2}"),
        ("x >= 5", r"x \ge 5"),
    ],
)
def test_one_spelling(text, expected):
    assert tidy(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"5.4 \text{ cents}", ("5.4", "cent")),
        (r"15\mbox{ cm}^2", ("15", "centimeter2")),
        ("15 square inches", ("15", "inch2")),
        (r"90^\circ", ("90", "degree")),
        (r"\$5", ("5", "dollar")),
        ("52_8", ("52", "base 8")),
        (r"52_{\text{eight}}", ("52", "base 8")),
        ("6m", ("6m", "")),
        ("6 m", ("6 m", "")),
        ("2x cm", ("2x", "centimeter")),
        (r"17\text{ of any kind}", ("17", "")),
    ],
)
def test_units(text, expected):
    assert drop_units(text) == expected


def test_a_lone_letter_is_a_unit_in_answers_alone():
    assert drop_units("6 m", letters=True) == ("6", "meter")


@pytest.mark.parametrize(
    ("gold", "answer", "same"),
    [
        (r"\text{east}", "East", True),
        (r"\text{east}", "west", False),
        (r"\text{east}", "12", False),
        ("two lines", "Two lines.", True),
        ("x", "12", None),
        (r"\text{4 hours}", "4", None),
        ("4:30 pm", "4:30", True),
        ("1:24", "2:48", None),
        ("four", "4", True),
    ],
)
def test_words(gold, answer, same):
    assert same_words(gold, answer) is same
