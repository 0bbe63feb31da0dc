"""A client of OpenAI-compatible servers: requests, replies, retries after faults, and waits.

It is written here and does not use the ``openai`` package, because each try has to have its own
time limit, faults are counted by kind, and a wait that a server asks for may end the stage.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import accumulate, pairwise
from typing import Any

import httpx2

from manyways import trust
from manyways.checkpoints import BASE_MODEL_TEMPLATE, load_tokenizer, model_path
from manyways.engines import Completion, SamplingSettings
from manyways.errors import EngineError, MissingWork, UserError
from manyways.recipe.engines import HttpConfig
from manyways.records import Finish, Message
from manyways.rendering import split_begun, trim

SEED_BITS = 31
"""Bits of the seed that is sent: llama.cpp takes 32, and some servers read numbers as doubles."""

FINISHES: dict[object, Finish] = {
    "stop": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
}
"""The server's finish reason -> ours. All others (``content_filter``, ``abort``, none) are
``error``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """The fields that one server accepts, learned from its refusals.

    limit: the name of the field with the largest number of tokens to sample.
    seeds: whether it accepts a seed.
    """

    limit: str = "max_tokens"
    seeds: bool = True

    def adapted(self, message: str) -> "Dialect | None":
        """The dialect to try after a refusal with this ``message``; None: there is no other."""
        if self.limit == "max_tokens" and "max_completion_tokens" in message:
            return replace(self, limit="max_completion_tokens")
        if self.seeds and "seed" in message.lower():
            return replace(self, seeds=False)
        return None


def server_seed(seed: int) -> int:
    """The part of an attempt's seed that is sent."""
    return seed & ((1 << SEED_BITS) - 1)


def path_of(config: HttpConfig) -> str:
    """The path of requests, below the server's address."""
    return "/chat/completions" if config.endpoint == "chat" else "/completions"


def request_body(
    prompt: str | tuple[Message, ...],
    seeds: Sequence[int],
    settings: SamplingSettings,
    *,
    config: HttpConfig,
    dialect: Dialect,
) -> dict[str, object]:
    """The body of a request for ``len(seeds)`` attempts at one prompt.

    prompt: the turns for a chat endpoint, the rendered text for completions.
    """
    body: dict[str, object] = {
        "model": config.model,
        dialect.limit: settings.max_tokens,
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "stream": False,
        **config.extra,
    }
    if isinstance(prompt, str):
        body["prompt"] = prompt
    else:
        body["messages"] = [asdict(turn) for turn in prompt]
    if settings.stop:
        body["stop"] = list(settings.stop)
    if len(seeds) > 1:
        body["n"] = len(seeds)
    if dialect.seeds:
        body["seed"] = server_seed(seeds[0])
    return body


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """A server's reply to one request.

    texts, finishes: one for each choice, in order.
    prompt_tokens, tokens: the server's counts, over all choices; None if it gives none.
    """

    texts: tuple[str, ...]
    finishes: tuple[Finish, ...]
    prompt_tokens: int | None
    tokens: int | None


def read_reply(data: object, stop: Sequence[str], *, reasoning: bool = False) -> Reply:
    """Read a reply. Stop strings are cut off, even if the server does not do it.

    reasoning: put the reasoning that a server returns in a field of its own before the answer, in
        think tags.

    Raises ValueError when the reply does not have the expected form.
    """
    if not isinstance(data, Mapping) or not isinstance(data.get("choices"), list):
        raise ValueError(f"no choices in it: {str(data)[:120]}")
    choices = sorted(data["choices"], key=lambda choice: int(choice.get("index") or 0))
    if not choices:
        raise ValueError("an empty list of choices")
    found = [_choice(choice, stop, reasoning=reasoning) for choice in choices]
    usage = data.get("usage") or {}
    return Reply(
        texts=tuple(text for text, _ in found),
        finishes=tuple(finish for _, finish in found),
        prompt_tokens=usage.get("prompt_tokens"),
        tokens=usage.get("completion_tokens"),
    )


def _choice(
    choice: Mapping[str, Any], stop: Sequence[str], *, reasoning: bool
) -> tuple[str, Finish]:
    message = choice.get("message")
    text = choice.get("text") if message is None else message.get("content")
    text, stopped = trim(text or "", stop)
    thought = message and (message.get("reasoning_content") or message.get("reasoning"))
    if reasoning and thought:
        text = f"<think>\n{thought.strip()}\n</think>\n\n{text.lstrip()}"
    return text, "stop" if stopped else FINISHES.get(choice.get("finish_reason"), "error")


def apportion(total: int, weights: Sequence[int]) -> list[int]:
    """Split ``total`` in proportion to ``weights`` (positive); the parts sum to it exactly."""
    ends = [round(total * reached / sum(weights)) for reached in accumulate(weights)]
    return [end - start for start, end in pairwise([0, *ends])]


