"""The queue of attempts: in which order attempts start, and how completions are put in order.

Prompts with a common beginning stand together, short ones first. A beginning that many prompts
share, such as a heuristic's exemplars, is then computed once.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

from manyways.engines import (
    Completion,
    Ended,
    Engine,
    Event,
    Going,
    SampleRequest,
    SamplingSettings,
)

WINDOW = 4096
"""Prompts are sorted among this many attempts. It limits how far ahead an engine reads."""
LONG = 16
"""A common beginning of this many tokens is worth a pass of its own."""

Tokens = tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """Attempts at one prompt that wait for a place in the batch.

    Example: ``Waiting(prompt=(5, 7, 9), shared=2, rows=(0, 1), seeds=(17, 99))``.

    prompt: token ids.
    shared: how many of the prompt's first tokens other prompts in the queue begin with too.
    rows:   for each attempt, its index among all attempts that are sampled.
    seeds:  for each attempt, its seed.
    """

    prompt: Tokens
    shared: int
    rows: tuple[int, ...]
    seeds: tuple[int, ...]

    @property
    def beginning(self) -> Tokens:
        """The tokens that other prompts begin with, too."""
        return self.prompt[: self.shared]

    def split(self, count: int) -> tuple["Waiting", "Waiting"]:
        """Split into the first ``count`` attempts and the rest."""
        first, rest = (
            Waiting(
                prompt=self.prompt, shared=self.shared, rows=self.rows[part], seeds=self.seeds[part]
            )
            for part in (slice(count), slice(count, None))
        )
        return first, rest


def windows(requests: Iterable[SampleRequest], size: int = WINDOW) -> Iterator[list[SampleRequest]]:
    """Split ``requests``, in order, into lists of at least ``size`` attempts (the last: fewer)."""
    window: list[SampleRequest] = []
    attempts = 0
    for request in requests:
        window.append(request)
        attempts += len(request.seeds)
        if attempts >= size:
            yield window
            window, attempts = [], 0
    if window:
        yield window


def queue(
    prompts: Sequence[Tokens], seeds: Sequence[Sequence[int]], *, share: bool = True
) -> deque[Waiting]:
    """Every attempt of some requests, in the order in which they start. Equal prompts are joined.

    prompts: token ids of each request.  seeds: the seeds of each request.
    share:   look for common beginnings. If False, prompts are sorted by length alone.
    """
    attempts: dict[Tokens, list[tuple[int, int]]] = {}
    number = 0
    for prompt, own in zip(prompts, seeds, strict=True):
        for seed in own:
            attempts.setdefault(prompt, []).append((number, seed))
            number += 1
    groups = _groups(sorted(attempts)) if share else [(0, list(attempts))] if attempts else []
    ordered = sorted(groups, key=lambda group: (group[0], min(map(len, group[1]))))
    return deque(
        Waiting(
            prompt=prompt,
            shared=shared,
            rows=tuple(row for row, _ in attempts[prompt]),
            seeds=tuple(seed for _, seed in attempts[prompt]),
        )
        for shared, group in ordered
        for prompt in sorted(group, key=lambda prompt: (len(prompt), prompt))
    )


def _groups(prompts: list[Tokens]) -> list[tuple[int, list[Tokens]]]:
    """Group sorted, distinct prompts by a common beginning: (its length, the prompts) each.

    A group computes its beginning once, so it saves that many tokens for each prompt but one.
    The prompts form a tree of their first tokens. A stack walks this tree from the leaves to the
    root. At each node, either all prompts below become one group, or the groups of its branches
    stay: whichever saves more tokens.
    """
    common = [_common(a, b) for a, b in pairwise(prompts)]
    stack = [_Node(depth=-1)]
    for place in range(len(prompts)):
        depth = common[place] if place < len(common) else -1
        node = _Node(depth=-1, loose=[place])
        while stack[-1].depth > depth:
            node = stack.pop().with_branch(node).decided()
        if stack[-1].depth < depth:
            stack.append(_Node(depth=depth))
        stack[-1] = stack[-1].with_branch(node)
    groups = [*stack[0].groups, *([(0, stack[0].loose)] if stack[0].loose else [])]
    return [(shared, [prompts[place] for place in places]) for shared, places in groups]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Node:
    """A node of the tree: prompts that have their first ``depth`` tokens in common.

    saved:  tokens that its groups save.
    groups: (length of the beginning, indices of the prompts) of each group made so far.
    loose:  indices of prompts that are in no group.
    """

    depth: int
    saved: int = 0
    groups: Sequence[tuple[int, list[int]]] = ()
    loose: Sequence[int] = ()

    def with_branch(self, other: "_Node") -> "_Node":
        return _Node(
            depth=self.depth,
            saved=self.saved + other.saved,
            groups=[*self.groups, *other.groups],
            loose=[*self.loose, *other.loose],
        )

    def decided(self) -> "_Node":
        """The node with all its prompts in one group, or with its loose ones as one more group."""
        if self.depth < LONG:
            return self
        members = [place for _, places in self.groups for place in places]
        together = (len(self.loose) + len(members) - 1) * self.depth
        apart = self.saved + max(0, len(self.loose) - 1) * self.depth
        if together >= apart:
            everyone = [(self.depth, [*members, *self.loose])]
            return _Node(depth=self.depth, saved=together, groups=everyone)
        if len(self.loose) < 2:
            return self
        others = [*self.groups, (self.depth, list(self.loose))]
        return _Node(depth=self.depth, saved=apart, groups=others)


def _common(one: Tokens, other: Tokens) -> int:
    """How many tokens both begin with. At least one token of each is left over."""
    # A prompt keeps its last token, because the next one is sampled from its logits.
    most = min(len(one), len(other)) - 1
    for place in range(most):
        if one[place] != other[place]:
            return place
    return most


def stream(
    engine: Engine, requests: Iterable[SampleRequest], settings: SamplingSettings
) -> Iterator[Event]:
    """Yield attempts as they end, from any engine. Without ``stream`` it goes by whole requests."""
    own = getattr(engine, "stream", None)
    if own is None:
        return _request_by_request(engine, requests, settings)
    return cast(Iterator[Event], own(requests, settings))


def _request_by_request(
    engine: Engine, requests: Iterable[SampleRequest], settings: SamplingSettings
) -> Iterator[Event]:
    for request, completions in enumerate(engine.sample(requests, settings)):
        for place, completion in enumerate(completions):
            yield Ended(request=request, place=place, completion=completion)
        yield Going(running=0)


def in_order(
    events_of: Callable[[Iterable[SampleRequest]], Generator[Event]],
    requests: Iterable[SampleRequest],
) -> Iterator[list[Completion]]:
    """Turn an engine's stream into what ``Engine.sample`` yields: completions in order.

    events_of: starts the stream of the requests that it is given. It may read them lazily.
    """
    sizes: list[int] = []
    done: dict[int, dict[int, Completion]] = {}

    def read() -> Iterator[SampleRequest]:
        for request in requests:
            sizes.append(len(request.seeds))
            yield request

    given = 0
    with closing(events_of(read())) as events:
        for event in events:
            if isinstance(event, Going):
                continue
            done.setdefault(event.request, {})[event.place] = event.completion
            while given < len(sizes) and len(done.get(given, ())) == sizes[given]:
                yield _listed(done.pop(given, {}))
                given += 1
    # Requests without seeds have no event of their own.
    yield from (_listed(done.pop(number, {})) for number in range(given, len(sizes)))


def _listed(places: dict[int, Completion]) -> list[Completion]:
    return [places[place] for place in range(len(places))]
