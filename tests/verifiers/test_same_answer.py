import pytest

from manyways.verifiers.answers import decide
from manyways.verifiers.answers.full import same_answer
from manyways.verifiers.answers.shapes import as_interval

EQUAL_BOTH_WAYS = [
    (r"\sin 30^\circ", r"\frac{1}{2}"),
    (r"2\sin 20^{\circ}", r"2\cos 70^\circ"),
    (r"0.\overline{27}", r"\frac{3}{11}"),
    ("x+1", "1+x"),
    (r"\sqrt{12}", r"2\sqrt{3}"),
    (r"\frac{\sqrt{3}}{3}", r"\frac{1}{\sqrt{3}}"),
    ("(a+5)(b+2)", "ab+2a+5b+10"),
    ("3s^2", "3*s**2"),
    ("2x(15x^2-4x+10)", "2*x*(15*x**2 - 4*x + 10)"),
    (r"\sec^2(y)", r"\tan^2(y)+1"),
    (r"e^{i\pi}", "-1"),
    ("6+9i", "9i + 6"),
    ("1/3", "0.3333"),
    (r"\sqrt{3}", "1.732"),
    (r"3-\sqrt{2}", "1.58578643"),
    (r"\binom{5}{2}", "10"),
    ("10!", "3628800"),
    ("np.arcsin(10/13)", r"\arcsin{\frac{10}{13}}"),
    ("x=5", "5"),
    ("f(x)=2x", "2x"),
    ("y = 2x+3", "y=3+2x"),
    ("5x-7y+11z+4=0", "-5x+7y-11z-4=0"),
    ("5x-7y+11z+4=0", "5x-7y+11z=-4"),
    ("y=-2x", "y+2x=0"),
    (r"\frac{dy}{dx}+y=0", r"y+\frac{d y}{d x}=0"),
    ("x=2, y=3", "y=3, x=2"),
    ("x=2, y=3", "(2, 3)"),
    ("(p,q)=(3,2)", "(3,2)"),
    (r"x \in [-2,7]", "[-2,7]"),
    ("[-2,7]", r"-2 \le x \le 7"),
    ("x>3", r"(3,\infty)"),
    (r"(-\infty,2)\cup(3,\infty)", "x<2 or x>3"),
    (r"(0,9) \cup (9,36)", r"(9,36) \cup (0,9)"),
    (r"1 \pm \sqrt{19}", r"1-\sqrt{19}, 1+\sqrt{19}"),
    ("1, 2", r"\{2, 1\}"),
    (r"\{1, 2, 2\}", r"\{1, 2\}"),
    ("(1,8), (2,7)", "(2,7), (1,8)"),
    (r"\begin{pmatrix} 1/5 \\ 2 \end{pmatrix}", r"\begin{bmatrix} 0.2 \\ 2 \end{bmatrix}"),
    (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", "(1, 2)"),
    ("1:4", "1/4"),
    ("1 : 2", "2:4"),
    (r"\frac{\sqrt{3}}{3} \approx 0.577", r"\frac{\sqrt{3}}{3}"),
    (r"\text{B,C}", "C and B"),
    (r"0.56 = 56\%", "0.56"),
    ("x = 2 + 3 = 5", "5"),
    ("z = 1 + 1 = 2", "z = 3 + 3 = 2"),
    ("p=5, q=2, p=7, q=2", "p=7, q=2; p=5, q=2"),
    ("3.14159", "3.142"),
    ("(D) Alina", "D"),
    ("y = -2x", "f(x) = -2x"),
    ("(-oo, 5)", r"(-\infty, 5)"),
    (r"(-\infty, 0]", r"]-\infty, 0]"),
    (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix} 1 \\[4pt] 2 \end{pmatrix}"),
    (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\langle 1, 2 \rangle"),
    (r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", "[[1, 2], [3, 4/1]]"),
    (r"\begin{pmatrix} 1 \\ x \end{pmatrix}", "[[1], [x]]"),
    (r"12 1/2 \%", "12.5%"),
    (r"{5 \choose 2}", "10"),
    ("1、2", "2, 1"),
    ("5 = x", "x = 5"),
    ("5 = x", "5"),
    ("x is 1/2", "0.5"),
    ("x is 1/2", "x = 0.5"),
    ("2516_8", "(2516)_8"),
    ("2516_8", r"2516 \text{ (base 8)}"),
    (r"2\text{ cm}", "2"),
]
DIFFERENT_BOTH_WAYS = [
    (r"2\sin 20^{\circ}", r"2\cos 71^\circ"),
    (r"0.\overline{27}", r"\frac{27}{100}"),
    ("C(7)", "7"),
    ("x+1", "x-1"),
    (r"\sqrt{2}", "1.41"),
    (r"\pi", "3.14"),
    ("2^{100} - 2", "2^{100} - 3"),
    (r"\frac{1}{2004!}", r"\frac{1}{2006!}"),
    (r"\frac{1}{2^{99}}", r"\frac{1}{2^{98}}"),
    (r"\lfloor\frac{2n-1}{5}\rfloor", r"\lfloor\frac{2n-1}{6}\rfloor"),
    ("x=5", "y=5"),
    ("x+y+z=0", "x+y+z=1"),
    ("(3,4]", "(3,4)"),
    ("x>3", r"x \ge 3"),
    ("x>3", "x<3"),
    ("1, 1, 2", "1, 2, 2"),
    ("(1,2)", r"\{1,2\}"),
    (r"1 \pm \sqrt{19}", r"1+\sqrt{19}"),
    ("1:4", "4:1"),
    ("12:00", "1:00"),
    ("12:00", "12"),
    ("E_1, E_2", "E_1, E_3"),
    ("12", r"12 \text{ or perhaps } 13"),
    ("12", r"12 \text{ (or 13)}"),
    ("12", "12, 13"),
    ("6+9i", "6-9i"),
    (r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", "[[1, 3], [2, 4]]"),
    (r"\begin{pmatrix} 1 & 2 & 3 \\ 4 & 5 & 6 \end{pmatrix}", "[[1, 2], [3, 4], [5, 6]]"),
    (r"12 1/2 \%", r"12 1/3 \%"),
    ("5 = x", "y = 5"),
    ("x is 5", "x is not 5"),
    ("x is 5", "x is at least 5"),
    ("x is 5", "x is 5 or 7"),
    ("5", "x is 5 less than y"),
    ("[[1, 2], [3, 4]]", "[[1, 2], [4, 3]]"),
]


@pytest.mark.parametrize(("gold", "answer"), EQUAL_BOTH_WAYS)
def test_the_same_answer_in_other_words(gold, answer):
    assert same_answer(gold, answer)[0] is True
    assert same_answer(answer, gold)[0] is True


@pytest.mark.parametrize(("gold", "answer"), DIFFERENT_BOTH_WAYS)
def test_another_answer(gold, answer):
    assert same_answer(gold, answer)[0] is False
    assert same_answer(answer, gold)[0] is False


def test_repeating_an_answer_matters_only_where_the_reference_repeats_it():
    assert same_answer("1, 2", "2, 1, 2")[0] is True
    assert same_answer("2, 1, 2", "1, 2")[0] is False


def test_an_equation_of_the_reference_is_not_met_by_a_number():
    assert same_answer("2x + 3y = 5", "5")[0] is False


def test_an_unreadable_reference_is_undecided_and_an_unreadable_answer_wrong():
    assert same_answer(r"\frac{", "x + 1")[0] is None
    assert same_answer("x + 1", r"\frac{")[0] is False


@pytest.mark.parametrize(
    ("text", "interval"),
    [
        ("x<2", r"(-\infty, 2)"),
        (r"x \ge -1", r"[-1, \infty)"),
        (r"3 \le x", r"[3, \infty)"),
        (r"1 < x \le 2", "(1, 2]"),
        (r"2 \ge x > 1", "(1, 2]"),
        ("1 < x > 2", None),
        ("x < y", None),
        ("x + 1 < 2", None),
    ],
)
def test_simple_inequalities_are_intervals(text, interval):
    assert as_interval(text) == interval


@pytest.mark.parametrize(
    ("gold", "answer", "same"),
    [
        ("12", "\u200e12\u200b", True),
        ("12", "\ufeff12", True),
        ("1/6", r"0.1\dot{6}", True),
        ("1/7", r"0.\dot{1}4285\dot{7}", True),
        ("1/3", r"0.3\dot{4}", False),
        ("10:00 a.m.", "10 AM", True),
        ("10 am", "10:00 pm", False),
        ("3:30 PM", "15:30", True),
        ("12:30 AM", "00:30", True),
        ("12:30 PM", "00:30", False),
        ("2pm", "2mp", True),
    ],
)
def test_marks_that_show_nothing_dotted_periods_and_clocks(
    gold: str, answer: str, same: bool
) -> None:
    assert same_answer(gold, answer)[0] is same
    assert decide(gold, answer) is None or decide(gold, answer)[0] is same
