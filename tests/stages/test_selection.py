import json
from pathlib import Path

import pytest
from made_runs import attempt, context, put_pool

from manyways.arms import Line
from manyways.errors import NothingToTrainOn
from manyways.pool.solutions import yield_rows
from manyways.pool.training_rows import training_rows
from manyways.records import Solution
from manyways.stages import selection
from manyways.tables import read_solutions

P = [f"made/seed/{i:03d}" for i in range(4)]


def selected(ctx) -> dict[tuple[str, str, int], Solution]:
    selection.run(ctx)
    rows = read_solutions(ctx.run.path("2-solutions.parquet"))
    return {(s.problem_id, s.heuristic, s.sample): s for s in rows}


def reasons(ctx) -> dict[str, str]:
    return {f"{h}#{n}": s.reason for (_, h, n), s in selected(ctx).items()}


def test_every_drop_has_its_reason(tmp_path: Path) -> None:
    ctx = context(tmp_path, generate={"samples": 8, "plain_samples": 3})
    put_pool(
        ctx,
        [
            attempt(P[0], "a", 0, status="wrong"),
            attempt(P[0], "a", 1, status="no_answer"),
            attempt(P[0], "a", 2, status="undecided", reason="timeout"),
            attempt(P[0], "a", 3, finish="length"),
            attempt(P[0], "a", 4, finish="error", status="no_answer"),
            attempt(P[0], "a", 5, text="one\ntwo\n<a> three"),
            attempt(P[0], "a", 6, text="<a> mine and mine alone", tokens=9),
            attempt(P[0], "a", 7, text="<a> mine and short", tokens=4),
            attempt(P[0], "plain", 0, status="wrong"),
            attempt(P[0], "plain", 1),
            attempt(P[0], "plain", 2),
        ],
    )
    assert reasons(ctx) == {
        "a#0": "wrong; best of 1 wrong, kept for wrong-N arms",
        "a#1": "no answer",
        "a#2": "undecided: timeout",
        "a#3": "truncated",
        "a#4": "sampling error",
        "a#5": "adherence 0.33 < 0.50",
        "a#6": "not the best of 3 correct",
        "a#7": "best of 3 correct",
        "plain#0": "wrong",
        "plain#1": "first of 2 correct",
        "plain#2": "not the first of 2 correct",
    }


