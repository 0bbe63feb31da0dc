"""An engine that has its texts ready: what a stage costs beside sampling.

Named in recipes as ``synthetic.canned:Canned``, with ``bench`` on the Python path.
"""

import random
from collections.abc import Iterable, Iterator
from itertools import islice

from manyways.engines import Completion, SampleRequest, SamplingSettings
from manyways.pocket.corpus import solution
from manyways.pocket.world import WORLDS, exercises
from manyways.recipe.engines import ModelConfig

TEXTS = 512


class Canned:
    """One of ``TEXTS`` pocket solutions for each seed, rarely the right one."""

    reads_ahead = False

    def __init__(self, path: str, model_config: ModelConfig) -> None:
        drawn = islice(exercises(WORLDS["main"], "validation"), TEXTS)
        self._texts = [solution(exercise, "figure") for exercise in drawn]

    def sample(
        self, requests: Iterable[SampleRequest], settings: SamplingSettings
    ) -> Iterator[list[Completion]]:
        for request in requests:
            yield [self._completion(random.Random(seed).randrange(TEXTS)) for seed in request.seeds]

    def facts(self) -> dict[str, str | int]:
        return {"engine": "canned", "seeds": "honoured"}

    def close(self) -> None:
        self._texts.clear()

    def _completion(self, number: int) -> Completion:
        text = self._texts[number]
        return Completion(text=text, finish="stop", prompt_tokens=90, tokens=len(text) // 3)
