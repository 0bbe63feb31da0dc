"""A language model as judge of adherence, through any engine."""

import json
from collections.abc import Sequence

from manyways.engines import Engine, SampleRequest, SamplingSettings
from manyways.errors import VerifierUnwell
from manyways.fingerprint import attempt_seed, prompt_hash
from manyways.heuristics import judging
from manyways.heuristics.adherence import Case, Opinion

TEMPERATURE = 0.01
"""As good as greedy, and above the 0 that some engines refuse."""
ENOUGH = 50
"""Cases after which the share without a verdict is looked at while asking goes on."""


class JudgeScorer:
    """Asks twice about each case, with the options in either order; see ``heuristics.judging``."""

    ranks = False

    def __init__(self, engine: Engine, *, max_tokens: int) -> None:
        """``engine`` is closed with the scorer."""
        self._engine = engine
        self._settings = SamplingSettings(max_tokens=max_tokens, temperature=TEMPERATURE)

    def opinions(self, cases: Sequence[Case]) -> list[Opinion]:
        """The mean of the two verdicts on each case; none when both replies are malformed."""
        requests = [_request(case, swapped) for case in cases for swapped in (False, True)]
        replies = [done[0].text for done in self._engine.sample(requests, self._settings)]
        return [_opinion(*pair) for pair in zip(replies[::2], replies[1::2], strict=True)]

    def close(self) -> None:
        """Close the engine."""
        self._engine.close()


def summary(opinions: Sequence[Opinion]) -> tuple[str, dict[str, float]]:
    """What a judge's opinions are worth, as a sentence and as counts."""
    notes = [opinion.note for opinion in opinions]
    malformed = notes.count(judging.ONE_MALFORMED) + 2 * notes.count(judging.MALFORMED)
    both = len(notes) - notes.count(judging.ONE_MALFORMED) - notes.count(judging.MALFORMED)
    disagree = notes.count(judging.DISAGREE)
    sentence = (
        f"judge: {len(notes)} attempts, each asked about in both orders; the verdict changes with "
        f"the order for {disagree} of the {both} read twice ({disagree / max(both, 1):.1%}); "
        f"{malformed} of {2 * len(notes)} replies malformed."
    )
    counts = {
        "judged": len(notes), "judge_disagrees": disagree, "judge_malformed_replies": malformed,
    }  # fmt: skip
    return sentence, {name: float(count) for name, count in counts.items()}


def check(opinions: Sequence[Opinion], *, name: str, limit: float, final: bool) -> None:
    """Stop when the judge cannot be understood.

    Raises VerifierUnwell when more than the share ``limit`` of the opinions has no verdict.
    """
    silent = [opinion for opinion in opinions if opinion.note == judging.MALFORMED]
    if (final or len(opinions) >= ENOUGH) and len(silent) > limit * len(opinions):
        begin = " ".join(str(json.loads(silent[0].detail)[0]).split())[:80]
        raise VerifierUnwell(
            f"the judge '{name}' gave no readable verdict on {len(silent)} of {len(opinions)} "
            'attempts. A reply has to be one JSON object, {"reason": "...", "verdict": "A"}; one '
            f"began '{begin}'. Name a model that follows instructions in [select.judge], raise "
            'select.judge_tokens, or use select.scorer = "labeller".'
        )


def _request(case: Case, swapped: bool) -> SampleRequest:
    messages = judging.judge_prompt(case, swapped=swapped)
    return SampleRequest(
        messages=messages, seeds=(attempt_seed(0, prompt_hash(messages), "judge", 0),)
    )


def _opinion(first: str, second: str) -> Opinion:
    read = judging.combine(
        judging.read_reply(first, swapped=False), judging.read_reply(second, swapped=True)
    )
    return Opinion(value=read.value, note=read.note, detail=json.dumps([first, second]))
