"""The pool of attempts and what is kept of it: prompts, heuristics, verdicts, selection."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from manyways.recipe.engines import ModelConfig
from manyways.recipe.section import Names, Positive, Rate, Section, Share


class PromptConfig(Section):
    """What every prompt says beside the problem, in all stages."""

    instruction: str = "Put your final answer within \\boxed{}."
    """Follows every problem; one judged by ``python_tests`` is asked for a program instead."""

    system: str = ""
    """The system message; none when empty."""


class HeuristicsConfig(Section):
    """The ways that the pool is sampled under."""

    pack: str = "polya"
    """``polya``, ``code``, ``narrative``, ``pocket``, or the path of a TOML file."""

    count: Positive = 8
    """How many of the pack: its first ones."""

    shots: Annotated[int, Field(ge=0)] = 2
    """Exemplars in each prompt under a heuristic."""

    place: Literal["before", "after", "both"] | None = None
    """Where a prompt describes its heuristic: ``before`` exemplars and problem, ``after`` each
    question, or ``both``: first, and again after the problem. As the pack says when left out."""

    exemplars: Literal["turns", "message"] | None = None
    """Exemplars as earlier ``turns`` of the chat, or all in the one ``message`` of the problem. As
    the pack says when left out."""

    labeller: str = "exemplars"
    """Says which heuristic a step shows: ``exemplars``, ``attempts``, ``pocket`` or
    ``module:function``."""


class VerifyConfig(Section):
    """How answers are judged, everywhere in the run."""

    verifier: str | None = None
    """Replaces each problem's own verifier: ``math``, ``exact``, ``choice``, ``python_tests`` or
    ``module:function``."""

    policy: Literal["strict", "lenient"] = "strict"
    """``strict``: an answer has the form that the prompt asks for; ``lenient``: with fallbacks."""

    timeout: Rate = 5.0
    """Seconds of wall clock for one answer."""

    workers: Positive = 2
    """Processes that judge."""

    max_undecided: Share = 0.05
    """A run stops when a larger share of its answers is undecided."""

    allow_unsafe_code: bool = False
    """Run programs that a model wrote even where there is no sandbox."""


class GenerateConfig(Section):
    """Sampling the pool."""

    problems: str
    """The problem set that solutions are written for (docs/problems.md)."""

    limit: Positive | None = None
    """Take that many problems of the set."""

    samples: Positive = 4
    """Attempts at each problem under each heuristic; the most, with adaptive sampling."""

    plain_samples: Positive = 4
    """Attempts at each problem from the plain prompt; the most, with adaptive sampling."""

    temperature: Rate = 1.0
    """Of sampling."""

    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Of sampling: the most likely tokens that have this probability together."""

    max_tokens: Positive
    """Longest attempt, in tokens."""

    stop: Names = ()
    """Texts that end an attempt, besides the stop token."""

    part_size: Positive = 2048
    """Attempts per parquet part: what a kill can lose at most."""

    engine: str | None = None
    """Samples the pool; that of ``[model]`` when left out."""

    sampling: Literal["fixed", "adaptive"] = "fixed"
    """``adaptive`` leaves a (problem, heuristic) once it has a solution (docs/sampling.md)."""


class SelectConfig(Section):
    """From attempts to solutions."""

    scorer: Annotated[str, Field(pattern=r"^(labeller|judge|reward-model:.+)$")] = "labeller"
    """Who says how well an attempt follows its heuristic: ``labeller`` (that of ``[heuristics]``),
    ``judge`` or ``reward-model:PATH``."""

    min_adherence: Share | None = 0.5
    """Least adherence of a solution. With a reward model adherence is a rank, the share of the
    other attempts at the problem under the heuristic that score lower, and there is no least one
    unless it is given."""

    near_duplicate: Share = 0.95
    """A solution is dropped when its word 3-gram Jaccard similarity with a kept one of the same
    problem is at least this."""

    budget: Positive | None = None
    """Examples of the ``budget-N`` arms; as many as the one-way arm has when left out."""

    budget_way: Literal["pack", "favourite"] = "pack"
    """Which of a problem's ways a ``budget-N`` arm takes first: by the ``pack``'s order, or those
    that solve the problem most often, so that ``budget-1`` has the ``favourite`` way of each."""

    judge: ModelConfig | None = None
    """The model that judges; the base model when left out."""

    judge_tokens: Positive = 256
    """Longest reply of the judge."""

    @model_validator(mode="before")
    @classmethod
    def _no_least_rank(cls, given: object) -> object:
        if isinstance(given, dict) and str(given.get("scorer")).startswith("reward-model"):
            return {"min_adherence": None, **given}
        return given
