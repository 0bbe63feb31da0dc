from collections.abc import Sequence
from dataclasses import replace

import pytest
from fake_run import recipe_tree

from manyways.measures import Finding
from manyways.measures.arms import ArmRow, unfinished_sentences
from manyways.measures.catalogue import findings
from manyways.measures.paired import PairedRow
from manyways.measures.pass_at_k import PASS_AT_K, PassRow
from manyways.measures.seen import Seen
from manyways.recipe import parse_recipe
from manyways.records import Score


def score(value: float, low: float, high: float, n: int = 100) -> Score:
    return Score(name="s", value=value, low=low, high=high, n=n)


def passed(checkpoint: str, k: int, value: float, seed: int | None = None) -> PassRow:
    arm, _, phase = checkpoint.partition("/")
    return PassRow(
        checkpoint=checkpoint, arm=arm, seed=seed, phase=phase or "base", benchmark="test", k=k,
        attempts=1600, score=score(value, value - 0.05, value + 0.05),
    )  # fmt: skip


def pair(k: int, low: float, high: float, a: str = "heuristics-2/rl", **more: object) -> PairedRow:
    fields = {"b": "vanilla/rl", "benchmark": "test", "p": 0.001} | more
    return PairedRow(a=a, k=k, difference=score((low + high) / 2, low, high), **fields)


THREE = ("vanilla", "star", "heuristics-2")


def seen(
    *,
    arms: tuple[str, ...] = THREE,
    seeds: int = 1,
    pairs: Sequence[PairedRow] = (pair(1, 0.1, 0.3), pair(16, -0.02, 0.2)),
    passes: Sequence[PassRow] | None = None,
    outcomes: Sequence[ArmRow] = (),
) -> Seen:
    """A finished run with a few of its tables."""
    rows = {"heuristics-2/rl": (0.5, 0.8), "vanilla/rl": (0.3, 0.7), "base": (0.25, 0.75)}
    scores = [passed(c, k, v[i]) for c, v in rows.items() for i, k in enumerate((1, 16))]
    tree = recipe_tree(arms, range(seeds))
    return Seen(
        name="made",
        recipe=parse_recipe(tree, "test"),
        tables={
            "pass_at_k": scores if passes is None else list(passes),
            "paired": list(pairs),
            "arms": list(outcomes),
        },
    )


def said(given: Seen) -> list[Finding]:
    return list(findings(given))


def main(given: Seen) -> str:
    return said(given)[0].sentence


def kinds(given: Seen, kind: str) -> str:
    return " ".join(f.sentence for f in said(given) if f.kind == kind)


def test_the_first_sentence_answers_the_question_with_numbers() -> None:
    found = said(seen())[0]
    assert found.kind == "main"
    assert found.sentence.startswith(
        "Partly: RL after learning many ways (heuristics-2) beats RL alone"
    )
    assert "with no difference found at pass@16" in found.sentence
    assert "0.50 against 0.30, difference +0.20 [+0.10, +0.30]" in found.sentence
    assert "n = 100 problems, 1 seed" in found.sentence


@pytest.mark.parametrize(
    ("rows", "start"),
    [
        ([pair(1, -0.1, 0.1), pair(16, -0.1, 0.1)], "Cannot tell, because no difference was"),
        ([pair(1, -0.2, -0.1), pair(16, -0.1, 0.1)], "No: "),
        ([pair(1, 0.1, 0.2), pair(16, -0.2, -0.1)], "Partly: "),
        ([pair(1, 0.1, 0.2), pair(16, 0.1, 0.2)], "Partly: RL after learning many ways"),
    ],
)
def test_the_answer_follows_from_the_intervals(rows: list[PairedRow], start: str) -> None:
    assert main(seen(pairs=rows)).startswith(start)


def test_seeds_can_take_a_difference_back() -> None:
    wide = [pair(1, 0.1, 0.3, seeds=score(0.2, -0.1, 0.5, n=3))]
    sentence = main(seen(pairs=wide, seeds=3))
    assert sentence.startswith("Cannot tell, because no difference was found")
    assert "over 3 seeds [−0.10, +0.50]" in sentence


def test_a_missing_side_is_explained() -> None:
    stopped = ArmRow(
        arm="heuristics-2", seed=0, examples=0, problems=0, ways=0.0, midtrain_steps=0, rl_steps=0,
        outcome="the gate refused it.",
    )  # fmt: skip
    given = seen(pairs=[], outcomes=[stopped])
    assert "Not answered: heuristics-2 (seed 0): the gate refused it." in main(given)
    assert "no vanilla arm" in main(seen(pairs=[], arms=("star",)))
    assert "none that learns before RL" in main(seen(pairs=[], arms=("vanilla",)))
    assert main(seen(passes=[], pairs=[])).startswith("Nothing has been evaluated")


def row(arm: str, seed: int, outcome: str, rl_steps: int = 0) -> ArmRow:
    return ArmRow(
        arm=arm, seed=seed, examples=0, problems=0, ways=0.0, midtrain_steps=0, rl_steps=rl_steps,
        outcome=outcome,
    )  # fmt: skip


