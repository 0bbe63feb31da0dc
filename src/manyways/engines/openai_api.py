"""The OpenAI-compatible protocol: what a request says and what a reply holds. No network here."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import accumulate, pairwise
from typing import Any

from manyways.engines import Completion, SamplingSettings
from manyways.engines.rendering import trim
from manyways.errors import EngineError
from manyways.recipe.engines import HttpConfig
from manyways.records import Finish, Message

SEED_BITS = 31
"""Of an attempt's 63: llama.cpp takes 32, and some servers read numbers as doubles."""

FINISHES: dict[object, Finish] = {
    "stop": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
}
"""Everything else (``content_filter``, ``abort``, ``tool_calls``, none at all) is ``error``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """What one server understands, found out by asking it.

    limit: its word for the greatest number of sampled tokens.
    seeds: whether it takes a seed at all.
    logprobs: whether it can be asked for log-probabilities.
    """

    limit: str = "max_tokens"
    seeds: bool = True
    logprobs: bool = True

    def adapted(self, message: str) -> "Dialect | None":
        """The dialect to try after a refusal that said ``message``; None: no other one."""
        if self.limit == "max_tokens" and "max_completion_tokens" in message:
            return replace(self, limit="max_completion_tokens")
        if self.logprobs and "logprob" in message.lower():
            return replace(self, logprobs=False)
        if self.seeds and "seed" in message.lower():
            return replace(self, seeds=False)
        return None


def server_seed(seed: int) -> int:
    """The seed as it is sent."""
    return seed & ((1 << SEED_BITS) - 1)


def path_of(config: HttpConfig) -> str:
    """Where requests go, below the server's address."""
    return "/chat/completions" if config.endpoint == "chat" else "/completions"


def request_body(
    prompt: str | tuple[Message, ...],
    seeds: Sequence[int],
    settings: SamplingSettings,
    *,
    config: HttpConfig,
    dialect: Dialect,
) -> dict[str, object]:
    """The body that asks for ``len(seeds)`` attempts at one prompt (its text for completions)."""
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
    if settings.logprobs and dialect.logprobs:
        # For completions a number of rivals; 0 means none at all to some servers.
        body["logprobs"] = 1 if isinstance(prompt, str) else True
    if dialect.seeds:
        body["seed"] = server_seed(seeds[0])
    return body


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What a server sent back for one request.

    texts, finishes: one for each choice, in order.
    prompt_tokens, tokens: its own counts, over all choices; None when it gives none.
    logprobs: for each choice those of its tokens, None when it gives none.
    """

    texts: tuple[str, ...]
    finishes: tuple[Finish, ...]
    prompt_tokens: int | None
    tokens: int | None
    logprobs: tuple[tuple[float, ...] | None, ...]


def read_reply(data: object, stop: Sequence[str], *, reasoning: bool = False) -> Reply:
    """Take a reply apart; stop strings are cut off, whether or not the server does.

    reasoning: join what the server returns apart from the answer, in think tags before it.

    Raises ValueError when it is not of the expected form.
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
        logprobs=tuple(_logprobs(choice.get("logprobs")) for choice in choices),
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


def _logprobs(found: object) -> tuple[float, ...] | None:
    """As chat gives them, one object a token, or completions, one list."""
    if not isinstance(found, Mapping):
        return None
    values = found.get("token_logprobs")
    if isinstance(found.get("content"), list):
        values = [token.get("logprob") for token in found["content"]]
    if not values or not all(isinstance(value, int | float) for value in values):
        return None
    return tuple(map(float, values))


def apportion(total: int, weights: Sequence[int]) -> list[int]:
    """Split ``total`` in proportion to ``weights`` (positive); the parts sum to it exactly."""
    ends = [round(total * reached / sum(weights)) for reached in accumulate(weights)]
    return [end - start for start, end in pairwise([0, *ends])]


def completions(
    reply: Reply, counts: tuple[int, Sequence[int]] | None, wanted: int
) -> list[Completion]:
    """The first ``wanted`` choices of ``reply`` as completions.

    counts: tokens of the prompt and of each choice; None: the server's, apportioned to the choices
        by the length of their texts when there are several.

    Raises EngineError when nobody counted.
    """
    if counts is None:
        if reply.prompt_tokens is None or reply.tokens is None:
            raise EngineError(
                "the server reports no token counts: set model.http.tokenizer to a checkpoint "
                "whose tokenizer counts them."
            )
        # One more than the length, so that an empty text has a token of its own (its end).
        lengths = [len(text) + 1 for text in reply.texts]
        counts = (reply.prompt_tokens, apportion(reply.tokens, lengths))
    prompt_tokens, tokens = counts
    rows = zip(reply.texts, reply.finishes, tokens, reply.logprobs, strict=True)
    return [
        Completion(
            text=text, finish=finish, prompt_tokens=prompt_tokens, tokens=count, logprobs=told
        )
        for text, finish, count, told in list(rows)[:wanted]
    ]


def refusal(data: object, status: int) -> str:
    """The sentence with which a server explains an error status."""
    if isinstance(data, Mapping):
        error = data.get("error", data.get("detail", data.get("message")))
        if isinstance(error, Mapping):
            error = error.get("message", error)
        if error:
            return str(error)[:300]
    return f"status {status}"
