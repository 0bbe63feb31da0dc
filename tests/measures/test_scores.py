"""avg@N, majority@k, rates and the means over benchmarks, from attempts to tables."""

from pathlib import Path

import pytest
from made_runs import attempt, context, put_evaluation, seen_of

from manyways.measures import read_rows
from manyways.measures.averages import AverageRow, MajorityRow
from manyways.measures.benchmarks import (
    MATH_MEAN,
    MATH_SETS,
    MEAN,
    OPEN_MEAN,
    headline,
    means,
    without_revision,
)
from manyways.measures.catalogue import findings
from manyways.measures.material import guessing_pass_at_k
from manyways.measures.pass_at_k import PassRow
from manyways.measures.pass_at_k import blocks as pass_blocks
from manyways.measures.rates import RateRow
from manyways.records import Problem, Verdict
from manyways.reporting import Charts, Fold
from manyways.stages import analyse
from manyways.verifiers.answers.votes import Said, same_votes

TEST, HARD = "made_runs:load/test?count=12", "made_runs:load/hard?count=10"


def put(ctx, checkpoint: str, benchmark: str, answers: dict[int, list[str | None]]) -> None:
    """``answers``: problem number -> what each attempt answered; its number is the right one."""
    split = benchmark.split("/")[1].split("?", maxsplit=1)[0]
    rows = []
    for number, given in answers.items():
        for sample, answer in enumerate(given):
            status = (
                "no_answer" if answer is None else "correct" if answer == str(number) else "wrong"
            )
            finish = "length" if answer is None else "stop"
            row = attempt(f"made/{split}/{number:03d}", sample=sample, finish=finish)
            verdict = Verdict(status=status, answer=answer, rule="boxed")
            rows.append(_judged(row, verdict))
    put_evaluation(ctx, checkpoint, benchmark, rows)


def _judged(row, verdict: Verdict):
    from dataclasses import replace

    return replace(row, verdict=verdict)


def table(ctx, name: str, kind: type) -> list:
    return read_rows(ctx.run.path("7-tables", f"{name}.json"), kind)


def test_average_with_its_error_across_attempts(tmp_path: Path) -> None:
    ctx = context(tmp_path, seeds=[0, 1])
    put(ctx, "base", TEST, {1: ["1", "1", "2", None], 2: ["2", "2", "2", "2"]})
    for seed in (0, 1):
        put(ctx, f"vanilla/seed-{seed}/rl", TEST, {1: ["1", "2", "2", "1"]})
    analyse.run(ctx)
    rows = {(r.checkpoint, r.benchmark): r for r in table(ctx, "averages", AverageRow)}
    base = rows["base", TEST]
    assert (base.score.name, base.score.value, base.least, base.most) == ("avg@4", 0.75, 4, 4)
    assert base.error == pytest.approx((0.25 / 3) ** 0.5 / 2), "only problem 1 is a matter of luck"
    single, pooled = rows["vanilla/seed-0/rl", TEST], rows["vanilla/rl", TEST]
    assert pooled.error == pytest.approx(single.error / 2**0.5)
    passes = {(r.checkpoint, r.k): r.score for r in table(ctx, "pass_at_k", PassRow)}
    assert (base.score.low, base.score.high) == (passes["base", 1].low, passes["base", 1].high)


