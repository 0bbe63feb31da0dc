import json
import math
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.stats import chi2_contingency, chisquare
from tiny_models import build_gpt2, build_llama, build_mistral

from manyways.checkpoints import model_path
from manyways.engines import Ended, Going, SampleRequest, SamplingSettings, decoding, queueing
from manyways.engines.decoding import distribution, uniforms
from manyways.engines.queueing import queue
from manyways.engines.transformers import TransformersEngine
from manyways.errors import DataError, ModelError
from manyways.problems import load_problems
from manyways.recipe.engines import ModelConfig
from manyways.records import Message
from manyways.verifiers.final_answer import extract

SETTINGS = SamplingSettings(max_tokens=40)
TIE = 1e-5
"""A seed's number this close to the boundary between two tokens may fall on either side."""

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build_llama(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="module")
def engine(folder):
    return open_engine(folder)


def open_engine(folder, **changes):
    return TransformersEngine(str(folder), ModelConfig(path=str(folder), **changes))


def ask(text, *seeds):
    return SampleRequest(messages=(Message(role="user", content=text),), seeds=seeds)


def mixed_requests(count=10, samples=4):
    texts = ["Ann has 3 apples. " * (1 + (7 * i) % 5) + f"Case {i}." for i in range(count)]
    return [ask(text, *range(i * 50, i * 50 + samples)) for i, text in enumerate(texts)]


def flat(found):
    return [completion for completions in found for completion in completions]


def prompt_ids(engine, request):
    return list(engine._encode(request.messages, SETTINGS))


def tokens_of(engine, requests, settings=SETTINGS, *, batch_tokens=5000):
    """Seed -> sampled tokens: completions hold text only."""
    prompts = [engine._encode(r.messages, settings) for r in requests]
    waiting = queue(prompts, [r.seeds for r in requests])
    steps = decoder(engine).steps(waiting, settings, batch_tokens=batch_tokens)
    found = {row: sampled for step in steps for row, sampled in step.ended.items()}
    return dict(
        zip([s for r in requests for s in r.seeds], map(found.get, range(len(found))), strict=True)
    )


def decoder(engine):
    return engine._sampler.decoder


def plain_distribution(engine, prompt, tokens):
    """Next-token probabilities from one forward over the whole text, no cache, no padding."""
    with torch.inference_mode():
        logits = decoder(engine).model(torch.tensor([[*prompt, *tokens]])).logits[0]
    return logits[len(prompt) - 1 : -1].softmax(dim=-1)


@pytest.mark.parametrize("build", [build_llama, build_mistral, build_gpt2])
def test_texts_are_what_a_plain_forward_and_the_seed_give(tmp_path, build, monkeypatch):
    engine = open_engine(build(tmp_path / "model"))
    requests = mixed_requests()
    held = {}

    def spy(probability, row, uniform):
        held.update(zip(uniform.tolist(), probability[row].clone(), strict=True))
        return choose(probability, row, uniform)

    choose = decoding.choose
    monkeypatch.setattr(decoding, "choose", spy)
    found = tokens_of(engine, requests)
    lengths = {len(one.tokens) for one in found.values()}
    assert len(lengths) > 5, "attempts of many lengths are needed for this to test anything"
    for request in requests:
        prompt = prompt_ids(engine, request)
        for seed in request.seeds:
            tokens = found[seed].tokens
            noise = uniforms([seed], len(tokens))[0]
            plain = plain_distribution(engine, prompt, tokens)
            ours = torch.stack([held[number] for number in noise])
            index = torch.arange(len(tokens))
            assert math.isclose(
                ours[index, tokens].log().sum(), plain[index, tokens].log().sum(), abs_tol=1e-3
            )
            upper = plain.double().cumsum(dim=-1)[index, tokens].numpy()
            lower = upper - plain[index, tokens].numpy()
            assert np.all((noise > lower - TIE) & (noise < upper + TIE))


def test_the_same_requests_give_the_same_bytes(engine):
    requests = mixed_requests()
    assert list(engine.sample(requests, SETTINGS)) == list(engine.sample(requests, SETTINGS))


