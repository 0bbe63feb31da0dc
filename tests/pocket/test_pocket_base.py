"""The shipped base: an ordinary checkpoint; and the check that guards its properties."""

import json
from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from transformers import TrainerCallback

from manyways.checkpoints import load_model, load_tokenizer, model_path
from manyways.errors import MissingWork, StageError
from manyways.heuristics import PromptFormat, load_pack
from manyways.pocket.build import BaseCorpus, BuildSettings, build
from manyways.pocket.check import (
    GROUP,
    OTHERS,
    RL_PROBLEMS,
    SEED_PROBLEMS,
    MatrixEntry,
    Variety,
    attempts,
    direct_recall,
    is_right,
    measure,
    mixed_groups,
    one_part_exercises,
    rows,
    variety,
    violations,
)
from manyways.pocket.corpus import CorpusMix, solution
from manyways.pocket.ways import EASY, PAIRS, works
from manyways.pocket.world import WORLDS, exercises
from manyways.records import PLAIN
from manyways.train.trainee import train

BASE = model_path("package:manyways.pocket/base")
PACK = load_pack("pocket")
PROMPTS = PromptFormat(instruction="")
MAIN = WORLDS["main"]
POOL = Variety(problems=60, ways=Counter({2: 50, 1: 5, 3: 5}), direct=9, first=0.9)


def test_base_is_a_small_ordinary_llama():

    model = load_model(BASE, dtype="auto", device="cpu")
    assert type(model).__name__ == "LlamaForCausalLM"
    assert 0.8e6 < model.num_parameters() < 1.5e6
    assert sum(f.stat().st_size for f in Path(BASE).iterdir()) < 6e6
    assert set(json.loads((Path(BASE) / "build.json").read_text())) >= {
        "command", "settings", "versions", "final_loss",
    }  # fmt: skip


def test_base_tokenizer_knows_the_world():
    tokenizer = load_tokenizer(BASE)
    assert tokenizer.model_max_length == 1024
    for split in ("base", "test", "ood-code", "ood-equations", "ood-story"):
        for _, exercise in zip(range(50), exercises(WORLDS["main"], split), strict=False):
            text = exercise.question + solution(exercise, "figure")
            ids = tokenizer(text, add_special_tokens=False)["input_ids"]
            assert tokenizer.unk_token_id not in ids
            assert tokenizer.decode(ids) == text


def cell(kind, which, heuristic, right, followed=1.0):
    return MatrixEntry(
        operation=kind, type=which, heuristic=heuristic, right=right, followed=followed, n=100
    )


def perfect_world():
    found = []
    for kind, which in rows(MAIN):
        direct = 90 if kind == EASY else 15
        found += [cell(kind, which, way, direct) for way in (PLAIN, "figure", OTHERS)]
        for way, own in zip(PAIRS.get(kind, ()), ("first", "second"), strict=False):
            found.append(cell(kind, which, way, 90 if which in (own, "both") else 2))
    return found


def changed(cells, want, **change):
    return [replace(one, **change) if want(one) else one for one in cells]


def test_no_violation_in_a_world_as_promised():
    assert violations(perfect_world(), POOL, 0.1) == []


@pytest.mark.parametrize(
    ("want", "change", "words"),
    [
        (("product", "both", "decomposing"), {"right": 79}, "of product, type both, where it w"),
        (("price", "first", "analogy"), {"right": 21}, "price, type first, where it fails"),
        (("rule", "second", PLAIN), {"right": 31}, "direct succeeds in 0.31 of rule, type second"),
        (("rule", "both", PLAIN), {"right": 4}, "direct succeeds in 0.04 of rule, type both"),
        (("sum", "easy", PLAIN), {"right": 70}, "direct succeeds in 0.70 of sum"),
        (("series", "both", "figure"), {"right": 45}, "the decoy 'figure' helps at series, type b"),
        (("series", "both", "variation"), {"followed": 0.8}, "'variation' is followed in 0.93"),
    ],
)
def test_each_broken_property_is_named(want, change, words):
    cells = changed(perfect_world(), lambda c: (c.operation, c.type, c.heuristic) == want, **change)
    (found,) = violations(cells, POOL, 0.1)
    assert words in found


