"""Names of arms: every one has one spelling, which is safe as a folder's name, or a nearest one."""

import re
from pathlib import Path

import pytest

from manyways.arms import Arm, check_arms, main_arm, parse_arm
from manyways.arms.kinds import BY_NAME, KINDS, Kind, table
from manyways.measures.paired import comparisons
from manyways.recipe.training import MidtrainConfig
from manyways.reporting.words import arm_words


def test_a_length_makes_a_variant() -> None:
    assert parse_arm("heuristics-8@25") == Arm(
        name="heuristics-8@25", kind=BY_NAME["heuristics"], ways=8, steps=25
    )
    assert parse_arm("star@2epochs").epochs == 2.0
    assert parse_arm("random@0.5epochs").epochs == 0.5
    assert (parse_arm("star").parent, parse_arm("star").suffix) == (None, "")
    assert (parse_arm("star@10").parent, parse_arm("star@10").suffix) == ("star", "@10")
    assert parse_arm("matched-4").ways == 4


@pytest.mark.parametrize(
    ("names", "main"),
    [
        ("vanilla star random", "star"),
        ("vanilla random star", "random"),
        ("vanilla star heuristics-2 heuristics-8", "heuristics-8"),
        ("vanilla heuristics-8@25 heuristics-2 heuristics-8@round2", "heuristics-2"),
        ("vanilla budget-1 budget-8", "budget-1"),
        ("vanilla+long heuristics-8+long heuristics-2", "heuristics-2"),
        ("vanilla", None),
    ],
)
def test_one_arm_is_the_main_one(names: str, main: str | None) -> None:
    found = main_arm([parse_arm(name) for name in names.split()])
    assert (found and found.name) == main


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("starr", "star"),
        ("heuristic-8", "heuristics-8"),
        ("heuristics-08", "heuristics-8"),
        ("match-4", "matched-4"),
        ("heuristics8", "heuristics-8"),
        ("heuristics-8@25steps", "heuristics-8@25"),
        ("heuristics-8@025", "heuristics-8@25"),
        ("heuristics-8@2epoch", "heuristics-8@2epochs"),
        ("star@1.50epochs", "star@1.5epochs"),
        ("sta@3", "star@3"),
        ("star@round-2", "star@round2"),
        ("heuristics-8@round02", "heuristics-8@round2"),
        ("heuristics-8@round2@25", "heuristics-8@25@round2"),
        ("distil-8", "distilled-8"),
    ],
)
def test_a_misspelt_arm_is_answered_with_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(ValueError, match=f"did you mean '{re.escape(nearest)}'"):
        parse_arm(name)
    parse_arm(nearest)


@pytest.mark.parametrize(
    "name",
    ["", "@25", "star@", "star@0", "star@0epochs", "star@-3", "star@epochs", "star@1e3", "star@@3",
     "star@3@4", "star-3", "heuristics-0", "heuristics-1000", "../star", "star@2 epochs",
     "star@round1", "star@round2@round3", "star@round100",
     "heuristics-8\n", "heuristics-٣"],
)  # fmt: skip
def test_what_is_no_arm_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="unknown arm"):
        parse_arm(name)


def test_vanilla_has_no_variants_and_another_model_no_rounds() -> None:
    for name in ("vanilla@25", "vanilla@round2"):
        with pytest.raises(ValueError, match="vanilla has no mid-training"):
            parse_arm(name)
    with pytest.raises(ValueError, match="rounds are of one's own attempts"):
        parse_arm("distilled-8@round2")