def completions(
    reply: Reply, counts: tuple[int, Sequence[int]] | None, wanted: int
) -> list[Completion]:
    """The first ``wanted`` choices of ``reply`` as completions.

    counts: tokens of the prompt and of each choice. None: use the server's counts; the tokens of
        several choices are divided in proportion to the lengths of their texts.

    Raises EngineError when there are no counts at all.
    """
    if counts is None:
        if reply.prompt_tokens is None or reply.tokens is None:
            raise EngineError(
                "the server reports no token counts: set model.http.tokenizer to a checkpoint "
                "whose tokenizer counts them."
            )
        # Plus one, so that an empty text counts one token, the one that ends it.
        lengths = [len(text) + 1 for text in reply.texts]
        counts = (reply.prompt_tokens, apportion(reply.tokens, lengths))
    prompt_tokens, tokens = counts
    rows = zip(reply.texts, reply.finishes, tokens, strict=True)
    return [
        Completion(text=text, finish=finish, prompt_tokens=prompt_tokens, tokens=count)
        for text, finish, count in list(rows)[:wanted]
    ]


def refusal(data: object, status: int) -> str:
    """The server's explanation of an error status."""
    if isinstance(data, Mapping):
        error = data.get("error", data.get("detail", data.get("message")))
        if isinstance(error, Mapping):
            error = error.get("message", error)
        if error:
            return str(error)[:300]
    return f"status {status}"


Prompt = str | tuple[Message, ...]