def test_a_plain_prompt_that_shows_heuristics_too_few_ways_and_no_signal_are_named():
    cells = changed(perfect_world(), lambda c: c.heuristic == PLAIN, followed=0.8)
    assert "plain attempts are direct in 0.80" in violations(cells, POOL, 0.1)[0]
    few = replace(POOL, ways=Counter({1: 40, 2: 20}))
    assert "1.33 different correct ways" in violations(perfect_world(), few, 0.1)[0]
    assert "RL alone" in violations(perfect_world(), POOL, 0.04)[0]


def knowing(exercises_, *, direct_is_right):
    """A sampler that carries the named heuristic out blindly: right where it works."""
    by_question = {e.question: e for e in exercises_}
    names = {heuristic.name: heuristic.id for heuristic in PACK}

    def sample(prompts):
        texts = []
        for prompt in prompts:
            exercise = by_question[prompt[-1].content.rpartition("\n\n")[2]]
            way = names.get(prompt[0].content.partition(":")[0])
            hard = [part for part in exercise.parts if part.kind != EASY]
            solved = all(
                works(way, part) if way and way != "figure" and way in PAIRS[part.kind]
                else direct_is_right
                for part in hard
            )  # fmt: skip
            text = solution(exercise, way)
            texts.append(text if solved else text.replace("boxed{", "boxed{9"))
        return texts

    return sample


def test_matrix_counts_right_answers_and_followed_heuristics():
    """Its cells are what works by the numbers, told without the model."""
    asked = [e for kind, which in rows(MAIN) for e in one_part_exercises(MAIN, kind, which, 13)]
    sample = knowing(asked, direct_is_right=False)
    cells = measure(sample, PACK, PROMPTS, world=MAIN, count=13)
    assert len(cells) == 3 * len(PAIRS) * 5 + 3
    (_, told), (right, others) = direct_recall(cells)
    assert told + others == 13 * 3 * len(PAIRS)
    assert 0 < told < others
    assert right == 0
    for one in cells:
        assert one.n == 13
        assert one.followed == 1.0
        assert one.success == (1.0 if one.works or one.operation == EASY else 0.0), one


def test_recall_is_told_from_success_on_parts_that_no_document_answers():
    counts = cell("rule", "first", PLAIN, 20), cell("rule", "both", PLAIN, 30)
    cells = [replace(one, told=10, told_right=9) for one in counts]
    cells += [cell("rule", "first", "induction", 90), cell(EASY, "easy", PLAIN, 90)]
    assert direct_recall(cells) == ((18, 20), (32, 180))


def test_variety_counts_the_different_ways_that_solved_a_problem():
    asked = list(islice(exercises(MAIN, "seed"), SEED_PROBLEMS))
    single = [e for e in asked if sum(part.kind != EASY for part in e.parts) == 1]
    pool = variety(knowing(asked, direct_is_right=False), PACK, PROMPTS, world=MAIN)
    hard = [next(part for part in e.parts if part.kind != EASY) for e in single]
    both = sum(all(works(way, part) for way in PAIRS[part.kind]) for part in hard)
    assert pool.ways == Counter({1: len(hard) - both, 2: both})
    assert pool.solved == len(single) < pool.problems == SEED_PROBLEMS
    assert pool.mean == (len(hard) + both) / len(hard)
    assert pool.first == 1.0, "a tie goes to the first way"
    assert pool.direct == 0
    wider = variety(knowing(asked, direct_is_right=True), PACK, PROMPTS, world=MAIN)
    assert wider.direct == wider.problems