def test_what_has_stopped_is_told_once_with_the_command_that_goes_on() -> None:
    begun = [row("heuristics-2", seed, "not begun") for seed in range(1, 5)]
    begun += [row("star", seed, "not begun") for seed in range(1, 5)]
    refused = row("vanilla", 0, "the gate refused it.")
    given = seen(pairs=[], outcomes=[row("heuristics-2", 0, "not finished"), *begun, refused])
    on = "`manyways run made`, in the folder that holds this run, goes on."
    assert unfinished_sentences(given) == (
        f"heuristics-2 (seed 0): not finished; {on}",
        f"heuristics-2 and star (seeds 1 to 4): not begun; {on}",
        "vanilla (seed 0): the gate refused it.",
    )


def test_an_arm_that_is_trained_and_not_evaluated_names_the_command_that_goes_on() -> None:
    trained = [row(arm, 0, "complete", rl_steps=3) for arm in ("vanilla", "heuristics-2")]
    told = "vanilla and heuristics-2 (seed 0): trained, and not evaluated after RL"
    given = seen(pairs=[], outcomes=trained)
    assert f"({told}). It goes on with manyways run made." in main(given)
    on = "`manyways run made`, in the folder that holds this run, goes on."
    assert unfinished_sentences(given) == (f"{told}; {on}",)


def test_rl_lowering_pass_at_large_k_is_said() -> None:
    rows = [
        pair(1, 0.02, 0.08, "vanilla/rl", b="base"),
        pair(16, -0.09, -0.01, "vanilla/rl", b="base"),
    ]
    text = kinds(seen(pairs=rows), "main")
    assert "RL alone against the untouched base: higher at pass@1" in text
    assert "lower at pass@16" in text
    assert "The base catches up at about k = " in text


def test_cautions_for_few_seeds_few_problems_and_many_comparisons() -> None:
    text = kinds(seen(), "caution")
    assert "One training seed: " in text
    assert "2 paired comparisons" in text
    assert "of 1 leave out 0" in text
    small = [replace(row, score=replace(row.score, n=30)) for row in seen().rows(PASS_AT_K)]
    assert "Fewer than 50 problems: test (30)" in kinds(seen(passes=small), "caution")
    assert "seed" not in kinds(seen(seeds=3), "caution")


def test_contrasts_speak_of_the_main_arm_only() -> None:
    rows = [pair(1, 0.1, 0.2, b="star/rl"), pair(1, 0.1, 0.2, "heuristics-1/rl", b="star/rl")]
    arms = ("star", "heuristics-1", "heuristics-2")
    text = kinds(seen(pairs=rows, arms=arms), "mechanism")
    assert "(heuristics-2 against star): higher" in text
    assert "heuristics-1" not in text


def test_variants_are_not_the_main_arm_and_are_compared_with_theirs() -> None:
    arms = ("heuristics-2@9", "star", "matched-2", "heuristics-2", "heuristics-2@round2")
    assert seen(arms=arms).main == "heuristics-2"
    rows = [
        pair(1, 0.1, 0.2, b="matched-2/rl"),
        pair(1, 0.1, 0.2, "heuristics-2@9/rl", b="heuristics-2/rl"),
        pair(1, 0.1, 0.2, "heuristics-2@round2/rl", b="heuristics-2/rl"),
        pair(1, 0.1, 0.2, "heuristics-2@round2/rl", b="heuristics-2@9/rl"),
        pair(1, 0.1, 0.2, "heuristics-2@round2/rl", b="vanilla/rl"),
    ]
    text = kinds(seen(pairs=rows, arms=arms), "mechanism")
    for words in (
        "Many ways of a problem against one, all problems alike, both after RL (heuristics-2",
        "of another length, both after RL (heuristics-2@9 against heuristics-2): higher",
        "One more round of writing a pool and mid-training on it, both after RL (heuristics-2@ro",
        "longer mid-training on the first pool, both after RL (heuristics-2@round2 against heur",
    ):
        assert words in text
    assert "vanilla" not in text


def test_lengths_of_mid_training_are_told_where_they_differ() -> None:
    def row(arm: str, steps: int, epochs: float) -> ArmRow:
        return ArmRow(
            arm=arm, seed=0, examples=10, problems=5, ways=2.0, midtrain_steps=steps, rl_steps=3,
            outcome="complete", epochs=epochs,
        )  # fmt: skip

    same = [row("star", 50, 9.0), row("heuristics-2", 50, 6.64)]
    text = kinds(seen(outcomes=same), "training")
    assert "the same number of steps, so it sees its data: star 9.0 times, heuristics-2 6.6" in text
    other = [*same, row("star@25", 25, 4.5)]
    text = kinds(seen(outcomes=other), "training")
    assert "different lengths; each sees its data: star 50 steps, 9.0 times" in text
    assert "star@25 25 steps, 4.5 times" in text