def test_an_attempt_alone_is_the_same_up_to_ties(engine):
    requests = mixed_requests()
    together = tokens_of(engine, requests)
    for request in requests:
        prompt = prompt_ids(engine, request)
        for seed in request.seeds:
            alone = tokens_of(engine, [replace(request, seeds=(seed,))])[seed].tokens
            other = together[seed].tokens
            if alone == other:
                continue
            at = next(i for i, (a, b) in enumerate(zip(alone, other, strict=False)) if a != b)
            row = plain_distribution(engine, prompt, alone[: at + 1])[at].double().cumsum(dim=-1)
            assert (row - uniforms([seed], at + 1)[0, at]).abs().min() < TIE


def test_completions_come_in_request_order(engine):
    requests = mixed_requests()
    together = flat(engine.sample(requests, SETTINGS))
    one_by_one = flat(c for request in requests for c in engine.sample([request], SETTINGS))
    assert [c.prompt_tokens for c in together] == [c.prompt_tokens for c in one_by_one]
    same = sum(a.text == b.text for a, b in zip(together, one_by_one, strict=True))
    assert same >= 0.9 * len(together)


def test_small_batches_give_the_same_attempts(folder, engine):
    requests = mixed_requests()
    small = flat(open_engine(folder, batch_tokens=400).sample(requests, SETTINGS))
    large = flat(engine.sample(requests, SETTINGS))
    assert sum(a.text == b.text for a, b in zip(small, large, strict=True)) >= 0.9 * len(large)


def test_finish_and_token_counts(engine):
    found = tokens_of(engine, mixed_requests())
    completions = flat(engine.sample(mixed_requests(), SETTINGS))
    eos = engine._tokenizer.eos_token_id
    assert {c.finish for c in completions} == {"stop", "length"}
    for one, completion in zip(found.values(), sorted_like(found, completions), strict=True):
        assert completion.tokens == len(one.tokens)
        assert (one.tokens[-1] == eos) == (completion.finish == "stop")
        assert eos not in one.tokens[:-1]
        assert "<|" not in completion.text
        if completion.finish == "length":
            assert completion.tokens == SETTINGS.max_tokens


def sorted_like(found, completions):
    """Completions (in request order) in the order of the seeds of ``found``."""
    seeds = [seed for request in mixed_requests() for seed in request.seeds]
    by_seed = dict(zip(seeds, completions, strict=True))
    return [by_seed[seed] for seed in found]


def test_next_token_frequencies_follow_the_softmax(engine):
    settings = SamplingSettings(max_tokens=1, temperature=0.8)
    request = ask("Ann has 3 apples.", *range(4000))
    found = tokens_of(engine, [request], settings)
    with torch.inference_mode():
        logits = decoder(engine).model(torch.tensor([prompt_ids(engine, request)])).logits[0, -1]
    expected = 4000 * distribution(logits[None], temperature=0.8, top_p=1.0)[0].double().numpy()
    counts = np.bincount([one.tokens[0] for one in found.values()], minlength=len(expected))
    common = expected >= 5
    pooled = [counts[~common].sum()], [expected[~common].sum()]
    observed, wanted = (np.append(a, b) for a, b in zip((counts[common], expected[common]), pooled,
                                                       strict=True))  # fmt: skip
    assert len(observed) > 20
    assert chisquare(observed, wanted * observed.sum() / wanted.sum()).pvalue > 1e-4


def test_top_p_leaves_only_the_nucleus(engine):
    settings = SamplingSettings(max_tokens=1, top_p=0.3)
    request = ask("Ann has 3 apples.", *range(500))
    found = {one.tokens[0] for one in tokens_of(engine, [request], settings).values()}
    with torch.inference_mode():
        logits = decoder(engine).model(torch.tensor([prompt_ids(engine, request)])).logits
    allowed = distribution(logits[:, -1], temperature=1.0, top_p=0.3)[0].nonzero()[:, 0].tolist()
    assert found <= set(allowed)
    assert len(found) > 1


def shapes_of(engine, requests, settings, **how):
    """The tokens of each attempt, and the shape of the tokens fed in each pass of the model."""
    shapes = []
    hook = decoder(engine).model.register_forward_pre_hook(
        lambda module, args, kwargs: shapes.append(tuple(kwargs["input_ids"].shape)),
        with_kwargs=True,
    )
    found = tokens_of(engine, requests, settings, **how)
    hook.remove()
    return found, shapes


