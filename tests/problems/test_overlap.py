"""Overlap: what counts as the same question, and the overlaps that are known in real sets."""

import pytest
from hub_layout import records
from needs import DATA, needs_data

from manyways.problems import load_problems, normal_form
from manyways.problems.overlap import overlap, repeats
from manyways.records import Problem

KNOWN = {
    "math500/test": ["dapo_6090", "dapo_6170", "dapo_6216", "dapo_16667", "dapo_17762"],
    "amc23/test": [
        "dapo_14720", "dapo_15860", "dapo_15868", "dapo_15876", "dapo_15900", "dapo_15901",
    ],
    "olympiadbench/test": ["dapo_4473", "dapo_11273", "dapo_11277", "dapo_11279"],
    "aime24/test": [],
    "aime25/test": [],
    "minerva/test": [],
    "gsm8k/test": [],
}  # fmt: skip
"""Exact overlaps of DAPO-Math-17k found by others, by source row."""


def asked(number: int, question: str, *, answer: str = "1", of: str = "mine/train") -> Problem:
    return Problem(id=f"{of}/{number:05d}", question=question, answer=answer)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("What is $1 + 2$?", "what is  $1+2$ ?"),
        (r"Find $\dfrac{1}{2}x y$", r"Find $\frac12 xy$".replace("12", "{1}{2}")),
        (r"$\left| m - n \right|$", "$|m - n|$"),
        (r"$n \geqslant 1$".replace("geqslant", "geq"), r"$n\ge1$"),
        ("It costs 1,000 coins.", "It costs 1000 coins"),
        ("$a_{1}, a_{2}, \\ldots$", "$a_1,a_2,\\dots$"),
        ("求 $x^{2}$ 的值", "求$x^2$的值"),
    ],
)
def test_dressing_does_not_count(a: str, b: str) -> None:
    assert normal_form(a) == normal_form(b)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("What is $1 + 2$?", "What is $1 - 2$?"),
        ("Use 12 and 3", "Use 1 and 23"),
        ("Add 1.5", "Add 15"),
        (r"$\sin x$", r"$\cos x$"),
        ("$x^2$", "$x_2$"),
        ("Find $a/b$", "Find $ab$"),
        ("求最大值", "求最小值"),
    ],
)
def test_content_counts(a: str, b: str) -> None:
    assert normal_form(a) != normal_form(b)


LONG = (
    "A farmer walks from the red barn to the well and back again every morning before breakfast, "
    "carrying two buckets of nine litres each. How many litres does he carry in a week of {} days?"
)


def test_exact_near_and_unrelated_are_told_apart() -> None:
    train = [
        asked(0, LONG.format("seven")),
        asked(1, "One day, a farmer told his son a story about geese. " + LONG.format(6)),
        asked(2, "Another question altogether, about how far a ship sails between two harbours."),
    ]
    report = overlap(train, {"test": [asked(0, LONG.format("seven").upper(), of="theirs/test")]})
    assert [(p.train_id[-5:], p.kind) for p in report.pairs] == [
        ("00000", "exact"),
        ("00001", "near"),
    ]
    assert report.pairs[0].share == 1.0
    assert 0.5 <= report.pairs[1].share < 1.0
    assert report.counts() == [("theirs/test", 1, 1, 1)]


def test_boilerplate_alone_is_no_overlap() -> None:
    end = (
        "can be written as m over n where m and n are relatively prime positive integers find the "
        "sum of m and n"
    )
    starts = ["the ratio", "a share", "the chance", "that area", "its length", "the speed"]
    train = [asked(i, f"In game {i}, {start} {end}.") for i, start in enumerate(starts * 2)]
    assert overlap(train, [asked(0, f"In a box, one angle {end}.", of="theirs/test")]).pairs == ()
    once = overlap(train[:3], [asked(0, f"In a box, one angle {end}.", of="theirs/test")])
    assert len(once.pairs) == 3  # with few problems it cannot be known to be boilerplate


def test_short_questions_overlap_exactly_or_not_at_all() -> None:
    train = [asked(0, "What is 2 + 2?"), asked(1, "What is 2 + 3?")]
    pairs = overlap(train, [asked(0, "what is $2+2$?", of="theirs/test")]).pairs
    assert [(p.train_id, p.kind) for p in pairs] == [("mine/train/00000", "exact")]


def test_a_problem_is_listed_once_for_each_that_it_overlaps() -> None:
    train = [asked(i, f"What is {i} + {i}?") for i in range(6)]
    evals = [asked(0, "What is 2+2?", of="a/test"), asked(0, "what is 2 + 2", of="b/test")]
    report = overlap(train, evals)
    assert report.train_ids == {train[2].id}
    assert [(d.train_id[-1], d.eval_id) for d in report.pairs] == [
        ("2", "a/test/00000"),
        ("2", "b/test/00000"),
    ]
    assert not overlap(train, []).pairs


def test_repeats_are_grouped() -> None:
    train = [asked(0, "What is $x$?"), asked(1, "Why?"), asked(2, "what is x?", answer="2")]
    assert [[p.id[-1] for p in group] for group in repeats(train)] == [["0", "2"]]


@needs_data
def test_known_exact_overlaps_of_dapo_are_found() -> None:
    wanted = {row for ids in KNOWN.values() for row in ids}
    rows = [r for r in records("dapo_math_17k") if r["id"] in wanted]
    train = [Problem(id=f"dapo/row/{r['id']}", question=r["question"], answer="1") for r in rows]
    evals = [p for name in KNOWN for p in load_problems(name, data_dir=DATA)]
    found = {
        (p.eval_id.rpartition("/")[0], p.train_id.rpartition("/")[2])
        for p in overlap(train, evals).pairs
        if p.kind == "exact"
    }
    assert found == {(name, row) for name, ids in KNOWN.items() for row in ids}


@needs_data
@pytest.mark.slow
def test_overlap_of_all_of_dapo_with_every_benchmark() -> None:
    train = load_problems("dapo-math-17k/train?lang=all", data_dir=DATA)
    evals = [p for name in KNOWN for p in load_problems(name, data_dir=DATA)]
    report = overlap(train, evals)
    exact = {name: (exact, near) for name, _, exact, near in report.counts()}
    # Repeats among DAPO's rows are merged before, so that fewer rows than known may remain.
    assert exact["math500/test"][0] >= 4
    assert exact["amc23/test"][0] >= 4
    assert exact["olympiadbench/test"][0] >= 4
    assert exact["olympiadbench/test"][1] > 40
    assert [
        exact[name] for name in ("aime24/test", "aime25/test", "minerva/test", "gsm8k/test")
    ] == [(0, 0)] * 4


@needs_data
@pytest.mark.slow
def test_overlap_of_dapo_with_math_train() -> None:
    rows = records("dapo_math_17k")
    train = [Problem(id=f"dapo/row/{r['id']}", question=r["question"], answer="1") for r in rows]
    report = overlap(train, load_problems("math/train", data_dir=DATA))
    [(_, _, exact, near)] = report.counts()
    assert 1816 <= exact <= 2000  # 1,816 are known by exact text
    assert near > 400


@needs_data
def test_datasets_splits_do_not_overlap() -> None:
    train = load_problems("math/train", data_dir=DATA)
    report = overlap(train, load_problems("math500/test", data_dir=DATA))
    assert [p for p in report.pairs if p.kind == "exact"] == []