class Prompts:
    """Makes the prompt to send: the turns for ``chat``, rendered text for ``completions``.

    Without ``config.tokenizer`` the text is rendered by the template for base models, and no
    tokenizer is loaded.
    """

    def __init__(self, config: HttpConfig, template: Mapping[str, object]) -> None:
        self._chat = config.endpoint == "chat"
        self._tokenizer: Any = None
        if config.tokenizer:
            self._tokenizer = load_tokenizer(model_path(config.tokenizer), template)

    def prompt(self, messages: tuple[Message, ...]) -> Prompt:
        """What to send for ``messages``.

        Raises UserError when a ``chat`` endpoint is asked to continue an answer.
        """
        if not self._chat:
            return self._render(messages)
        if split_begun(messages)[1]:
            raise UserError(
                "a chat endpoint starts a new answer, it does not go on with one: set "
                'model.http.endpoint = "completions".'
            )
        return messages

    def counts(
        self, messages: tuple[Message, ...], texts: tuple[str, ...]
    ) -> tuple[int, list[int]] | None:
        """(tokens of the prompt, tokens of each text without its end); None without a tokenizer."""
        if self._tokenizer is None:
            return None
        return self._count(self._render(messages)), [self._count(text) for text in texts]

    def _count(self, text: str) -> int:
        return len(self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def _render(self, messages: tuple[Message, ...]) -> str:
        asked, begun = split_begun(messages)
        turns = [{"role": message.role, "content": message.content} for message in asked]
        if self._tokenizer is None:
            return _render_base(turns) + begun
        text = str(
            self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        )
        bos = self._tokenizer.bos_token
        return (text.removeprefix(bos) if bos and self._adds_bos() else text) + begun

    def _adds_bos(self) -> bool:
        """Whether the server's tokenizer adds BOS itself, so that ours would be a second one."""
        ids = self._tokenizer("", verbose=False)["input_ids"]
        return self._tokenizer.bos_token_id in ids


def _render_base(turns: list[dict[str, str]]) -> str:
    from jinja2 import Template

    # No EOS: the server knows what ends a text, and blank lines separate the turns.
    return str(
        Template(BASE_MODEL_TEMPLATE).render(
            messages=turns, add_generation_prompt=True, eos_token=""
        )
    )


FIRST_WAIT = 0.5
"""Seconds before the first retry; every further wait is twice as long."""
LONGEST_WAIT = 60.0
LONGEST_TOLD = 900.0
"""The longest wait in seconds that a server may ask for (Retry-After); else the stage ends."""
JITTER = random.Random()
"""A generator of its own, because the global one may have been seeded by the user."""
TRY_AGAIN = {408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529}
"""Error statuses after which a retry may succeed."""


class RefusedError(Exception):
    """The server refuses this request; a retry would not help."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class FaultError(Exception):
    """One try failed, and a retry may succeed.

    status: status of the reply, 0 without a reply that makes sense.
    told:   seconds that the server asks to wait, None if it does not.
    """

    def __init__(
        self, kind: str, message: str, *, status: int = 0, told: float | None = None
    ) -> None:
        super().__init__(message)
        self.kind, self.status, self.told = kind, status, told


class Client:
    """Sends requests to one server, ``config.concurrency`` at once. Use it in one event loop.

    requests: number of requests so far, without retries.
    faults:   number of failed tries by kind (``status 429``, ``timeout``, ``dropped``, ...).

    Raises EngineError when the variable that should hold the key is not set, Untrusted when the key
    would be sent to another machine that nobody trusts.
    """

    def __init__(self, config: HttpConfig) -> None:
        self._config, self._key = config, _key(config)
        self.requests = 0
        self.faults: Counter[str] = Counter()
        limits = httpx2.Limits(
            max_connections=config.concurrency, max_keepalive_connections=config.concurrency
        )
        self._slots = asyncio.Semaphore(config.concurrency)
        self._client = httpx2.AsyncClient(
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            limits=limits,
            timeout=config.timeout,
        )

    async def ask(
        self, body: dict[str, object], stop: Sequence[str], *, retries: int | None = None
    ) -> Reply:
        """The reply to one request, with retries.

        A request that waits keeps its slot, so that a server in trouble gets fewer requests.

        Raises RefusedError when a retry would not help, MissingWork after the last try.
        """
        retries = self._config.retries if retries is None else retries
        async with self._slots:
            self.requests += 1
            for number in range(retries + 1):
                try:
                    return await self._try(body, stop)
                except FaultError as fault:
                    self.faults[fault.kind] += 1
                    if number == retries:
                        raise MissingWork(
                            f"the server at {self._config.url} failed {number + 1} times in a row "
                            f"at one request, last with: {fault}. What is finished is kept: run "
                            "the same command again."
                        ) from fault
                    await asyncio.sleep(self._wait(fault, number))
            raise AssertionError("unreachable: the last try returns or raises")

    async def names(self) -> list[str]:
        """The server's names of its models; empty if it does not list them."""
        try:
            async with asyncio.timeout(min(self._config.timeout, 10)):
                reply = await self._client.get(f"{self._config.url}/models")
            return [str(row["id"]) for row in reply.json()["data"]]
        except (httpx2.HTTPError, TimeoutError, ValueError, KeyError, TypeError):
            return []

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def hide(self, text: str) -> str:
        """``text`` without the key, because a server may repeat it in a message."""
        return text.replace(self._key, "***") if self._key else text

    async def _try(self, body: dict[str, object], stop: Sequence[str]) -> Reply:
        url = self._config.url + path_of(self._config)
        try:
            # A limit for the whole try: httpx2's own timeouts restart with each piece of the body.
            async with asyncio.timeout(self._config.timeout):
                response = await self._client.post(url, json=body)
        except (TimeoutError, httpx2.TimeoutException) as error:
            raise FaultError("timeout", f"no reply in {self._config.timeout:g} s") from error
        except httpx2.ConnectError as error:
            raise FaultError("connect", f"cannot connect ({error})") from error
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            raise FaultError("dropped", f"connection lost ({type(error).__name__})") from error
        return self._read(response, stop)

    def _read(self, response: httpx2.Response, stop: Sequence[str]) -> Reply:
        try:
            data = response.json()
        except ValueError:
            data = None
        status = response.status_code
        if status != 200:
            message = self.hide(refusal(data, status))
            if status not in TRY_AGAIN:
                raise RefusedError(status, message)
            told = told_to_wait(response.headers.get("retry-after"))
            raise FaultError(f"status {status}", message, status=status, told=told)
        try:
            return read_reply(data, stop, reasoning=self._config.reasoning == "join")
        except (ValueError, TypeError, AttributeError) as error:
            raise FaultError("garbled", f"a reply that makes no sense ({error})") from error

    def _wait(self, fault: FaultError, number: int) -> float:
        """Seconds until the next try.

        They grow exponentially, with jitter, so that requests which failed together are not sent
        again together. They are never less than what the server asks for.
        """
        wait = JITTER.uniform(0.5, 1.0) * min(LONGEST_WAIT, FIRST_WAIT * float(2**number))
        if fault.told is None:
            return wait
        if fault.told > LONGEST_TOLD:
            raise MissingWork(
                f"the server at {self._config.url} asks to wait {fault.told:.0f} s ({fault}): run "
                "the same command again then."
            ) from fault
        return fault.told + JITTER.uniform(0.0, min(wait, 1.0))


def told_to_wait(header: str | None) -> float | None:
    """Seconds in a Retry-After header, which has a number or a date (RFC 9110, 10.2.3)."""
    if not header:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _key(config: HttpConfig) -> str:
    if not config.api_key_env:
        return ""
    trust.require_key_address(config.url, config.api_key_env)
    key = os.environ.get(config.api_key_env, "")
    if not key:
        raise EngineError(
            f"model.http.api_key_env names the variable {config.api_key_env}, which is not set: "
            f"export {config.api_key_env}=... and run again."
        )
    return key