def test_rows_are_distinct_texts_that_go_on(engine):
    """Prompts are prefilled once; attempts part where their tokens do; finished ones leave."""
    texts = ("Ann has 3 apples.", "Where is it?", "Two and two.")
    requests = [ask(text, *range(50 * i, 50 * i + 16)) for i, text in enumerate(texts)]
    found, shapes = shapes_of(engine, requests, replace(SETTINGS, temperature=0.3))
    texts = [(r.seeds[0], found[seed].tokens) for r in requests for seed in r.seeds]
    rows = [
        len({(first, tuple(tokens[:step])) for first, tokens in texts if len(tokens) > step})
        for step in range(1, max(len(tokens) for _, tokens in texts))
    ]
    assert sum(count for count, width in shapes if width > 1) == 3
    assert [shape for shape in shapes if shape[1] == 1] == [(count, 1) for count in rows]
    assert rows[0] < 48, "attempts that begin alike are needed for this to test anything"
    assert max(rows) > rows[0]
    assert rows[-1] < max(rows)


def test_the_batch_stays_full_until_nothing_waits(engine):
    """Rows that end are replaced, in eighths of the batch; no pass has more than fit."""
    requests = [ask(f"Case {i}.", i) for i in range(60)]
    longest = max(len(prompt_ids(engine, request)) for request in requests)
    fit = 16 * (longest + SETTINGS.max_tokens)
    found, shapes = shapes_of(engine, requests, SETTINGS, batch_tokens=fit)
    passes = [count for count, width in shapes if width == 1]
    fed = sum(passes)
    assert fed == sum(len(one.tokens) - 1 for one in found.values())
    assert max(passes) == 16
    # A batch after the other would have run as long as the longest of each.
    tokens = [len(found[seed].tokens) for seed in range(60)]
    apart = sum(max(tokens[i : i + 16]) for i in range(0, 60, 16))
    assert len(passes) < 0.8 * apart
    waiting = passes[: len(passes) - SETTINGS.max_tokens]
    assert sum(waiting) > 0.85 * 16 * len(waiting)


def test_what_prompts_begin_with_is_computed_once(engine):
    shared = "Ann has 3 apples. She gives one away. " * 3
    requests = [ask(f"{shared}Case {i}.", i) for i in range(12)]
    found, shapes = shapes_of(engine, requests, SETTINGS)
    fed = sum(rows * width for rows, width in shapes if width > 1)
    lengths = [len(prompt_ids(engine, request)) for request in requests]
    assert fed < sum(lengths) / 3
    for request in requests[:4]:
        prompt, seed = prompt_ids(engine, request), request.seeds[0]
        tokens = found[seed].tokens
        plain = plain_distribution(engine, prompt, tokens).double().cumsum(dim=-1).numpy()
        noise, index = uniforms([seed], len(tokens))[0], np.arange(len(tokens))
        upper = plain[index, tokens]
        lower = np.where(np.array(tokens) > 0, plain[index, np.array(tokens) - 1], 0.0)
        assert np.all((noise > lower - TIE) & (noise < upper + TIE))


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError(
    "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory"
), torch.OutOfMemoryError("CUDA out of memory")])  # fmt: skip
def test_without_enough_memory_batches_are_halved_and_nothing_is_lost(
    folder, engine, error, capsys
):
    requests = mixed_requests()
    tight = open_engine(folder, batch_tokens=4000)
    rows = []

    def full(module, args, kwargs):
        rows.append(len(kwargs["input_ids"]))
        if rows[-1] > 8 and kwargs["input_ids"].shape[1] == 1:
            raise error

    decoder(tight).model.register_forward_pre_hook(full, with_kwargs=True)
    found = flat(tight.sample(requests, SETTINGS))
    assert [c.text for c in found] == [c.text for c in flat(engine.sample(requests, SETTINGS))]
    said = capsys.readouterr().err
    assert "memory does not suffice" in said
    assert tight.batch_tokens < 4000


