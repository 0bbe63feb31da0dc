"""The http engine against a server without a model; test_http_real.py has a real one."""

import itertools
import json
import threading
from contextlib import closing
from dataclasses import replace
from datetime import datetime

import pytest
from fake_server import Faults, Habits, Said, fake_server, fault_proxy
from waiting import PATIENCE

from manyways.engines import Going, SampleRequest, SamplingSettings, http_client
from manyways.engines.http import FIRST_RETRIES, HttpEngine
from manyways.engines.http_client import apportion, read_reply, server_seed, told_to_wait
from manyways.errors import DataError, EngineError, MissingWork, UserError
from manyways.recipe.engines import ModelConfig
from manyways.records import Message

SETTINGS = SamplingSettings(max_tokens=30)
PROBE = 5
"""Requests of the first contact: one alone, then two seeds twice."""


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr(http_client, "FIRST_WAIT", 0.01)


def ask(text, *seeds):
    return SampleRequest(messages=(Message(role="user", content=text),), seeds=seeds)


def many(count):
    return [ask(f"question {i}", i * 7 + (1 << 40), i * 7 + 3) for i in range(count)]


def open_engine(url, **http):
    return HttpEngine("fake", ModelConfig(path="fake", engine="http", http={"url": url, **http}))


def sample(url, requests, settings=SETTINGS, **http):
    engine = open_engine(url, **http)
    try:
        return list(engine.sample(requests, settings)), engine.facts()
    finally:
        engine.close()


def test_faults_lose_nothing_double_nothing_and_change_nothing():
    """Also that Retry-After is waited for, and a stall ends at the timeout."""
    requests, habits = many(40), Habits()
    with fake_server(habits) as url:
        calm, _ = sample(url, requests)
        faults = Faults(stalled=0.02, retry_after="0.1")
        with fault_proxy(url, faults) as broken:
            rough, facts = sample(broken, requests, timeout=4)
    assert rough == calm
    assert set(faults.met) == {"none", "error", "drop", "busy", "stalled"}
    assert facts["requests"] == 80 + PROBE
    assert facts["faults: status 500"] == faults.met["error"]
    assert facts["faults: status 429"] == faults.met["busy"]
    assert facts["faults: dropped"] == faults.met["drop"]
    # On a busy machine a whole reply, too, may come after its time.
    late = facts["faults: timeout"] - faults.met["stalled"]
    assert late >= 0
    assert faults.early == 0
    answered = {
        raw: n for raw, n in faults.delivered.items() if json.loads(raw)["max_tokens"] == 30
    }
    assert 0 <= sum(answered.values()) - 80 - PROBE <= late
    assert len(answered) == 80 + 1  # two of the probes' bodies are asked for again
    seeds = [json.loads(raw)["seed"] for raw in answered]
    assert {server_seed(s) for r in requests for s in r.seeds} <= set(seeds)


def test_each_attempt_is_a_request_with_its_own_seed():
    habits = Habits()
    with fake_server(habits) as url:
        found, facts = sample(url, [ask("a", 3, 4), ask("b"), ask("c", 3)])
    assert [len(completions) for completions in found] == [2, 0, 1]
    assert [b["seed"] for b in habits.bodies[PROBE:]].count(3) == 2
    assert all("n" not in b for b in habits.bodies)
    assert facts["seeds"].startswith("honoured: ")
    assert facts["tokens"] == "the server's"


def test_no_more_requests_at_once_than_allowed():
    running, most, numbers = [], [], itertools.count()
    three = threading.Barrier(3)

    def slow(prompt, seed, body):
        running.append(1)
        most.append(len(running))
        if PROBE <= next(numbers) < PROBE + 3:
            three.wait(PATIENCE)  # the first three after the probes wait for each other
        running.pop()
        return Said("x", "stop", 2)

    with fake_server(Habits(writer=slow)) as url:
        sample(url, many(20), concurrency=3)
    assert max(most) == 3


def test_attempts_that_wait_are_not_said_to_run():
    with (
        fake_server(Habits()) as url,
        closing(open_engine(url, concurrency=2)) as engine,
    ):
        events = list(engine.stream(many(20), SETTINGS))
    running = [event.running for event in events if isinstance(event, Going)]
    assert max(running) == 2, "twenty are queued"


def test_it_reads_ahead_but_not_far():
    read = []

    def requests():
        for request in many(50):
            read.append(request)
            yield request

    looked, numbers = threading.Event(), itertools.count()

    def in_turn(prompt, seed, body):
        # No attempt but the first request's ends before the look, so none makes room for another.
        if next(numbers) >= PROBE and '"question 0"' not in prompt:
            looked.wait(PATIENCE)
        return Said("x", "stop", 2)

    with (
        fake_server(Habits(writer=in_turn)) as url,
        closing(open_engine(url, concurrency=2)) as engine,
    ):
        with closing(engine.sample(requests(), SETTINGS)) as stream:
            next(stream)
            seen = len(read)
            looked.set()
        assert seen == 5  # ten attempts: the first of two above 4 x 2