def test_higher_adherence_wins_then_fewer_tokens_then_lower_sample(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    half = "<a> one\ntwo"
    put_pool(
        ctx,
        [
            attempt(P[0], "a", 0, text=half, tokens=2),
            attempt(P[0], "a", 1, tokens=7),
            attempt(P[1], "a", 0, tokens=7),
            attempt(P[1], "a", 1, tokens=5),
            attempt(P[2], "a", 3, tokens=5),
            attempt(P[2], "a", 2, tokens=5),
        ],
    )
    kept = {key for key, s in selected(ctx).items() if s.kept}
    assert kept == {(P[0], "a", 1), (P[1], "a", 1), (P[2], "a", 2)}


def test_near_duplicates_fall_to_the_earlier_way_and_the_next_best_is_tried(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    same = "<{}> first we add the two numbers and then we are done with it all at once now ok yes"
    text = same.replace("<{}>", "<a>\n<b>")
    put_pool(
        ctx,
        [
            attempt(P[0], "b", 0, text=text),
            attempt(P[0], "b", 1, text="<b> something else entirely", tokens=50),
            attempt(P[0], "a", 0, text=text),
            attempt(P[1], "b", 0, text=text),
        ],
    )
    ctx.__dict__["labeller"] = _Always()
    rows = selected(ctx)
    assert rows[P[0], "a", 0].kept
    assert rows[P[0], "b", 0].reason == "near-duplicate of a#0"
    assert rows[P[0], "b", 1].kept
    assert rows[P[1], "b", 0].kept, "another problem is never compared"


class _Always:
    def adherence(self, text, heuristic):
        return 1.0


def test_a_text_that_only_says_the_question_again_is_no_solution(tmp_path: Path) -> None:
    ctx = context(tmp_path, heuristics={"labeller": "exemplars"})
    texts = ("\\boxed{1}", "For seed: what is 1 + 0? \\boxed{1}", "<a> 0 + 1 = 1 \\boxed{1}")
    rows = [attempt(P[1], "a", n, text=text) for n, text in enumerate(texts)]
    put_pool(ctx, rows)
    said = reasons(ctx)
    assert said["a#0"] == said["a#1"] == "adherence 0.00 < 0.50"
    assert said["a#2"] == "best of 3 correct"


class _Asks:
    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def adherence(self, text, heuristic, question):
        self.asked.append((text, question))
        return 1.0


def test_a_labeller_that_asks_is_given_the_question(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    put_pool(ctx, [attempt(P[i], "a", n, text="<a> so") for i in (0, 1) for n in (0, 1)])
    ctx.__dict__["labeller"] = _Asks()
    selection.run(ctx)
    told = [("<a> so", "What is 0 + 0?"), ("<a> so", "What is 1 + 0?")]
    assert ctx.labeller.asked == told, "each text once at each question"


def test_plain_attempts_are_not_compared_with_heuristics(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    put_pool(ctx, [attempt(P[0], "a", 0, text="<a> x"), attempt(P[0], "plain", 0, text="<a> x")])
    assert all(s.kept for s in selected(ctx).values())


def test_attempts_beyond_the_recipe_are_left_out(tmp_path: Path) -> None:
    ctx = context(tmp_path, generate={"samples": 2, "plain_samples": 1})
    put_pool(
        ctx,
        [
            attempt(P[0], "a", 1),
            attempt(P[0], "a", 2),
            attempt(P[0], "plain", 1),
            attempt(P[0], "zzz", 0),
            attempt("made/seed/004", "a", 0),
        ],
    )
    assert set(selected(ctx)) == {(P[0], "a", 1)}


def test_the_result_does_not_depend_on_the_order_of_the_attempts(tmp_path: Path) -> None:
    attempts = [attempt(p, w, n) for p in P for w in ("a", "b", "plain") for n in range(3)]
    one, two = context(tmp_path / "one"), context(tmp_path / "two")
    put_pool(one, attempts)
    put_pool(two, attempts[::-1][:10])
    put_pool(two, attempts[::-1][10:])
    assert list(selected(one).items()) == list(selected(two).items())


def test_a_finished_selection_is_not_redone_until_an_attempt_arrives(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    put_pool(ctx, [attempt(P[0], "a", 0)])
    selection.run(ctx)
    assert selection.plan(ctx).done
    put_pool(ctx, [attempt(P[1], "a", 0)])
    assert not selection.plan(ctx).done
    assert len(selected(ctx)) == 2


def full_pool(ctx, *, ways: dict[str, str]) -> None:
    """``ways``: problem -> letters of the heuristics with a correct attempt; x = wrong under a."""
    rows = []
    for problem, letters in ways.items():
        rows += [attempt(problem, w, 0) for w in letters if w not in "px"]
        rows += [attempt(problem, "plain", 1)] if "p" in letters else []
        rows += [attempt(problem, "a", 1, status="wrong")] if "x" in letters else []
    put_pool(ctx, rows)
    selection.run(ctx)


def ways_of(ctx, arm: str, seed: int = 0) -> list[tuple[str, str]]:
    rows = training_rows(ctx, Line(arm=arm, seed=seed))
    return [(row.problem_id[-1], row.heuristic) for row in rows]


def test_arms_are_drawn_from_the_one_pool(tmp_path: Path) -> None:
    ctx = context(tmp_path, arms=("vanilla",), select={"budget": 3})
    full_pool(ctx, ways={P[0]: "abcp", P[1]: "bcx", P[2]: "ap", P[3]: "x"})
    assert ways_of(ctx, "vanilla") == []
    assert ways_of(ctx, "star") == [("0", "plain"), ("2", "plain")]
    assert ways_of(ctx, "heuristics-1") == [("0", "a"), ("2", "a")]
    assert ways_of(ctx, "heuristics-2") == [("0", "a"), ("0", "b"), ("1", "b"), ("2", "a")]
    assert len(ways_of(ctx, "heuristics-3")) == 6
    assert ways_of(ctx, "wrong-1") == [("1", "a"), ("3", "a")]
    assert ways_of(ctx, "budget-1") == [("0", "a"), ("1", "b"), ("2", "a")]
    assert ways_of(ctx, "budget-3") == [("0", "a"), ("0", "b"), ("0", "c")]


def test_nested_sets_nest(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    full_pool(ctx, ways={P[0]: "abc", P[1]: "bc", P[2]: "ca"})
    one, two, three = (set(ways_of(ctx, f"heuristics-{n}")) for n in (1, 2, 3))
    assert one < two < three


def test_budget_arms_are_equal_in_size_and_default_to_the_first_heuristic(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    full_pool(ctx, ways={P[0]: "abc", P[1]: "ac", P[2]: "a", P[3]: "b"})
    assert [len(ways_of(ctx, f"budget-{n}")) for n in (1, 2, 3)] == [3, 3, 3]
    assert len({problem for problem, _ in ways_of(ctx, "budget-1")}) == 3


def test_budget_says_when_fewer_examples_exist(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ctx = context(tmp_path, select={"budget": 5})
    full_pool(ctx, ways={P[0]: "abc", P[1]: "a"})
    assert len(ways_of(ctx, "budget-1")) == 2
    assert "2 examples exist of the 5" in capsys.readouterr().err.replace("\n", " ")


def counted_pool(ctx, right: dict[str, dict[str, int]]) -> None:
    """Four attempts in each cell; so many of them are correct, each with a text of its own."""
    put_pool(
        ctx,
        [
            attempt(p, way, n, text=f"<{way}> {way}{n} of {p[-1]}",
                    status="correct" if n < ways.get(way, 0) else "wrong")
            for p, ways in right.items()
            for way in ("a", "b", "c", "plain")
            for n in range(4)
        ],
    )  # fmt: skip
    selection.run(ctx)


def test_favourite_is_the_way_that_solves_a_problem_most_often(tmp_path: Path) -> None:
    ctx = context(tmp_path, generate={"samples": 4, "plain_samples": 4})
    counted_pool(
        ctx,
        {
            P[0]: {"a": 1, "b": 3, "c": 2, "plain": 4},
            P[1]: {"b": 2, "c": 2},
            P[2]: {"plain": 4},
            P[3]: {"a": 1, "c": 4},
        },
    )
    assert ways_of(ctx, "favourite") == [("0", "b"), ("1", "b"), ("3", "c")]
    assert ways_of(ctx, "favourite", seed=7) == ways_of(ctx, "favourite")
    kept = {(row.problem_id[-1], row.heuristic, row.text) for row in
            training_rows(ctx, Line(arm="heuristics-3", seed=0))}  # fmt: skip
    for row in training_rows(ctx, Line(arm="favourite", seed=0)):
        assert (row.problem_id[-1], row.heuristic, row.text) in kept


def test_budget_one_takes_the_favourite_when_the_recipe_says_so(tmp_path: Path) -> None:
    right = {P[0]: {"a": 1, "b": 3}, P[1]: {"a": 2, "c": 2}, P[2]: {"b": 1, "c": 4}}
    for way, one in (("pack", "aab"), ("favourite", "bac")):
        ctx = context(tmp_path / way, generate={"samples": 4, "plain_samples": 4},
                      select={"budget": 3, "budget_way": way})  # fmt: skip
        counted_pool(ctx, right)
        assert ways_of(ctx, "budget-1") == list(zip("012", one, strict=True))
        assert {w for _, w in ways_of(ctx, "budget-2")} <= set("abc")
        assert len(ways_of(ctx, "budget-2")) == 3


def test_random_depends_on_the_seed_alone_and_varies(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    full_pool(ctx, ways={p: "abc" for p in P})
    draws = [ways_of(ctx, "random", seed) for seed in range(12)]
    assert draws[0] == ways_of(ctx, "random", 0)
    assert {problem for problem, _ in draws[0]} == {"0", "1", "2", "3"}
    assert {way for draw in draws for _, way in draw} == {"a", "b", "c"}


def test_a_row_carries_question_and_origin(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    full_pool(ctx, ways={P[2]: "p"})
    row = training_rows(ctx, Line(arm="star", seed=0))[0]
    assert (row.question, row.sample, row.heuristic) == ("What is 2 + 0?", 1, "plain")
    assert row.text.startswith("<plain>")


def test_an_empty_arm_says_what_to_change(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    put_pool(ctx, [attempt(p, "plain", 0, status="wrong") for p in P])
    put_pool(ctx, [attempt(P[0], "a", 0, text="no mark")])
    selection.run(ctx)
    with pytest.raises(
        NothingToTrainOn, match=r"^0 of 4 plain attempts correct: .*arm 'star' on; "
    ):
        training_rows(ctx, Line(arm="star", seed=0))
    with pytest.raises(
        NothingToTrainOn, match=r"1 of 1 attempts correct but none kept \(1 x adher"
    ):
        training_rows(ctx, Line(arm="heuristics-2", seed=0))


def test_yield_counts_add_up(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    put_pool(
        ctx,
        [
            attempt(P[0], "a", 0),
            attempt(P[0], "a", 1),
            attempt(P[0], "a", 2, status="no_answer"),
            attempt(P[1], "a", 0, finish="length", status="no_answer"),
            attempt(P[1], "plain", 0),
        ],
    )
    selection.run(ctx)
    a, b, _, plain = yield_rows(ctx)
    assert (a.attempts, a.correct, a.no_answer, a.truncated, a.kept, a.problems) == (
        4,
        2,
        2,
        1,
        1,
        1,
    )
    assert a.dropped == {"not the best": 1}
    assert (a.tokens, a.adherence, b.attempts, plain.kept) == (28, 1.0, 0, 1)
    stamp = json.loads(ctx.run.stamp_path("select").read_text())
    assert stamp["counts"] == {"attempts": 5, "correct": 3, "kept": 1, "plain_kept": 1}
