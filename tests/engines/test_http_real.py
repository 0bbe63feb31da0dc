"""The http engine against a real server: `transformers serve` with the embedded checkpoint.

It keeps one random state for all requests, so seeds mean nothing under load: what is compared is
sampled greedily. Seeded records under faults are compared on the server without a model.
"""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from dataclasses import replace

import pytest
from command_line import environment
from fake_server import Faults, Habits, Said, fake_server, fault_proxy
from tiny_models import build_llama

from manyways.checkpoints import load_tokenizer, package_path
from manyways.engines import SampleRequest, SamplingSettings
from manyways.engines.http import HttpEngine
from manyways.errors import EngineError
from manyways.problems import load_problems
from manyways.recipe.engines import ModelConfig
from manyways.records import Message

pytestmark = [pytest.mark.slow, pytest.mark.timeout(5400)]
MODEL = str(package_path("package:manyways.pocket/base"))
GREEDY = SamplingSettings(max_tokens=10, temperature=0.0)
COUNT = 200


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (tmp_path_factory.mktemp("serve") / "log").open("w")
    command = ["-m", "transformers.cli.transformers", "serve", "--device", "cpu"]
    process = subprocess.Popen(
        [sys.executable, *command, "--host", "127.0.0.1", "--port", str(port)],
        env=environment(), stdout=log, stderr=log,
    )  # fmt: skip
    try:
        wait_until_well(f"http://127.0.0.1:{port}/health", process)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(30)
        log.close()


def wait_until_well(url, process):
    while process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the server ended by itself")


def questions(count):
    return [p.question for p in load_problems("pocket/rl", limit=count)]


def ask(text, *seeds):
    return SampleRequest(messages=(Message(role="user", content=text),), seeds=seeds)


def sample(url, requests, settings, *, name=MODEL, **http):
    table = {"url": url, "concurrency": 4, **http}
    engine = HttpEngine(name, ModelConfig(path=name, engine="http", http=table))
    try:
        return [one for found in engine.sample(requests, settings) for one in found], engine.facts()
    finally:
        engine.close()


def test_requests_through_faults(server):
    """10% status 500, 5% dropped mid-body, 429 with Retry-After, stalls of 60 s.

    Four attempts at each question, greedy, so each must be what the question gives without faults.
    """
    asked = questions(COUNT // 4)
    calm, _ = sample(server, [ask(text, 0) for text in asked], GREEDY)
    requests = [ask(text, *range(4 * i, 4 * i + 4)) for i, text in enumerate(asked)]
    faults = Faults(stalled=0.01, stall=60.0)
    with fault_proxy(server, faults) as broken:
        rough, facts = sample(broken, requests, GREEDY, timeout=30.0)
    assert len(rough) == COUNT
    assert rough == [one for one in calm for _ in range(4)]
    assert len({one.text for one in calm}) > len(calm) / 4
    assert {"error", "drop", "busy", "stalled"} < set(faults.met)
    assert faults.early == 0
    whole = Counter(
        json.loads(raw)["seed"] for raw, n in faults.delivered.items() for _ in range(n)
    )
    assert sorted(whole) == list(range(COUNT))
    assert {seed for seed, count in whole.items() if count > 1} == {0, 1}  # the first contact's
    print(f"faults {dict(faults.met)}, engine: {facts}")


def test_both_endpoints_count_and_render_as_the_tokenizer_does(server):
    tokenizer = load_tokenizer(MODEL)
    requests = [ask(text, 1) for text in questions(5)]
    chat, _ = sample(server, requests, GREEDY)
    text, _ = sample(server, requests, GREEDY, endpoint="completions", tokenizer=MODEL)
    assert chat == text
    for request, one in zip(requests, chat, strict=True):
        turns = [{"role": "user", "content": request.messages[0].content}]
        prompt = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        assert one.prompt_tokens == len(ids)
        assert (one.finish == "length") == (one.tokens == GREEDY.max_tokens)
        assert one.tokens <= GREEDY.max_tokens


def test_what_it_says_about_seeds_and_choices(server):
    settings = SamplingSettings(max_tokens=20, temperature=1.0)
    found, facts = sample(server, [ask("Ann has 3 apples.", 1, 2, 3, 4, 5)], settings, choices=4)
    assert len(found) == 5
    assert "ignored" in facts["seeds"]


def test_stop_strings(server, tmp_path):
    """On a byte-level vocabulary: transformers 5.23 refuses them for the word-level one (500)."""
    name = str(build_llama(tmp_path / "llama"))
    settings = SamplingSettings(max_tokens=40, temperature=0.0)
    requests = [ask(f"Case {i}: Ann has {i} apples.", 1) for i in range(8)]
    before, _ = sample(server, requests, settings, name=name)
    stop = next(s for s in ("th", "es", "a", "e") if sum(s in one.text for one in before) > 3)
    after, _ = sample(server, requests, replace(settings, stop=(stop,)), name=name)
    for old, new in zip(before, after, strict=True):
        assert new.text == old.text.split(stop)[0]
        assert new.finish == ("stop" if stop in old.text else old.finish)
    with pytest.raises(EngineError, match=r"status 500.* its own log says why"):
        sample(server, requests, replace(settings, stop=("Answer",)))


def test_a_thousand_seeded_requests_through_faults():
    count = 1000
    requests = [ask(f"question {i}", i, i + count) for i in range(count // 2)]
    settings = SamplingSettings(max_tokens=30)
    with fake_server(Habits()) as url:
        calm, _ = sample(url, requests, settings, name="fake", concurrency=32)
        faults = Faults()
        with fault_proxy(url, faults) as broken:
            table = {"name": "fake", "concurrency": 32, "timeout": 5.0}
            rough, facts = sample(broken, requests, settings, **table)
    assert rough == calm
    late = facts["faults: timeout"] - faults.met["stalled"]
    assert 0 <= sum(faults.delivered.values()) - count - 5 <= late
    assert faults.early == 0


def test_a_tokenizer_renders_and_counts_where_the_server_does_not():
    tokenizer = load_tokenizer(MODEL)
    habits = Habits(usage=False, writer=lambda *_: Said("So 7", "stop", 0))
    with fake_server(habits) as url:
        found, facts = sample(
            url,
            [ask("What is 3 + 4?", 1)],
            GREEDY,
            name="fake",
            tokenizer="package:manyways.pocket/base",
            endpoint="completions",
        )
    turns = [{"role": "user", "content": "What is 3 + 4?"}]
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    assert habits.bodies[-1]["prompt"] == text
    assert found[0].prompt_tokens == len(tokenizer(text, add_special_tokens=False)["input_ids"])
    assert found[0].tokens == len(tokenizer("So 7", add_special_tokens=False)["input_ids"])
    assert "ends of text left out" in facts["tokens"]
