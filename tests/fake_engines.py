"""Engines that need no model, named in recipes as ``fake_engines:<class>``."""

import re
from collections.abc import Iterable, Iterator

import numpy as np

from manyways.engines import Completion, SampleRequest, SamplingSettings
from manyways.recipe.engines import ModelConfig
from manyways.records import Message


class GuessingEngine:
    """Answers "What is N + 0?": half right, the rest wrong or without an answer, by seed alone."""

    reads_ahead = False
    opened = 0
    closed = 0
    seeds: list[int] = []  # noqa: RUF012  one list for all engines, emptied by ``reset``

    @classmethod
    def reset(cls) -> None:
        cls.opened = cls.closed = 0
        cls.seeds.clear()

    def __init__(self, path: str, model_config: ModelConfig) -> None:
        type(self).opened += 1

    def sample(
        self, requests: Iterable[SampleRequest], settings: SamplingSettings
    ) -> Iterator[list[Completion]]:
        for request in requests:
            self.seeds.extend(request.seeds)
            yield [self.complete(request.messages[-1].content, seed) for seed in request.seeds]

    def complete(self, question: str, seed: int) -> Completion:
        number = int(re.findall(r"What is (\d+)", question)[-1])
        luck = np.random.default_rng(seed).random()
        if luck < 0.5:
            return self.text(f"<a> first\n<b> then \\boxed{{{number}}}")
        if luck < 0.8:
            return self.text(f"<a> only \\boxed{{{number + 1}}}")
        return self.text("no idea", finish="length")

    def text(self, text: str, *, finish: str = "stop") -> Completion:
        return Completion(text=text, finish=finish, prompt_tokens=7, tokens=len(text.split()))

    def facts(self) -> dict[str, str | int]:
        return {"engine": "guessing", "seeds": "honoured"}

    def close(self) -> None:
        type(self).closed += 1


class Recording(GuessingEngine):
    """Keeps the turns before each question, in the order in which requests come."""

    heads: list[tuple[str, ...]] = []  # noqa: RUF012  one list for all engines

    def sample(
        self, requests: Iterable[SampleRequest], settings: SamplingSettings
    ) -> Iterator[list[Completion]]:
        for request in requests:
            self.heads.append(tuple(message.content for message in request.messages[:-1]))
            yield from super().sample([request], settings)


class NeverStops(GuessingEngine):
    """Always runs into the token limit."""

    def complete(self, question: str, seed: int) -> Completion:
        return self.text("and so on", finish="length")


class NeverRight(GuessingEngine):
    """Always answers, never rightly."""

    def complete(self, question: str, seed: int) -> Completion:
        return self.text("\\boxed{-7}")


class AlwaysRight(GuessingEngine):
    """Always right."""

    def complete(self, question: str, seed: int) -> Completion:
        return self.text(f"\\boxed{{{re.findall(r'What is ([0-9]+)', question)[-1]}}}")


class NoBox(GuessingEngine):
    """Stops, but never says what its answer is."""

    def complete(self, question: str, seed: int) -> Completion:
        return self.text("Thank you for asking.")


class Swapping(GuessingEngine):
    """Goes on with answers: right when another heuristic began them. Keeps its prompts."""

    asked: list[tuple[Message, ...]] = []  # noqa: RUF012  emptied by ``reset``

    @classmethod
    def reset(cls) -> None:
        super().reset()
        cls.asked.clear()

    def sample(
        self, requests: Iterable[SampleRequest], settings: SamplingSettings
    ) -> Iterator[list[Completion]]:
        for request in requests:
            self.asked.append(request.messages)
            exemplar, question, begun = (m.content for m in request.messages[-3:])
            number = int(re.findall(r"What is (\d+)", question)[-1])
            swapped = exemplar[:3] != begun[:3]
            yield [self.text(f"\\boxed{{{number if swapped else -1}}}") for _ in request.seeds]


class UnevenEngine(GuessingEngine):
    """Follows the heuristic of the prompt; right often under ``a``, seldom under ``b``, else never.

    Without a heuristic it is right half of the time.
    """

    chances = {"a": 0.8, "b": 0.2, "plain": 0.5}  # noqa: RUF012

    def sample(
        self, requests: Iterable[SampleRequest], settings: SamplingSettings
    ) -> Iterator[list[Completion]]:
        for request in requests:
            self.seeds.extend(request.seeds)
            shown = re.findall(r"<(\w+)>", "".join(m.content for m in request.messages))
            way = shown[-1] if shown else "plain"
            question = request.messages[-1].content
            number = int(re.findall(r"What is (\d+)", question)[-1])
            yield [self.by_chance(number, way, seed) for seed in request.seeds]

    def by_chance(self, number: int, way: str, seed: int) -> Completion:
        random = np.random.default_rng(seed)
        right = random.random() < self.chances.get(way, 0.0)
        words = " ".join(str(n) for n in random.integers(1000, size=6))
        return self.text(f"<{way}> {words} \\boxed{{{number if right else number + 1}}}")
