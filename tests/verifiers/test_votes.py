import pytest

from manyways.verifiers.answers.votes import vote_of

LARDER = ("the pantry", "the shed")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("0.5", r"\frac{1}{2}"), ("1/2", r"\dfrac12"), ("1,000", "1000"), ("12.", "12"),
        ("$x^2$", "x^{2}"), ("(1, 2)", "(1,2)"), (r"\text{blue}", "blue"), ("-3", "−3"),
    ],
)  # fmt: skip
def test_one_vote(one: str, other: str) -> None:
    assert vote_of(one) == vote_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("1,2", "2,1"), ("50%", "0.5"), ("x+1", "1+x"), ("2", "20"), ("blue", "Blue")],
)
def test_two_votes(one: str, other: str) -> None:
    assert vote_of(one) != vote_of(other)


def test_no_vote() -> None:
    assert vote_of(None) is vote_of("  ") is None


def test_options_vote_by_letter() -> None:
    assert {vote_of(a, "choice", LARDER) for a in ("B", "(B)", "the shed", "B) the shed")} == {"B"}
    assert vote_of("B. the shed", "choice") == "B", "also where the options are not known"
    assert vote_of("none of them", "choice", LARDER) == "noneofthem"