def test_rounds_come_after_the_length_and_follow_one_another() -> None:
    third = parse_arm("heuristics-8@25@round3")
    assert (third.steps, third.round, third.parent) == (25, 3, "heuristics-8@25@round2")
    assert parse_arm("heuristics-8@25@round2").parent == "heuristics-8@25"
    assert parse_arm("star@round2").parent == "star"
    assert parse_arm("star").round == 1


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["star@round2"], "'star@round2' goes on from 'star': list that one before it"),
        (["star@round2", "star"], "list that one before it"),
        (["star", "star@round3"], "goes on from 'star@round2'"),
        (["star", "star@5@round2"], "goes on from 'star@5'"),
        (["heuristics-9"], "'heuristics-9' needs heuristics.count >= 9, it is 8"),
        (["distilled-2"], r"'distilled-2' needs \[distill\]"),
    ],
)
def test_a_recipe_has_what_its_arms_need(names: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_arms([parse_arm(name) for name in names], heuristics=8, distills=False)


def test_distilled_arms_need_no_heuristics() -> None:
    names = ["star", "star@5", "star@5@round2", "star@5@round3", "distilled-16"]
    check_arms([parse_arm(name) for name in names], heuristics=8, distills=True)


def test_names_are_safe_as_folders() -> None:
    for name in ("heuristics-8@25", "star@0.25epochs", "matched-64@12epochs@round2", "star@2+long"):
        parse_arm(name)
        assert re.fullmatch(r"[a-z0-9.@+-]+", name)
    for name in ("star+", "star+../x", "star+A", "star+a+b", "star+-a", "star+a b"):
        with pytest.raises(ValueError, match="after \\+ stands one word"):
            parse_arm(name)


def test_settings_of_its_own_make_another_arm() -> None:
    found = parse_arm("heuristics-8@25+long-rl")
    assert (found.ways, found.steps, found.label) == (8, 25, "long-rl")
    assert (found.parent, found.suffix) == ("heuristics-8@25", "@25+long-rl")
    assert parse_arm("vanilla+entropy").parent == "vanilla"
    with pytest.raises(ValueError, match="a later round has no settings of its own"):
        parse_arm("star@round2+long")


def test_settings_of_rl_are_compared_with_the_same_arm_and_with_many_ways() -> None:
    names = ("vanilla", "vanilla+entropy", "heuristics-8", "heuristics-8+entropy")
    found = comparisons([parse_arm(name) for name in names])
    for pair in (
        ("vanilla+entropy", "vanilla"),
        ("heuristics-8+entropy", "heuristics-8"),
        ("heuristics-8", "vanilla+entropy"),
        ("heuristics-8+entropy", "vanilla"),
    ):
        assert tuple(f"{arm}/rl" for arm in pair) in found


def test_a_variant_is_trained_for_its_own_length() -> None:
    section = MidtrainConfig(steps=50, batch_size=4, learning_rate=1e-4, max_length=9)
    assert section.of(parse_arm("star")) is section
    assert section.of(parse_arm("star@25")).steps_for(1000) == 25
    assert section.of(parse_arm("star@2epochs")).steps_for(30) == 15
    assert section.of(parse_arm("star@0.5epochs")).steps_for(2) == 1
    epochs = section.model_copy(update={"steps": None, "epochs": 3.0})
    assert epochs.of(parse_arm("star@7")).steps_for(1000) == 7
    assert epochs.of(parse_arm("star")).steps_for(8) == 6


def test_variants_are_compared_with_their_arm_and_with_variants_of_their_length() -> None:
    names = ["vanilla", "star", "heuristics-8", "matched-8", "star@2epochs", "heuristics-8@2epochs",
             "heuristics-8@25", "heuristics-8@100", "heuristics-8@round2"]  # fmt: skip
    pairs = comparisons([parse_arm(name) for name in names])
    for pair in (
        ("heuristics-8/rl", "star/rl"),
        ("heuristics-8/rl", "matched-8/rl"),
        ("heuristics-8@2epochs/rl", "star@2epochs/rl"),
        ("heuristics-8@25/mid", "heuristics-8/mid"),
        ("heuristics-8@25/rl", "vanilla/rl"),
        ("heuristics-8@round2/rl", "heuristics-8/rl"),
        ("heuristics-8@round2/rl", "heuristics-8@100/rl"),
    ):
        assert pair in pairs
    assert ("heuristics-8/rl", "star@2epochs/rl") not in pairs
    assert ("heuristics-8@round2/rl", "heuristics-8@25/rl") not in pairs
    assert len(set(pairs)) == len(pairs)


def test_every_arm_is_told_in_words() -> None:
    told = {
        "matched-8": "repeated: problems and heuristics as often as in heuristics-8",
        "star@25": "STaR); mid-trained for 25 steps",
        "heuristics-8@0.5epochs": "per heuristic; mid-trained for 0.5 epochs",
        "random@round2": "at random; round 2, written by the mid-trained random, which goes on",
        "distilled-1": "1 correct solution per problem by another model: not self-generated",
    }
    for name, words in told.items():
        assert words in arm_words(name)
    assert arm_words("base") == ""


def test_the_readme_has_the_table_of_kinds() -> None:
    readme = Path(__file__).parents[1] / "README.md"
    assert table() in readme.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_says_what_it_is_read_against(kind: Kind) -> None:
    assert bool(kind.asks) == bool(kind.contrast) == (kind.against is not None)
    assert (kind.pick is None) == (kind.prompts == "none")
    assert kind.words(1) and kind.words(8)


def test_the_same_arm_of_another_kind() -> None:
    arm = parse_arm("heuristics-8@25")
    assert (arm.as_kind("wrong"), arm.as_kind("star")) == ("wrong-8@25", "star@25")
