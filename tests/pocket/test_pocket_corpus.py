"""The base corpus, the tokenizer and the labeller, on documents as base training sees them."""

import re
from itertools import islice

import pytest

from manyways.errors import DataError
from manyways.heuristics import BOXED, PromptFormat, load_pack
from manyways.pocket.build import build_tokenizer
from manyways.pocket.check import label_error
from manyways.pocket.corpus import CorpusMix, documents, every_text
from manyways.pocket.ways import OPERATIONS, PAIRS, WAYS, Part, load, operation, step
from manyways.pocket.world import SHARED_SPLITS, WORLDS, exercises, is_told
from manyways.records import Heuristic

PACK = load_pack("pocket")
PROMPTS = PromptFormat(instruction="")
BY_ID = {heuristic.id: heuristic for heuristic in PACK}


@pytest.fixture(scope="module")
def corpus():
    mix = CorpusMix(first=0)
    return list(islice(documents(PACK, PROMPTS, seed=5, mix=mix), 3000))


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer(every_text(PACK, PROMPTS, mix=CorpusMix()))


def chat(tokenizer, messages, **more):
    turns = [{"role": m.role, "content": m.content} for m in messages]
    return tokenizer.apply_chat_template(turns, tokenize=False, **more)


def labels(text):
    return {segment.heuristic for segment in load(PACK).segments(text)} - {None}


def test_corpus_is_reproducible_and_seeded():
    def first(seed):
        return list(islice(documents(PACK, PROMPTS, seed=seed, mix=CorpusMix()), 20))

    assert first(1) == first(1)
    assert first(1) != first(2)


def test_every_document_is_pure(corpus):
    for document in corpus:
        found = labels(document.solution)
        assert found <= {document.heuristic}
        for turn in document.prompt:
            assert len(labels(turn.content)) <= 1


def test_nothing_is_shown_but_what_the_types_rest_on(corpus):
    """No document multiplies by 7, 8 or 9, nor a number that ends so, nor undoes such a product."""
    products = divisions = 0
    for document in corpus:
        texts = [document.solution, *(m.content for m in document.prompt if m.role == "assistant")]
        for a, sign, b, c in re.findall(r"(\d+) ([-+*/]) (\d+) = (\d+)", " ".join(texts)):
            if sign == "*":
                products += 1
                assert int(a) * int(b) == int(c)
                assert int(a) % 10 <= 6
                assert int(b) in {1, 2, 3, 4, 5, 6, 10, 20, 30, 40, 50, 60}
            if sign == "/":
                divisions += 1
                assert int(c) * int(b) == int(a)
                assert int(c) % 10 <= 6
                assert int(b) <= 6
    assert products > 1500
    assert divisions > 500


def test_a_heuristic_ends_in_the_right_answer_in_every_document(corpus):
    """It is shown only where it works, so the last sub-step of its line is what the box holds."""
    checked = 0
    for document in corpus:
        lines = document.solution.splitlines()
        boxed = re.findall(r"\d+", lines[-1])
        for line, answer in zip(lines[:-1], boxed, strict=False):
            if " = " in line and len(lines) - 1 == len(boxed):
                assert re.findall(r"\d+", line)[-1] == answer
                checked += 1
    assert checked > 1000


def test_each_way_is_shown_on_both_types_that_it_solves(corpus):
    """From the numbers in the lines alone: a product's factor, the number of a series."""
    solved = [d.solution for d in corpus if "boxed" in d.solution]
    split = [int(n) for text in solved for n in re.findall(r"split \d*(\d) as", text)]
    rounded = [int(n) for text in solved for n in re.findall(r"round \d*(\d) to", text)]
    assert set(split) == {1, 2, 3, 4, 5, 6}
    assert set(rounded) == {4, 5, 6, 7, 8, 9}
    for digits, own in ((split, {1, 2, 3}), (rounded, {7, 8, 9})):
        assert 0.35 < sum(digit in own for digit in digits) / len(digits) < 0.65


def test_drills_split_and_round_numbers_of_each_type(corpus):
    drills = [d.solution for d in corpus if "=" not in d.solution and "boxed" not in d.solution]
    assert len(drills) > 20
    for pattern in (r"split \d*(\d) as \d+ and \1", r"round \d*(\d) to \d+ less \d"):
        ends = {int(n) for text in drills for n in re.findall(pattern, text)}
        assert ends == set(range(1, 10))


BARE = {
    "product": re.compile(r"Part (\d): (\d+) \* (\d+) = \?"),
    "rule": re.compile(r"Part (\d): x = (\d+), 2 times x = 2 \* x \+ (\d+), x = \?"),
}
"""Bare equations that show the numbers of their part."""


def test_only_told_parts_are_answered_directly(corpus):
    """Read from the texts; every part is shown under a way that solves it."""
    direct, worked = set(), set()
    for document in corpus:
        for kind, bare in BARE.items():
            for number, *shown in bare.findall(document.prompt[-1].content):
                line = document.solution.splitlines()[int(number) - 1]
                assert line.startswith(f"Part {number}, {kind}: ")
                part = Part(kind, tuple(map(int, shown)))
                (worked if " = " in line else direct).add(part)
    assert len(direct) > 30
    assert all(map(is_told, direct))
    assert sum(map(is_told, worked)) < 0.3 * len(worked)