def test_memory_for_not_even_one_attempt_ends_with_a_sentence(folder):
    tight = open_engine(folder, batch_tokens=4000)

    def full(module, args):
        raise MemoryError

    decoder(tight).model.register_forward_pre_hook(full)
    with pytest.raises(ModelError, match="does not fit the memory"):
        list(tight.sample(mixed_requests(), SETTINGS))


def test_another_error_of_the_model_is_not_taken_for_a_lack_of_memory(folder):
    broken = open_engine(folder)

    def fails(module, args):
        raise RuntimeError("shapes do not match")

    decoder(broken).model.register_forward_pre_hook(fails)
    with pytest.raises(RuntimeError, match="shapes"):
        list(broken.sample(mixed_requests(), SETTINGS))


def test_attempts_are_streamed_as_they_end(engine):
    requests = mixed_requests()
    events = list(engine.stream(requests, SETTINGS))
    ended = [event for event in events if isinstance(event, Ended)]
    assert sorted((e.request, e.place) for e in ended) == [
        (r, p) for r in range(10) for p in range(4)
    ]
    assert [e.request for e in ended] != sorted(e.request for e in ended)
    lengths = [e.completion.tokens for e in ended]
    assert lengths == sorted(lengths), "all begin together, and the shortest ends first"
    signs = [event for event in events if isinstance(event, Going)]
    assert sum(sign.begun for sign in signs) == 40
    assert signs[-1].running == 0
    assert all(sign.running >= later.running for sign, later in pairwise(signs)
               if not later.begun)  # fmt: skip


def test_every_eos_of_the_generation_config_ends_a_text(tmp_path):
    folder = build_llama(tmp_path / "model", eos_bias=0.0)
    before = tokens_of(open_engine(folder), mixed_requests())
    common = np.bincount([t for one in before.values() for t in one.tokens]).argmax()
    path = folder / "generation_config.json"
    config = json.loads(path.read_text())
    config["eos_token_id"] = [config["eos_token_id"], int(common)]
    path.write_text(json.dumps(config))
    after = tokens_of(open_engine(folder), mixed_requests())
    ended = [one for one in after.values() if one.tokens[-1] == common]
    assert ended
    assert all(one.ended for one in ended)
    assert all(common not in one.tokens[:-1] for one in after.values())


def test_stop_strings_end_a_text_and_are_cut_off(engine):
    requests = mixed_requests()
    before = flat(engine.sample(requests, SETTINGS))
    stop = ("ap", " 2")
    after = flat(engine.sample(requests, replace(SETTINGS, stop=stop)))
    hit = other = 0
    for old, new in zip(before, after, strict=True):
        places = [old.text.find(s) for s in stop if s in old.text]
        hit += bool(places)
        assert not any(s in new.text for s in stop)
        # Attempts that stop early leave the batch early, so a tie may fall differently.
        other += new.text != (old.text[: min(places)] if places else old.text)
        assert new.finish == "stop" or not places
    assert hit > 5
    assert other <= 2
    assert sum(c.tokens for c in after) < sum(c.tokens for c in before)


def test_bos_is_there_once(engine):
    ids = prompt_ids(engine, ask("hello"))
    bos = engine._tokenizer.bos_token_id
    assert ids[0] == bos
    assert ids.count(bos) == 1


def test_a_request_without_seeds_and_no_requests_at_all(engine):
    assert list(engine.sample([], SETTINGS)) == []
    found = list(engine.sample([ask("a"), ask("b", 1), ask("c")], SETTINGS))
    assert [len(completions) for completions in found] == [0, 1, 0]


def test_results_come_window_by_window(engine, monkeypatch):
    monkeypatch.setattr(queueing.windows, "__defaults__", (4,))
    read = []

    def requests():
        for request in mixed_requests():
            read.append(request)
            yield request

    next(engine.sample(requests(), SETTINGS))
    assert len(read) == 1


def test_a_prompt_that_does_not_fit_is_refused_by_name(engine):
    with pytest.raises(DataError, match=r"context is 512: lower max_tokens .* 'Ann has 3 apples"):
        list(engine.sample([ask("Ann has 3 apples. " * 80, 1)], SETTINGS))
    with pytest.raises(DataError, match="max_tokens = 510"):
        list(engine.sample([ask("hi", 1)], SamplingSettings(max_tokens=510)))


