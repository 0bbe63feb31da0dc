"""The same questions put to every engine: one completion per seed, in order, counted, finished."""

from dataclasses import replace

import pytest
from fake_server import Habits, fake_server
from llama_server import llama_server
from needs import need_accelerator, needs_llama_cpp, needs_ray, needs_vllm

from manyways.engines import ENGINES, SampleRequest, SamplingSettings
from manyways.errors import UserError
from manyways.plugins import resolve
from manyways.recipe.engines import ModelConfig
from manyways.records import Message

SETTINGS = SamplingSettings(max_tokens=24)
HOW = {
    "transformers": (),
    "http": (),
    "http, llama.cpp": (needs_llama_cpp,),
    "http, llama.cpp one by one": (needs_llama_cpp,),
    "ray": (
        needs_ray,
        pytest.mark.slow,
        pytest.mark.timeout(900),
        pytest.mark.filterwarnings("ignore:::ray"),
    ),
    "vllm": (needs_vllm, pytest.mark.slow),
}
"""Each engine of the table and what marks its tests: what takes many seconds to start is slow."""
ALONE = sorted({*HOW} - {"http, llama.cpp"})
"""Kinds whose texts do not depend on the requests beside them. llama.cpp's do: it samples its four
slots in one batch, whose rounding differs with the neighbours, so that texts part after a while."""


def test_every_engine_of_the_table_is_put_to_the_questions():
    assert {name.partition(",")[0] for name in HOW} == set(ENGINES)


def of_kinds(*names):
    return [pytest.param(name, marks=HOW[name]) for name in names]


@pytest.fixture(scope="module", params=of_kinds(*HOW))
def engine(request, tmp_path_factory):
    """An engine of each kind over the smallest thing that it can sample."""
    yield from OPEN[request.param](tmp_path_factory)


def open_transformers(factory):
    from tiny_models import build_llama

    folder = str(build_llama(factory.mktemp("llama")))
    yield from opened("transformers", ModelConfig(path=folder, dtype="float32"))


def open_http(factory):
    with fake_server(Habits()) as url:
        yield from opened("http", ModelConfig(path="fake", engine="http", http={"url": url}))


def open_llama_cpp(factory, **table):
    """llama.cpp's own server; four requests at once, as many as its slots."""
    from tiny_models import build_llama

    with llama_server(build_llama(factory.mktemp("llama.cpp"))) as url:
        http = {"url": url, "concurrency": 4, **table}
        yield from opened("http", ModelConfig(path="any", engine="http", http=http))


def open_llama_cpp_one_by_one(factory):
    yield from open_llama_cpp(factory, concurrency=1, extra={"cache_prompt": False})


def open_ray(factory):
    from tiny_models import build_llama

    folder = str(build_llama(factory.mktemp("llama")))
    table = {"workers": 2, "block": 8}
    config = ModelConfig(path=folder, dtype="float32", engine="ray", ray=table)
    yield from opened("ray", config)


def open_vllm(factory):
    need_accelerator()
    from tiny_models import build_llama

    folder = str(build_llama(factory.mktemp("llama"), hidden=256))
    table = {"max_model_len": 512, "gpu_memory_utilization": 0.3}
    yield from opened("vllm", ModelConfig(path=folder, engine="vllm", vllm=table))


OPEN = {
    "transformers": open_transformers,
    "http": open_http,
    "http, llama.cpp": open_llama_cpp,
    "http, llama.cpp one by one": open_llama_cpp_one_by_one,
    "ray": open_ray,
    "vllm": open_vllm,
}


def opened(name, config):
    made = resolve(name, ENGINES, "engine")(config.path, config)
    yield made
    made.close()
    with pytest.raises(UserError, match="closed"):
        list(made.sample([ask("a", 1)], SETTINGS))


def ask(text, *seeds):
    return SampleRequest(messages=(Message(role="user", content=text),), seeds=seeds)


def mixed(count=12):
    """Prompts of several lengths, one to four attempts each, some with none."""
    return [
        ask("Ann has 3 apples. " * (1 + i % 4) + f"Case {i}.", *range(100 * i, 100 * i + i % 5))
        for i in range(count)
    ]