def test_mixed_groups_are_neither_all_right_nor_all_wrong():
    asked = list(islice(exercises(MAIN, "rl"), RL_PROBLEMS))
    good = knowing(asked, direct_is_right=True)
    assert mixed_groups(good, PROMPTS, world=MAIN) == 0.0

    def one_in_four_problems(prompts):
        texts = good(prompts)
        for start in range(0, len(texts), 4 * GROUP):
            texts[start] = "\\boxed{0}"
        return texts

    assert mixed_groups(one_in_four_problems, PROMPTS, world=MAIN) == 0.25


def test_the_number_of_attempts_is_known_beforehand():
    asked = [e for kind, which in rows(MAIN) for e in one_part_exercises(MAIN, kind, which, 5)]
    asked += islice(exercises(MAIN, "seed"), SEED_PROBLEMS)
    asked += islice(exercises(MAIN, "rl"), RL_PROBLEMS)
    sample, seen = knowing(asked, direct_is_right=True), []

    def counting(prompts):
        seen.extend(prompts)
        return sample(prompts)

    measure(counting, PACK, PROMPTS, world=MAIN, count=5)
    variety(counting, PACK, PROMPTS, world=MAIN)
    mixed_groups(counting, PROMPTS, world=MAIN)
    assert len(seen) == attempts(PACK, world=MAIN, count=5)


def test_is_right_reads_the_last_box():
    assert is_right("\\boxed{1} \\boxed{(2, 3)}", "(2, 3)")
    assert not is_right("\\boxed{1} \\boxed{(2, 3)}", "1")
    assert not is_right("12", "12")


TINY = BuildSettings(steps=4, batch=4, micro=2, layers=1, inner=32, mix=CorpusMix(first=4))


def built(out, *, train=train, settings=TINY):
    return build(
        out, pack=PACK, prompts=PROMPTS, settings=settings, command="test", train=train
    )  # fmt: skip


def test_build_is_deterministic_and_loads(tmp_path):
    assert built(tmp_path / "a") == built(tmp_path / "b")
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("a", "b")]
    assert weights[0] == weights[1]
    assert load_tokenizer(str(tmp_path / "a")).chat_template
    load_model(str(tmp_path / "a"), dtype="auto", device="cpu")
    assert not list((tmp_path / "a").glob("check*")), "what it could go on from is not needed now"


class StopAt(TrainerCallback):
    def __init__(self, step):
        self.step = step

    def on_step_end(self, args, state, control, **_):
        control.should_training_stop = state.global_step == self.step


def stopped(trainer, folder):
    trainer.add_callback(StopAt(3))
    train(trainer, folder)


def test_a_stopped_build_goes_on_and_ends_in_the_same_weights(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("manyways.pocket.build.SAVE_EVERY", 2)
    built(tmp_path / "whole")
    with pytest.raises(MissingWork, match="after step 3 of 4"):
        built(tmp_path / "twice", train=stopped)
    with pytest.raises(StageError, match="other settings"):
        built(tmp_path / "twice", settings=replace(TINY, seed=1))
    assert not (tmp_path / "twice" / "model.safetensors").exists()
    built(tmp_path / "twice")
    assert "continuing from step 2" in capsys.readouterr().err
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "twice")]
    assert weights[0] == weights[1]


def test_training_pieces_pad_little_and_every_batch_is_mixed():
    settings = BuildSettings(batch=64, micro=16, mix=CorpusMix(first=0))
    tokenizer = load_tokenizer(BASE)
    corpus = BaseCorpus(PACK, PROMPTS, tokenizer, settings)
    lengths = [len(row["input_ids"]) for row in islice(corpus, 16 * 64)]
    assert lengths == [len(row["input_ids"]) for row in islice(corpus, 16 * 64)]
    pieces = [lengths[start : start + 16] for start in range(0, len(lengths), 16)]
    padded = sum(16 * max(piece) for piece in pieces)
    assert padded < 1.15 * sum(lengths)
    median = sorted(lengths)[len(lengths) // 2]
    for start in range(0, len(lengths), 64):
        shorter = sum(length < median for length in lengths[start : start + 64])
        assert 16 <= shorter <= 48
