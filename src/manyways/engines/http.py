"""Sampling from any OpenAI-compatible server: vLLM, SGLang, llama.cpp, TGI, transformers serve."""

import asyncio
from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import NoReturn

from anyio.from_thread import start_blocking_portal

from manyways.engines import Completion, Ended, Event, Going, SampleRequest, SamplingSettings
from manyways.engines.http_client import (
    Client,
    Dialect,
    Prompts,
    RefusedError,
    Reply,
    completions,
    request_body,
)
from manyways.engines.queueing import in_order
from manyways.errors import DataError, EngineError, MissingWork
from manyways.recipe.engines import ModelConfig

AHEAD = 4
"""The most attempts that are queued at a time, as a multiple of the concurrency."""
SIGN_SECONDS = 1.0
"""Time between ``Going`` events while nothing arrives."""
FIRST_RETRIES = 3
"""Retries of the very first request. They are few, to report a wrong address within seconds."""
TASTE = 32
"""The most tokens of the texts that test whether the server honours seeds."""

ONE_BY_ONE = "1 a request: the server counts the tokens of one choice alone, or refuses several"
"""What ``facts`` says if ``model.http.choices`` is not used."""


class HttpEngine:
    """One model on a server. Nothing is loaded here, not even torch.

    Each attempt is a request of its own with its own seed (``model.http.choices`` = 1). So no
    attempt is lost or counted twice: a reply belongs to exactly one attempt.

    Raises EngineError when the variable that should hold the key is not set.
    """

    reads_ahead = True

    def __init__(self, path: str, model_config: ModelConfig) -> None:
        if model_config.http is None:
            raise EngineError("engine 'http' needs the address of a server: set model.http.url.")
        config = model_config.http
        template, extra = model_config.chat_template_kwargs, config.extra
        if template and config.endpoint == "chat":
            extra = {**extra, "chat_template_kwargs": template}
        named = {"model": config.model or model_config.path, "extra": extra}
        self._config = config.model_copy(update=named)
        self._prompts = Prompts(self._config, template)
        self._dialect = Dialect()
        self._met = False
        self._seeds = "not asked yet"
        self._choices = self._config.choices
        self._tokens = ""
        self._resources = ExitStack()
        self._portal = self._resources.enter_context(start_blocking_portal())
        try:
            self._client: Client | None = self._portal.call(Client, self._config)
        except BaseException:
            self._resources.close()
            raise

    def sample(
        self, requests: Iterable[SampleRequest], settings: SamplingSettings
    ) -> Iterator[list[Completion]]:
        """See ``Engine.sample``. Raises the errors of ``stream``."""
        return in_order(lambda read: self.stream(read, settings), requests)

    def stream(
        self, requests: Iterable[SampleRequest], settings: SamplingSettings
    ) -> Generator[Event]:
        """Yield events as attempts end; see ``Engine.stream``.

        Raises EngineError when the server cannot be reached or refuses the key or the model,
        DataError when it refuses one prompt, MissingWork when it keeps failing. Attempts that had
        ended before are yielded first.
        """
        self._open_client()
        flying: dict[Future[list[Completion]], tuple[int, int]] = {}
        arrived: SimpleQueue[Future[list[Completion]]] = SimpleQueue()
        coming, running = enumerate(requests), 0
        more = True
        try:
            while more or flying:
                while more and running <= AHEAD * self._config.concurrency:
                    number, request = next(coming, (-1, None))
                    if request is None:
                        more = False
                        break
                    if request.seeds and not self._met:
                        self._meet(request, settings)
                        self._met = True
                    running += len(request.seeds)
                    for place, future in self._start(request, settings):
                        flying[future] = (number, place)
                        future.add_done_callback(arrived.put)
                # The others wait in the queue.
                yield Going(running=min(running, self._config.concurrency * self._config.choices))
                for future in _arrivals(arrived, wait=bool(flying)):
                    number, first = flying.pop(future)
                    found = future.result()
                    running -= len(found)
                    for place, completion in enumerate(found, start=first):
                        yield Ended(request=number, place=place, completion=completion)
        finally:
            # The caller has stopped reading, so nobody needs the requests that are still running.
            for future in flying:
                future.cancel()

    def facts(self) -> Mapping[str, str | int]:
        """See ``Engine.facts``; also the number of requests and of faults."""
        client = self._open_client()
        return {
            "engine": "http",
            "model": self._config.model,
            "endpoint": self._config.endpoint,
            "seeds": self._seeds,
            "tokens": self._tokens,
            **({} if self._choices == self._config.choices else {"choices": ONE_BY_ONE}),
            "requests": client.requests,
            **{f"faults: {kind}": count for kind, count in sorted(client.faults.items())},
        }

    def close(self) -> None:
        """Close the connections; the engine cannot be used afterwards."""
        if self._client is not None:
            self._portal.call(self._client.close)
            self._client = None
            self._resources.close()

    def _start(
        self, request: SampleRequest, settings: SamplingSettings
    ) -> Iterator[tuple[int, Future[list[Completion]]]]:
        """(index of the first seed of a group, the future of its attempts) for each group."""
        for place in range(0, len(request.seeds), self._choices):
            group = replace(request, seeds=request.seeds[place : place + self._choices])
            yield place, self._portal.start_task_soon(self._attempts, group, settings)

    async def _attempts(
        self, request: SampleRequest, settings: SamplingSettings
    ) -> list[Completion]:
        """One completion per seed. If the server returns fewer choices, it is asked again."""
        found: list[Completion] = []
        while len(found) < len(request.seeds):
            left = replace(request, seeds=request.seeds[len(found) :])
            try:
                reply = await self._ask(left, settings)
            except RefusedError as error:
                begin = " ".join(request.messages[-1].content.split())[:60]
                raise DataError(
                    f"the server refuses the prompt that begins '{begin}...' (status "
                    f"{error.status}: {error}): leave that problem out, or change what it objects "
                    "to (max_tokens, heuristics.shots, model.http.extra)."
                ) from error
            found += self._counted(left, reply)
        return found

    async def _ask(
        self, request: SampleRequest, settings: SamplingSettings, retries: int | None = None
    ) -> Reply:
        body = request_body(
            self._prompts.prompt(request.messages),
            request.seeds,
            settings,
            config=self._config,
            dialect=self._dialect,
        )
        return await self._open_client().ask(body, settings.stop, retries=retries)

    def _counted(self, request: SampleRequest, reply: Reply) -> list[Completion]:
        """The completions of a reply, with token counts: the server's, or our tokenizer's."""
        counts = None
        if reply.tokens is None or len(reply.texts) > 1:
            counts = self._prompts.counts(request.messages, reply.texts)
        if counts is not None:
            self._tokens = "counted by the tokenizer, ends of text left out"
        elif len(reply.texts) > 1:
            self._tokens = "the server's, apportioned to the attempts of a request by their length"
        else:
            self._tokens = "the server's"
        return completions(reply, counts, len(request.seeds))

    def _meet(self, request: SampleRequest, settings: SamplingSettings) -> None:
        """The first contact. Checks address, key and model, and learns the server's dialect."""
        one = replace(request, seeds=request.seeds[:1])
        short = replace(settings, max_tokens=min(TASTE, settings.max_tokens))
        while True:
            try:
                self._portal.call(self._ask, one, short, FIRST_RETRIES)
                break
            except RefusedError as error:
                # Each refusal changes one word of the dialect, until no other word is left.
                other = self._dialect.adapted(str(error)) if error.status in (400, 422) else None
                self._dialect = other or self._explain(error.status, str(error))
            except MissingWork as error:
                self._explain(getattr(error.__cause__, "status", 0), str(error.__cause__))
        if self._config.choices > 1 and not self._config.tokenizer:
            self._choices = self._portal.call(self._try_choices, request, short)
        self._seeds = self._portal.call(self._try_seeds, one, short)

    async def _try_choices(self, request: SampleRequest, settings: SamplingSettings) -> int:
        """Attempts to ask for in one request: 1 if the server counts the tokens of one choice only.

        Asks for two choices of one token each. A server that counts both says 2, llama.cpp 1.
        """
        seed = request.seeds[0]
        # The seeds differ in the lowest bit, which is left even if a server cuts seeds short.
        two = replace(request, seeds=(seed, seed ^ 1))
        try:
            reply = await self._ask(two, replace(settings, max_tokens=1))
        except RefusedError:
            return 1
        return 1 if reply.tokens is not None and reply.tokens < 2 else self._config.choices

    async def _try_seeds(self, one: SampleRequest, settings: SamplingSettings) -> str:
        """Whether the server honours seeds: asks for two seeds twice, at once as in real work."""
        if not self._dialect.seeds:
            return "refused by the server: no attempt can be sampled again"
        first, second = one.seeds[0], one.seeds[0] ^ 1
        asked = [replace(one, seeds=(seed,)) for seed in (first, first, second, second)]
        replies = await asyncio.gather(*(self._ask(request, settings) for request in asked))
        a, again, b, b_again = (reply.texts[0] for reply in replies)
        if a != again or b != b_again:
            return "sent, but ignored by the server: no attempt can be sampled again"
        if a == b:
            return "sent; not known whether they matter: two of them gave the same text"
        if self._choices > 1:
            return "honoured for the first attempt of each request; the others have none"
        return (
            "honoured: of four requests at one prompt, equal seeds gave equal texts and others "
            "other ones; whether they do beside other prompts was not tried"
        )

    def _explain(self, status: int, message: str) -> NoReturn:
        """Raise EngineError that says what is wrong with the address, the key or the model."""
        config = self._config
        names = self._portal.call(self._open_client().names)
        serves = f" It serves: {', '.join(names[:8])}." if names else ""
        if status in (401, 403) and config.api_key_env:
            fix = f"check the key in {config.api_key_env}."
        elif status in (401, 403):
            fix = "it wants a key: name the variable that holds one in model.http.api_key_env."
        elif status >= 500:
            fix = f"it fails at requests for '{config.model}', its own log says why.{serves}"
        elif status == 404 or (names and config.model not in names):
            fix = f"check model.http.url and whether it serves '{config.model}'.{serves}"
        elif status:
            fix = f"it does not accept such requests for '{config.model}'.{serves}"
        else:
            fix = "is it running, and is model.http.url right?"
        said = f"status {status}: {message}" if status else message
        raise EngineError(f"the server at {config.url} does not answer as needed ({said}): {fix}")

    def _open_client(self) -> Client:
        if self._client is None:
            raise EngineError("this engine was closed: open another one to sample again.")
        return self._client


def _arrivals(
    arrived: "SimpleQueue[Future[list[Completion]]]", *, wait: bool
) -> list[Future[list[Completion]]]:
    """The futures that are done, after at most SIGN_SECONDS. Failed ones come last."""
    found: list[Future[list[Completion]]] = []
    with suppress(Empty):
        found.append(arrived.get(block=wait, timeout=SIGN_SECONDS))
        while True:
            found.append(arrived.get_nowait())
    return sorted(found, key=lambda future: future.exception() is not None)
