"""The fast path and Math-Verify agree wherever both decide; where we differ, it is listed."""

from fractions import Fraction

import math_verify
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from manyways.verifiers.answers import decide
from manyways.verifiers.answers.full import same_answer


def plain_math_verify(gold, answer):
    """What Math-Verify alone says, None when it reads one of them not at all or fails."""
    sides = []
    for text in (gold, answer):
        parsed = math_verify.parse(f"\\boxed{{{text}}}", parsing_timeout=None)
        sides.append([part for part in parsed if not isinstance(part, str)])
    if not all(sides):
        return None
    try:
        return math_verify.verify(*sides, timeout_seconds=None, raise_on_error=True)
    except Exception:  # noqa: BLE001 - its comparisons raise all kinds
        return None


def decimal(value):
    """``value`` with at most four decimals, None when it has more."""
    for places in range(5):
        scaled = value * 10**places
        if scaled.denominator == 1:
            digits = str(abs(scaled.numerator)).rjust(places + 1, "0")
            whole, part = digits[: len(digits) - places], digits[len(digits) - places :]
            return ("-" if value < 0 else "") + whole + ("." + part if part else "")
    return None


def spellings(value):
    top, bottom = value.numerator, value.denominator
    sign = "-" if top < 0 else ""
    found = [
        rf"\frac{{{top}}}{{{bottom}}}",
        rf"{sign}\dfrac{{{abs(top)}}}{{{bottom}}}",
        f"{top}/{bottom}",
        rf"\frac{{{2 * top}}}{{{2 * bottom}}}",
    ]
    if bottom == 1:
        found += [str(top), f"{top}.0", f"${top}$"]
    written = decimal(value)
    if written is not None:
        found += [written, written + ("0" if "." in written else ".00")]
    if abs(value) > 1 and bottom > 1:
        found.append(rf"{sign}{abs(top) // bottom}\frac{{{abs(top) % bottom}}}{{{bottom}}}")
    if 0 < abs(top) < 10 > bottom:
        found.append(rf"{sign}\frac{abs(top)}{bottom}")
    return found


values = st.builds(
    Fraction, st.integers(-40, 40), st.sampled_from([1, 1, 1, 2, 3, 4, 5, 8, 10, 20, 100])
)
numerals = values.flatmap(lambda value: st.sampled_from(spellings(value)))
constants = st.one_of(
    st.builds(r"{}\sqrt{{{}}}".format, st.integers(1, 9), st.sampled_from([2, 3, 5, 6])),
    st.builds(r"{}-\sqrt{}".format, st.integers(-9, 9), st.sampled_from([2, 3, 5, 6])),
    st.builds(r"\frac{{{}\pi}}{{{}}}".format, st.integers(1, 9), st.integers(2, 9)),
    st.builds(r"{}^{{{}}}".format, st.integers(2, 9), st.integers(-5, 9)),
    st.builds(r"\sin {}".format, st.integers(1, 9)),
)
expressions = st.one_of(
    st.builds("{}x+{}".format, st.integers(1, 5), st.integers(1, 5)),
    st.builds(r"\frac{{x+{}}}{{{}}}".format, st.integers(1, 5), st.integers(2, 5)),
    st.builds("(x+{0})^2".format, st.integers(1, 5)),
    st.builds(lambda a: f"x^2+{2 * a}x+{a * a}", st.integers(1, 5)),
    st.builds("{}_{}".format, st.sampled_from("xyn"), st.integers(1, 3)),
)
parts = st.one_of(numerals, numerals, constants, expressions)
brackets = st.sampled_from([("(", ")"), (r"\{", r"\}"), ("", "")])


@st.composite
def same_numbers(draw):
    value = draw(values)
    other = draw(st.one_of(st.just(value), values))
    return draw(st.sampled_from(spellings(value))), draw(st.sampled_from(spellings(other)))


@st.composite
def same_rows(draw):
    row = draw(st.lists(values, min_size=2, max_size=3, unique=True))
    other = draw(st.one_of(st.just(row), st.permutations(row)))
    left, right = draw(brackets)
    first, second = (
        left + ", ".join(draw(st.sampled_from(spellings(value))) for value in items) + right
        for items in (row, other)
    )
    return first, second


anything = st.one_of(parts, st.builds("({}, {})".format, parts, parts))


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(st.one_of(same_numbers(), same_rows(), st.tuples(anything, anything)))
@example((r"1\frac{1}{2}", "1.5"))
@example(("(1, 2)", "1, 2"))
@example((r"\frac{1}{3}", "0.333333"))
def test_the_fast_path_agrees_with_math_verify_wherever_both_decide(pair):
    gold, answer = pair
    ours = decide(gold, answer)
    theirs = plain_math_verify(gold, answer) if ours is not None else None
    if ours is not None and theirs is not None:
        assert ours[0] is theirs, pair


DIFFERENCES = [
    # reference, answer, ours, Math-Verify's, why
    (
        "0.00000001",
        "0.00000002",
        False,
        True,
        "it rounds to six decimals, so tiny numbers are equal",
    ),
    (r"\frac{1}{2004!}", r"\frac{1}{2006!}", False, True, "the same"),
    ("0.1234567", "0.1234568", False, True, "the same"),
    ("1/3", "0.3333", True, False, "four correct digits are a rounding"),
    (r"\sqrt{3}", "1.732", True, False, "the same"),
    ("52_8", "52_9", False, True, "it drops the base"),
    ("5 cm", "5 m", False, True, "it drops units without looking at them"),
    ("4:30 pm", "4:30 am", False, True, "the same"),
    ("1, 1, 2", "1, 2, 2", False, True, "a reference that repeats an answer means it"),
    ("(1, 2)", r"\{1, 2\}", False, True, "a tuple has an order"),
    ("[3, 1)", "[2, 0)", False, True, "both are empty intervals, which nobody means"),
    (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", "(1, 2)", True, False, "a vector is its entries"),
    (r"[2, \infty)", r"x \ge 2", True, False, "it reads inequalities as sets one way only"),
    (r"e^{i\pi}", "-1", True, False, "it leaves i a symbol"),
    (r"\text{ellipse}", "an ellipse", True, False, "articles carry no meaning"),
    ("np.arcsin(10/13)", r"\arcsin(10/13)", True, None, "it reads no Python"),
    ("1000.99", "1.000,99", True, False, "a decimal comma"),
]


@pytest.mark.parametrize(("gold", "answer", "ours", "theirs", "why"), DIFFERENCES)
def test_every_known_difference_is_listed(gold, answer, ours, theirs, why):
    assert same_answer(gold, answer)[0] is ours
    assert plain_math_verify(gold, answer) is theirs, why