def test_broken_weights_are_named(tmp_path):
    engine = open_engine(build_llama(tmp_path / "model"))
    with torch.no_grad():
        decoder(engine).model.lm_head.weight[7] = float("nan")
    with pytest.raises(ModelError, match="not a number"):
        list(engine.sample([ask("hi", 1)], SETTINGS))


def test_a_closed_engine_says_so(folder):
    engine = open_engine(folder)
    engine.close()
    with pytest.raises(ModelError, match="closed"):
        list(engine.sample([ask("hi", 1)], SETTINGS))


def test_bfloat16_is_loaded_when_asked_for(folder):
    engine = open_engine(folder, dtype="bfloat16")
    assert decoder(engine).model.dtype == torch.bfloat16
    assert len(flat(engine.sample(mixed_requests(3), SETTINGS))) == 12


def test_an_answer_begun_goes_on_where_it_stopped(engine):
    asked = ask("2+2?", 1)
    begun = "First, add. "
    turns = (*asked.messages, Message(role="assistant", content=begun))
    going_on = prompt_ids(engine, SampleRequest(messages=turns, seeds=(1,)))
    fresh = prompt_ids(engine, asked)
    decode = engine._tokenizer.decode
    assert decode(going_on) == decode(fresh) + begun
    (completions,) = engine.sample([SampleRequest(messages=turns, seeds=(1,))], SETTINGS)
    assert not completions[0].text.startswith(begun), "only what was added"
    assert completions[0].prompt_tokens == len(going_on)


def from_one_distribution(ours, theirs):
    """Pearson's test of two samples of equal size; what both have seen under 10 times is pooled."""
    count = ours.total()
    assert count == theirs.total()
    common = [kind for kind in ours | theirs if ours[kind] + theirs[kind] >= 10]
    table = [[sample[kind] for kind in common] for sample in (ours, theirs)]
    rare = [count - sum(row) for row in table]
    if sum(rare):
        table = [[*row, other] for row, other in zip(table, rare, strict=True)]
    assert len(common) > 5
    return chi2_contingency(table).pvalue > 1e-3


def generated(engine, request, count, **options):
    """What transformers' own ``generate`` samples, each text up to its EOS."""
    prompt = torch.tensor([prompt_ids(engine, request)])
    out = decoder(engine).model.generate(
        prompt, attention_mask=torch.ones_like(prompt), do_sample=True, top_k=0,
        num_return_sequences=count, **options,
    )[:, prompt.shape[1] :].tolist()  # fmt: skip
    eos = engine._tokenizer.eos_token_id
    return [row[: row.index(eos) + 1] if eos in row else row for row in out]


def test_texts_come_as_often_as_from_generate(engine):
    """Two samples, ours with shared rows and transformers' own: how often each beginning comes."""
    request, count = ask("Ann has 3 apples.", *range(600)), 600
    settings = SamplingSettings(max_tokens=3, temperature=0.5)
    ours = Counter(
        tuple(one.tokens) for one in tokens_of(engine, [request], settings).values()
    )  # fmt: skip
    torch.manual_seed(0)
    theirs = Counter(
        map(tuple, generated(engine, request, count, temperature=0.5, max_new_tokens=3))
    )
    assert from_one_distribution(ours, theirs)


@pytest.mark.slow
def test_answers_of_the_pocket_model_come_as_often_as_from_generate():
    """The same for whole solutions: how often each answer is given to each of four problems."""
    engine = open_engine(model_path("package:manyways.pocket/base"), dtype="float32")
    count, longest = 200, SamplingSettings(max_tokens=60)
    ours, theirs = Counter(), Counter()
    torch.manual_seed(0)
    for problem in load_problems("pocket/seed?parts=1&count=4"):
        request = ask(problem.question, *range(count))
        texts = [one.text for one in flat(engine.sample([request], longest))]
        ours.update((problem.id, extract(text, policy="strict")) for text in texts)
        rows = generated(engine, request, count, temperature=1.0, max_new_tokens=60)
        texts = engine._tokenizer.batch_decode(rows, skip_special_tokens=True)
        theirs.update((problem.id, extract(text, policy="strict")) for text in texts)
    assert from_one_distribution(ours, theirs)