def test_one_completion_per_seed_in_the_order_of_the_requests(engine):
    requests = mixed()
    found = list(engine.sample(iter(requests), SETTINGS))
    assert [len(completions) for completions in found] == [len(r.seeds) for r in requests]
    for request, completions in zip(requests[:5], found[:5], strict=True):
        alone = next(iter(engine.sample([request], SETTINGS)))
        assert [c.prompt_tokens for c in alone] == [c.prompt_tokens for c in completions]
    assert list(engine.sample([], SETTINGS)) == []


def test_counts_and_finishes_belong_together(engine):
    found = [c for completions in engine.sample(mixed(), SETTINGS) for c in completions]
    assert {c.finish for c in found} == {"stop", "length"}
    for one in found:
        assert 0 < one.tokens <= SETTINGS.max_tokens
        assert one.prompt_tokens > 0
        assert "<|" not in one.text
        if one.finish == "length":
            assert one.tokens == SETTINGS.max_tokens


@pytest.mark.parametrize("engine", of_kinds(*ALONE), indirect=True)
def test_a_seed_gives_its_text_again_wherever_it_stands(engine):
    """Engines that cannot promise this say so; none of those tested here is one."""
    requests = mixed()
    first = list(engine.sample(requests, SETTINGS))
    assert engine.facts()["seeds"].startswith("honoured")
    assert list(engine.sample(requests, SETTINGS)) == first
    turned = list(engine.sample(requests[::-1], SETTINGS))[::-1]
    pairs = [(a, b) for x, y in zip(first, turned, strict=True) for a, b in zip(x, y, strict=True)]
    assert sum(a.text == b.text for a, b in pairs) >= 0.9 * len(pairs)
    several = next(iter(engine.sample([ask("Ann has 3 apples.", *range(20))], SETTINGS)))
    assert len({one.text for one in several}) > 10


@pytest.mark.parametrize("engine", of_kinds(*ALONE), indirect=True)
def test_stop_strings_end_a_text_and_are_not_in_it(engine):
    requests = [ask(f"Case {i}.", 3 * i, 3 * i + 1, 3 * i + 2) for i in range(10)]
    before = [c for found in engine.sample(requests, SETTINGS) for c in found]
    letters = "".join(one.text for one in before)
    stop = next(pair for pair in ("th", " a", "s ", "e", "a") if letters.count(pair) > 5)
    after = [c for found in engine.sample(requests, replace(SETTINGS, stop=(stop,))) for c in found]
    hit = 0
    for old, new in zip(before, after, strict=True):
        assert stop not in new.text
        if stop in old.text:
            # Half a character before the stop string is shown as one mark, or left out.
            hit += new.text.rstrip("\ufffd") == old.text[: old.text.index(stop)].rstrip("\ufffd")
            assert new.finish == "stop"
            assert new.tokens <= old.tokens
    assert hit >= 0.9 * sum(stop in old.text for old in before) > 3


@pytest.mark.parametrize("engine", of_kinds(*sorted({*HOW} - {"http"})), indirect=True)
def test_a_low_temperature_leaves_one_text(engine):
    """The server without a model knows no temperature."""
    cold = replace(SETTINGS, temperature=1e-4)
    found = next(iter(engine.sample([ask("Ann has 3 apples.", 1, 2, 3)], cold)))
    assert len({one.text for one in found}) == 1


def test_facts_are_plain(engine):
    list(engine.sample([ask("a", 1)], SETTINGS))
    facts = engine.facts()
    assert {"engine", "seeds", "tokens"} <= set(facts)
    assert all(isinstance(value, str | int) for value in facts.values())


def test_it_says_whether_it_reads_ahead(engine):
    assert isinstance(engine.reads_ahead, bool)


def test_a_prompt_need_not_be_one_turn(engine):
    turns = [("system", "Be brief."), ("user", "1+1?"), ("assistant", "2"), ("user", "2+2?")]
    messages = tuple(Message(role=role, content=content) for role, content in turns)
    short, long = list(
        engine.sample(
            [SampleRequest(messages=messages[3:], seeds=(5,)),
             SampleRequest(messages=messages, seeds=(5,))], SETTINGS,
        )
    )  # fmt: skip
    assert long[0].prompt_tokens > short[0].prompt_tokens