@pytest.mark.parametrize(("gives", "asked"), [(None, [4, 2]), (3, [4, 1, 2])])
def test_several_choices_of_a_request(gives, asked):
    habits = Habits(gives=gives)
    with fake_server(habits) as url:
        found, facts = sample(url, [ask("a", *range(6))], choices=4)
    assert habits.bodies[1]["n"] == 2 and habits.bodies[1]["max_tokens"] == 1
    attempts = habits.bodies[PROBE + 1 :]
    assert sorted(b.get("n", 1) for b in attempts) == sorted(asked)
    assert len(found[0]) == 6
    assert "first attempt of each request" in facts["seeds"]
    if gives is None:
        assert sum(c.tokens for c in found[0]) == sum(answer_tokens(b, habits) for b in attempts)
        assert "apportioned" in facts["tokens"]


@pytest.mark.parametrize("habit", [{"counts": "one"}, {"gives": 1}, {"forbids": '"n": 2'}])
def test_choices_that_cannot_be_counted_are_asked_for_one_by_one(habit):
    habits = Habits(**habit)
    with fake_server(habits) as url:
        found, facts = sample(url, [ask("a", *range(6))], choices=4)
        alone, _ = sample(url, [ask("a", *range(6))])
    assert found == alone
    assert "1 a request" in facts["choices"]
    assert facts["seeds"].startswith("honoured: ")


def answer_tokens(body, habits):
    from fake_server import answer

    return answer("/v1/chat/completions", body, habits)["usage"]["completion_tokens"]


def test_servers_that_refuse_or_ignore_seeds_are_told_apart():
    for seeds, sentence in (("refused", "refused by the server"), ("ignored", "ignored")):
        habits = Habits(seeds=seeds)
        with fake_server(habits) as url:
            found, facts = sample(url, many(2))
        assert len(found) == 2
        assert sentence in facts["seeds"]
        assert ("seed" in habits.bodies[-1]) == (seeds == "ignored")


def test_the_newer_word_for_the_limit_is_found_out():
    habits = Habits(limit="max_completion_tokens")
    with fake_server(habits) as url:
        found, _ = sample(url, many(2))
    assert len(found) == 2
    assert "max_tokens" not in habits.bodies[-1]


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_what_a_server_returns_apart_from_the_answer_is_dropped_or_joined(field):
    with fake_server(Habits()) as url:
        answers, _ = sample(url, many(3))
    with fake_server(Habits(thinks=field)) as url:
        dropped, _ = sample(url, many(3))
        joined, _ = sample(url, many(3), reasoning="join")
    assert dropped == answers
    texts = [completion.text for group in answers for completion in group]
    assert [completion.text for group in joined for completion in group] == [
        f"<think>\nLet me see.\n</think>\n\n{text}" for text in texts
    ]
    assert [replace(completion, text="") for group in joined for completion in group] == [
        replace(completion, text="") for group in answers for completion in group
    ]


def test_completions_endpoint_gets_rendered_text():
    habits = Habits()
    turns = (
        Message(role="user", content="1+1?"),
        Message(role="assistant", content="2"),
        Message(role="user", content="2+2?"),
    )
    with fake_server(habits) as url:
        sample(url, [SampleRequest(messages=turns, seeds=(1,))], endpoint="completions")
    prompt = habits.bodies[-1]["prompt"]
    assert prompt == "Problem: 1+1?\n\nSolution: 2\n\nProblem: 2+2?\n\nSolution: "


def test_an_answer_begun_goes_on_as_text_and_not_as_chat():
    habits = Habits()
    turns = (Message(role="user", content="2+2?"), Message(role="assistant", content="First, "))
    with fake_server(habits) as url:
        request = [SampleRequest(messages=turns, seeds=(1,))]
        sample(url, request, endpoint="completions")
        with pytest.raises(UserError, match="endpoint"):
            sample(url, request)
    assert habits.bodies[-1]["prompt"] == "Problem: 2+2?\n\nSolution: First, "


def test_nobody_who_counts_is_an_error():
    with fake_server(Habits(usage=False)) as url, pytest.raises(EngineError, match="tokenizer"):
        sample(url, many(1))


def test_a_wrong_address_is_told_after_a_few_tries(monkeypatch):
    waits, wait = [], http_client.Client._wait
    monkeypatch.setattr(
        http_client.Client, "_wait", lambda *args: waits.append(wait(*args)) or waits[-1]
    )
    with pytest.raises(EngineError, match=r"127.0.0.1:9/v1 .* is model.http.url right"):
        sample("http://127.0.0.1:9/v1", many(1))
    assert len(waits) == FIRST_RETRIES
    assert sum(waits) / http_client.FIRST_WAIT <= 1 + 2 + 4