def test_plain_documents_are_nearly_all_direct(corpus):
    plain = [d for d in corpus if len(d.prompt) == 1 and d.prompt[0].content.startswith("Part")]
    shown = sum(bool(labels(d.solution)) for d in plain) / len(plain)
    assert 0.02 < shown < 0.08


def test_prompted_documents_follow_their_heuristic_where_it_applies(corpus):
    labeller = load(PACK)
    for document in corpus:
        if document.heuristic is not None:
            heuristic = BY_ID[document.heuristic]
            kinds = {operation(line) for line in document.solution.splitlines()}
            expected = 1.0 if kinds & set(WAYS[heuristic.id]) else 0.0
            assert labeller.adherence(document.solution, heuristic) == expected


def test_tokenizer_is_lossless_and_knows_every_token(corpus, tokenizer):
    questions = [
        exercise.question
        for world in WORLDS.values()
        for split in SHARED_SPLITS
        for exercise in islice(exercises(world, split), 50)
    ]
    texts = [*questions, BOXED, *(d.solution for d in corpus)]
    texts += [chat(tokenizer, d.prompt, add_generation_prompt=True) for d in corpus]
    for text, ids in zip(texts, tokenizer(texts)["input_ids"], strict=True):
        assert tokenizer.unk_token_id not in ids
        assert tokenizer.decode(ids) == text


def test_digits_are_single_tokens_and_the_box_is_one(tokenizer):
    assert tokenizer.tokenize("Part 407.") == ["Part", " 4", "0", "7", "."]
    assert tokenizer.tokenize("Answer: \\boxed{12}") == [
        "Answer", ":", " \\boxed{", "1", "2", "}",
    ]  # fmt: skip


def test_prompt_is_a_prefix_of_prompt_and_answer(corpus, tokenizer):
    for document in corpus[:200]:
        prompt = chat(tokenizer, document.prompt, add_generation_prompt=True)
        answer = {"role": "assistant", "content": document.solution}
        turns = [{"role": m.role, "content": m.content} for m in document.prompt]
        whole = tokenizer.apply_chat_template([*turns, answer], tokenize=False)
        assert whole == prompt + document.solution + tokenizer.eos_token
        ids = tokenizer(prompt)["input_ids"]
        assert tokenizer(whole)["input_ids"][: len(ids)] == ids


def test_special_tokens_are_dropped_on_decoding(tokenizer):
    ids = tokenizer("<|bos|><|user|>Part 1<|assistant|>Part 1<|eos|>")["input_ids"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == "Part 1Part 1"


def test_labeller_error_on_constructed_solutions():
    error, steps = label_error(PACK, world=WORLDS["main"], count=3000)
    assert steps > 9000
    assert error < 0.005


def test_labeller_reads_wrong_and_broken_text():
    text = (
        "Part 1, product: split 36 as 30 and 7: 47 * 30 = 9, 1 + 2\n"
        "Part 2, unknown: from the end: 9 - 9 = 9. one step at a time: 3 + 4 = 7.\n"
        "Part 3, sum: 12.\nnoise\n\nAnswer: \\boxed{(1"
    )
    found = [segment.heuristic for segment in load(PACK).segments(text)]
    assert found == ["decomposing", "working-backwards", "induction", None, None, None]
    assert "".join(s.text for s in load(PACK).segments(text)) == text.replace("\n", "")


def test_adherence_is_the_share_of_the_parts_that_a_heuristic_applies_to():
    labeller = load(PACK)
    text = "Part 1, product: split 36 as 30 and 6: 1.\nPart 2, product: 12.\nPart 3, sum: 4."
    assert labeller.adherence(text, BY_ID["decomposing"]) == 0.5
    assert labeller.adherence(text, BY_ID["induction"]) == 0.0
    assert labeller.adherence(text, BY_ID["figure"]) == 0.0
    assert labeller.adherence("", BY_ID["figure"]) == 0.0


def test_labeller_agrees_with_the_world_on_where_heuristics_apply():
    assert {h: set(kinds) for h, kinds in WAYS.items()} == {
        h: set(kinds) for h, kinds in OPERATIONS.items()
    }


def test_labeller_tells_the_two_ways_of_every_part_apart():
    labeller = load(PACK)
    for kind, pair in PAIRS.items():
        for parts in WORLDS["main"].parts(kind).values():
            for part in parts[:40]:
                for way in pair:
                    (segment,) = labeller.segments(step(part, 1, way))
                    assert segment.heuristic == way
                (segment,) = labeller.segments(step(part, 1, None))
                assert segment.heuristic is None


def test_labeller_refuses_a_foreign_pack():
    other = Heuristic(id="x", name="X", family="f", question="?", instruction="", exemplars=())
    with pytest.raises(DataError, match="does not know x"):
        load([other])


def test_pack_is_the_world_s_and_its_exemplars_are_right():
    assert [heuristic.id for heuristic in PACK] == list(WAYS)
    ways = [heuristic.id for heuristic in PACK][: 2 * len(PAIRS)]
    assert list(zip(ways, ways[len(PAIRS) :], strict=False)) == list(PAIRS.values())
    for heuristic in PACK:
        assert len(heuristic.exemplars) == 2
        for exemplar in heuristic.exemplars:
            assert exemplar.solution.endswith(f"Answer: \\boxed{{{exemplar.answer}}}")
            assert labels(exemplar.solution) == {heuristic.id}
            assert load(PACK).adherence(exemplar.solution, heuristic) == 1.0
