"""The shipped base: an ordinary checkpoint; and the check that guards its properties."""

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from manyways.checkpoints import load_model, load_tokenizer, model_path
from manyways.heuristics.catalogue import load_pack
from manyways.heuristics.prompts import PromptFormat
from manyways.pocket.build import BaseCorpus, BuildSettings, build
from manyways.pocket.check import Cell, is_right, measure, singles, violations
from manyways.pocket.corpus import CorpusMix
from manyways.pocket.kinds import KINDS
from manyways.pocket.labeller import OPERATIONS
from manyways.pocket.solutions import solution
from manyways.pocket.world import WORLDS, exercises
from manyways.records import PLAIN

BASE = model_path("package:manyways.pocket/base")
PACK = load_pack("pocket")
PROMPTS = PromptFormat(instruction="")
MATCH = {kinds[0]: h for h, kinds in OPERATIONS.items() if len(kinds) < len(KINDS)}


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


def perfect_world():
    return [
        Cell(operation=kind, heuristic=way, right=right, followed=1.0, n=100)
        for kind in KINDS
        for way in (PLAIN, *OPERATIONS)
        for right in [90 if kind == "sum" or MATCH.get(kind) == way else 30]
    ]


def changed(cells, want, **change):
    return [replace(cell, **change) if want(cell) else cell for cell in cells]


def test_no_violation_in_a_world_as_promised():
    assert violations(perfect_world()) == []


@pytest.mark.parametrize(
    ("want", "change", "words"),
    [
        (lambda c: c.heuristic == PLAIN and c.operation != "sum", {"right": 80}, "only 0 operat"),
        (lambda c: c.operation == "sum", {"right": 50}, "best directly"),
        (lambda c: c.heuristic == "figure", {"right": 95}, "decoy 'figure' helps at product"),
        (lambda c: c.heuristic == "decomposing", {"followed": 0.1}, "followed in fewer"),
    ],
)
def test_each_broken_property_is_named(want, change, words):
    (found,) = violations(changed(perfect_world(), want, **change))
    assert words in found


def test_matrix_counts_right_answers_and_followed_heuristics():
    """A sampler that knows the solutions is right everywhere and follows where it can."""
    by_question = {e.question: e for kind in KINDS for e in singles(WORLDS["main"], kind, 3)}
    names = {heuristic.name: heuristic.id for heuristic in PACK}

    def sample(prompts):
        texts = []
        for prompt in prompts:
            way = names.get(prompt[0].content.partition(":")[0])
            texts.append(solution(by_question[prompt[-1].content], way))
        return texts

    cells = measure(sample, PACK, PROMPTS, world=WORLDS["main"], count=3)
    assert len(cells) == len(KINDS) * (len(PACK) + 1)
    assert all(cell.right == cell.n == 3 for cell in cells)
    for cell in cells:
        applies = cell.heuristic == PLAIN or cell.operation in OPERATIONS[cell.heuristic]
        assert cell.followed == (1.0 if applies else 0.0)


def test_is_right_reads_the_last_box():
    assert is_right("\\boxed{1} \\boxed{(2, 3)}", "(2, 3)")
    assert not is_right("\\boxed{1} \\boxed{(2, 3)}", "1")
    assert not is_right("12", "12")


def test_build_is_deterministic_and_loads(tmp_path):
    settings = BuildSettings(steps=2, batch=4, micro=2, layers=1, inner=32, mix=CorpusMix(first=4))
    losses = [
        build(tmp_path / name, pack=PACK, prompts=PROMPTS, settings=settings, command="test")
        for name in ("a", "b")
    ]
    assert losses[0] == losses[1]
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("a", "b")]
    assert weights[0] == weights[1]
    assert load_tokenizer(str(tmp_path / "a")).chat_template
    load_model(str(tmp_path / "a"), dtype="auto", device="cpu")


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