def test_a_wrong_path_and_an_unknown_model_name_what_is_served():
    with fake_server(Habits(model="other")) as url:
        with pytest.raises(EngineError, match=r"serves 'fake'. It serves: other"):
            sample(url, many(1))
        with pytest.raises(EngineError, match=r"status 404: no such page\): check model.http.url"):
            sample(url + "/v2", many(1))


def test_a_server_that_fails_from_the_first_request_on_is_not_called_absent():
    with (
        fake_server(Habits(fails="question")) as url,
        pytest.raises(EngineError, match=r"status 500: made up\): it fails at requests for 'fake'"),
    ):
        sample(url, many(1))


def test_keys(monkeypatch):
    habits = Habits(key="s3cret")
    with fake_server(habits) as url:
        with pytest.raises(EngineError, match="name the variable that holds one"):
            sample(url, many(1))
        with pytest.raises(EngineError, match=r"FAKE_KEY, which is not set"):
            open_engine(url, api_key_env="FAKE_KEY")
        monkeypatch.setenv("FAKE_KEY", "wr0ng")
        with pytest.raises(
            EngineError, match=r"401: wrong key \*\*\*\): check the key in FAKE_KEY"
        ):
            sample(url, many(1), api_key_env="FAKE_KEY")
        monkeypatch.setenv("FAKE_KEY", "s3cret")
        found, facts = sample(url, many(1), api_key_env="FAKE_KEY")
    assert len(found) == 1
    assert "s3cret" not in json.dumps(facts)
    assert habits.keys[-1] == "Bearer s3cret"


def test_a_refused_prompt_is_named():
    with (
        fake_server(Habits(forbids="question 3")) as url,
        pytest.raises(DataError, match=r"'question 3\.\.\.' \(status 400: the prompt is too long"),
    ):
        sample(url, many(5))


def test_a_refused_request_takes_the_others_with_it_at_once(monkeypatch):
    """Also those that are waiting for their next try: closing does not sit an hour out."""
    monkeypatch.setattr(http_client, "FIRST_WAIT", 3600.0)
    monkeypatch.setattr(http_client, "LONGEST_WAIT", 3600.0)
    habits = Habits(forbids="question 0", fails="later")
    with fake_server(habits) as url:
        engine = open_engine(url)
        list(engine.sample([ask("hello", 1)], SETTINGS))
        refused = ask("question 0", 1, 2)
        with pytest.raises(DataError):
            list(engine.sample([refused, *(ask(f"later {i}", 1) for i in range(9))], SETTINGS))
        engine.close()


def test_a_server_that_stays_broken_ends_the_stage_and_a_long_wait_too():
    faults = Faults(error=0.0, drop=0.0, busy=0.0, stalled=0.0)
    with fake_server(Habits()) as url, fault_proxy(url, faults) as broken:
        engine = open_engine(broken, retries=2, concurrency=1)
        stream = engine.sample(many(60), SETTINGS)
        next(stream)
        faults.error = 1.0
        with pytest.raises(MissingWork, match=r"failed 3 times in a row .*status 500|made up"):
            list(stream)
        faults.error, faults.busy, faults.retry_after = 0.0, 1.0, "86400"
        with pytest.raises(MissingWork, match="asks to wait 86400 s"):
            list(engine.sample(many(1), SETTINGS))
        engine.close()


def test_a_closed_engine_says_so():
    with fake_server(Habits()) as url:
        engine = open_engine(url)
        engine.close()
        engine.close()
        with pytest.raises(EngineError, match="closed"):
            engine.facts()


def test_retry_after_is_a_number_or_a_date(monkeypatch):
    class Noon(datetime):
        @classmethod
        def now(cls, zone):
            return cls(2026, 3, 1, 12, 0, 0, tzinfo=zone)

    monkeypatch.setattr(http_client, "datetime", Noon)
    assert told_to_wait("7") == 7.0
    assert told_to_wait("Sun, 01 Mar 2026 12:01:00 GMT") == 60.0
    assert told_to_wait("Sun, 01 Mar 2026 11:59:00 GMT") == 0.0
    assert told_to_wait(None) is told_to_wait("soon") is None


def test_replies_are_taken_apart():
    data = {
        "choices": [
            {"index": 1, "text": "b STOP c", "finish_reason": "length"},
            {"index": 0, "text": "a", "finish_reason": "content_filter"},
        ]
    }
    reply = read_reply(data, ["STOP"])
    assert reply.texts == ("a", "b ")
    assert reply.finishes == ("error", "stop")
    assert reply.tokens is None
    for bad in ({}, {"choices": []}, [], None, {"choices": "x"}):
        with pytest.raises(ValueError, match="choices"):
            read_reply(bad, ())


@pytest.mark.parametrize(
    ("total", "weights"), [(10, [1, 1, 1]), (0, [3, 4]), (7, [1, 100]), (5, [2])]
)
def test_apportioned_counts_sum_to_the_whole(total, weights):
    parts = apportion(total, weights)
    assert sum(parts) == total
    assert min(parts) >= 0
    assert len(parts) == len(weights)