def test_unequal_numbers_of_attempts_are_named(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    put(ctx, "base", TEST, {1: ["1"], 2: ["2", "3", "2"]})
    analyse.run(ctx)
    row = table(ctx, "averages", AverageRow)[0]
    assert (row.score.name, row.least, row.most, row.error) == ("avg@1-3", 1, 3, None)
    assert row.score.value == pytest.approx((1 + 2 / 3) / 2)


def test_majority_groups_answers_by_what_they_mean(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    put(ctx, "base", TEST, {1: ["1", "2", r"\frac{4}{2}", "2.0"], 2: ["2", "2", "1", None]})
    analyse.run(ctx)
    rows = {r.k: r.score for r in table(ctx, "majority", MajorityRow) if r.benchmark == TEST}
    assert list(rows) == [1, 2, 4]
    assert rows[4].name == "maj@4"
    assert rows[4].value == 0.5, "three spellings of 2 outvote 1; 2, 2 beat 1"
    assert rows[1].value == pytest.approx((0.25 + 0.5) / 2)


def test_answers_that_the_verifier_calls_equal_are_one_vote(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    put(ctx, "base", TEST, {1: ["1", "5", r"\$5", "7"], 2: ["2"] * 4})
    analyse.run(ctx)
    rows = {r.k: r.score for r in table(ctx, "majority", MajorityRow) if r.benchmark == TEST}
    assert rows[4].value == 0.5, "two spellings of 5 outvote 1 and 7; apart they would tie"


def test_the_judge_is_not_asked_whether_numbers_are_one_vote() -> None:
    asked: list[tuple[Problem, str]] = []

    class Counting:
        def verdicts(self, pairs, policy):
            asked.extend(pairs)
            return [Verdict(status="wrong") for _ in pairs]

    said = [Said("p", answer) for answer in ("1", "2", "1/2", "-3", "x", "y")]
    assert same_votes(said, Counting()) == ["1", "2", "1/2", "-3", "x", "y"]
    answers = {(problem.answer, text) for problem, text in asked}
    assert len(answers) == len(asked) == 4 * 2 + 1, "each number against x and y, and x against y"


def test_programs_do_not_vote(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    put(ctx, "base", TEST, {1: ["1", "1"]})
    put(ctx, "base", HARD, {1: ["1", "1"]})
    programs = [
        Problem(id=p.id, question=p.question, answer="", verifier="python_tests")
        for p in ctx.problems(HARD, None)
    ]
    ctx.sets._usable[HARD] = programs
    analyse.run(ctx)
    assert {r.benchmark for r in table(ctx, "majority", MajorityRow)} == {TEST}
    assert {r.benchmark for r in table(ctx, "averages", AverageRow)} == {TEST, HARD, MEAN}


def test_rates_stand_beside_pooled_scores_and_means(tmp_path: Path) -> None:
    ctx = context(tmp_path, seeds=[0, 1])
    put(ctx, "vanilla/seed-0/rl", TEST, {1: ["1", None]})
    put(ctx, "vanilla/seed-1/rl", TEST, {1: ["1", "1"], 2: ["1", "1"]})
    put(ctx, "vanilla/seed-0/rl", HARD, {1: [None, None]})
    analyse.run(ctx)
    rows = {(r.checkpoint, r.benchmark): r for r in table(ctx, "rates", RateRow)}
    pooled = rows["vanilla/rl", TEST]
    assert (pooled.attempts, pooled.no_answer, pooled.truncated) == (6, 1 / 6, 1 / 6)
    assert pooled.correct == pytest.approx(0.5)
    assert rows["vanilla/seed-0/rl", MEAN].no_answer == 0.75
    assert ("vanilla/seed-1/rl", MEAN) not in rows, "it lacks a benchmark"
    assert [r.checkpoint for r in rows.values() if r.measured] == [
        "vanilla/seed-0/rl", "vanilla/seed-1/rl", "vanilla/seed-0/rl",
    ]  # fmt: skip


def test_the_six_math_sets_have_a_mean_of_their_own() -> None:
    assert means(MATH_SETS, ()) == {MEAN: list(MATH_SETS)}
    pinned = [f"{name}?revision=abc" for name in MATH_SETS]
    assert means([*pinned, "humaneval/test"], ()) == {
        MEAN: [*pinned, "humaneval/test"], MATH_MEAN: pinned,
    }  # fmt: skip
    assert MATH_MEAN not in means([*MATH_SETS[:5], "math500/test?level=5", "humaneval/test"], ())
    assert without_revision("math500/test?level=5") == "math500/test?level=5"
    assert means(["aime24/test"], ()) == {}


def test_guessing_a_letter_is_right_one_time_in_four_and_nine_in_ten_of_eight() -> None:
    assert guessing_pass_at_k([4, 4, 4], 1) == pytest.approx(0.25)
    assert guessing_pass_at_k([4], 8) == pytest.approx(1 - 0.75**8)
    assert guessing_pass_at_k([2, 4], 1) == pytest.approx(0.375), "the mean over problems"


def test_a_choice_set_has_its_line_of_chance_and_is_left_out_of_the_headline(
    tmp_path: Path,
) -> None:
    letters = "made_runs:load/letters?count=9&options=4"
    ctx = context(tmp_path, arms=("vanilla", "star"), evaluate={"benchmarks": [TEST, letters]})
    for name, right in (("base", 1), ("vanilla/seed-0/rl", 1), ("star/seed-0/rl", 2)):
        for benchmark, split, count in ((TEST, "test", 12), (letters, "letters", 9)):
            put_evaluation(ctx, name, benchmark, [
                attempt(f"made/{split}/{i:03d}", sample=n,
                        status="correct" if n < right else "wrong")
                for i in range(count) for n in range(4)
            ])  # fmt: skip
    seen = seen_of(ctx)
    assert seen.choices == {letters}
    assert seen.chance(letters) == pytest.approx({1: 0.25, 2: 0.4375, 4: 0.68359375})
    assert seen.chance(TEST) == {}
    assert (seen.headline, seen.answered_on) == (OPEN_MEAN, [TEST])
    assert {row.benchmark for row in seen.pairs} == {MEAN, OPEN_MEAN, TEST, letters}
    said = [f.sentence for f in findings(seen) if "multiple choice" in f.sentence]
    assert any(
        "guessing scores 0.25 at pass@1 and 0.68 at pass@4, and 0 of 3 checkpoints do not score "
        "above that at pass@4. It is left out of the headline." in sentence
        for sentence in said
    )  # fmt: skip
    chart = next(c for c in charts_of(seen) if c.title == letters)
    assert any(trace["meta"] == {"line": "chance"} for trace in chart.spec["data"])
    assert "Multiple choice: guessing scores 0.25 at pass@1" in chart.note


def charts_of(seen):
    """Of the page, those in folds too."""
    blocks = list(pass_blocks(seen))
    blocks += [inner for block in blocks if isinstance(block, Fold) for inner in block.blocks]
    return [c for block in blocks if isinstance(block, Charts) for c in block.charts]


def test_the_headline_leaves_out_what_can_be_guessed_where_something_else_is_asked() -> None:
    assert headline([MEAN, OPEN_MEAN, "a", "b"]) == OPEN_MEAN
    assert means(["a", "b", "c"], {"c"}) == {MEAN: ["a", "b", "c"], OPEN_MEAN: ["a", "b"]}
    assert means(["a", "c"], {"c"})[OPEN_MEAN] == ["a"]
    assert set(means(["a", "b"], {"a", "b"})) == set(means(["a", "b"], set())) == {MEAN}
