"""The sections of the pool: prompts, heuristics, verifiers, sampling, selection, probes."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from manyways.recipe.engines import ModelConfig
from manyways.recipe.section import Names, PassRate, Positive, Rate, Section, Share

DEFAULT_COUNT = 8
_ISOLATION = r"^(auto|bubblewrap|podman|docker|[A-Za-z_][\w.]*:[A-Za-z_]\w*)$"


class PromptConfig(Section):
    """What prompts say besides the problem. All stages use the same format."""

    instruction: str = "Put your final answer within \\boxed{}."
    """The text after every problem. A problem with the verifier ``python_tests`` asks for a program
    instead."""

    system: str = ""
    """The system message. If empty, there is none."""


class HeuristicsConfig(Section):
    """The heuristics under which the pool is sampled."""

    pack: str = "polya"
    """The heuristic pack: ``polya``, ``code``, ``narrative``, ``pocket``, or the path of a TOML
    file."""

    count: Positive = DEFAULT_COUNT
    """Number of heuristics to take, from the start of the pack. Without it, 8, or as many as an arm
    needs."""

    shots: Annotated[int, Field(ge=0)] = 2
    """Number of exemplars in each prompt under a heuristic."""

    place: Literal["before", "after", "both"] | None = None
    """Where a prompt describes its heuristic: ``before`` exemplars and problem, ``after`` each
    question, or ``both`` (first, and again after the problem). Without it, the pack decides."""

    exemplars: Literal["turns", "message"] | None = None
    """How a prompt shows exemplars: as earlier ``turns`` of the chat, or all in the one ``message``
    of the problem. Without it, the pack decides."""

    labeller: str = "exemplars"
    """The labeller, which says which heuristic a step shows: ``exemplars``, ``attempts``,
    ``pocket`` or ``module:function``."""


class VerifyConfig(Section):
    """How answers are verified, in all stages."""

    verifier: str | None = None
    """A verifier for all problems, in place of their own: ``math``, ``exact``, ``choice``,
    ``python_tests`` or ``module:function``."""

    policy: Literal["strict", "lenient"] = "strict"
    """``strict`` takes an answer only in the form that the prompt asks for. ``lenient`` has
    fallbacks."""

    timeout: Rate = 5.0
    """Seconds of wall clock for one answer."""

    workers: Positive = 2
    """Worker processes that verify answers."""

    max_undecided: Share = 0.05
    """The largest share of undecided answers. A run stops when there are more."""

    isolation: Annotated[str, Field(pattern=_ISOLATION)] = "auto"
    """The place where programs that a model wrote run: ``bubblewrap``, ``podman``, ``docker`` or
    ``module:function`` (docs/verifiers.md). ``auto`` takes the first of the three that works."""

    image: str | None = None
    """The image for ``podman`` and ``docker``. It is never fetched. Without it, the image is
    ``docker.io/library/python:3.12-slim``."""

    allow_unsafe_code: bool = False
    """Run programs that a model wrote even where there is no isolation."""


class GenerateConfig(Section):
    """How the pool of attempts is sampled."""

    problems: str
    """The problem set to write solutions for (docs/problems.md)."""

    limit: Positive | None = None
    """Number of problems to take, from the start of the set. Without it, all."""

    pass_rate: PassRate | None = None
    """Sample under heuristics, and train, only on problems whose pass rate under the base model is
    in this range, as ``[0.05, 0.95]``. The rate is measured on the ``plain_samples`` attempts with
    the plain prompt. Other problems are left out and counted."""

    samples: Positive = 4
    """Attempts per problem and heuristic. With adaptive sampling, the most."""

    plain_samples: Positive = 4
    """Attempts per problem with the plain prompt. With adaptive sampling, the most."""

    temperature: Rate = 1.0
    """Sampling temperature."""

    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Nucleus sampling: sample from the most likely tokens whose probabilities add up to this."""

    max_tokens: Positive
    """Longest attempt, in tokens."""

    stop: Names = ()
    """Texts that end an attempt, besides the stop token."""

    part_size: Positive = 2048
    """Attempts per parquet file. A killed run loses at most as many."""

    engine: str | None = None
    """The engine that samples the pool. Without it, the one of ``[model]``."""

    sampling: Literal["fixed", "adaptive"] = "fixed"
    """``fixed`` samples every (problem, heuristic) equally often. ``adaptive`` stops at one that
    has a solution (docs/sampling.md)."""


class DistillConfig(Section):
    """Attempts of another model, for the arms ``distilled-N``; see docs/controls.md.

    Give exactly one of ``attempts`` and ``model``.
    """

    attempts: Annotated[str, Field(min_length=1)] | None = None
    """A file of JSON lines, or a folder of attempts that manyways wrote."""

    model: ModelConfig | None = None
    """The other model. It is sampled with the plain prompt, and with ``temperature`` and ``top_p``
    of ``[generate]``."""

    samples: Positive | None = None
    """Attempts of ``model`` per problem. Without it, 16."""

    max_tokens: Positive | None = None
    """Longest attempt of ``model``, in tokens. Without it, that of ``[generate]``."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.attempts is None) == (self.model is None):
            raise ValueError("give exactly one of attempts and model")
        if self.attempts is not None and (self.samples or self.max_tokens):
            raise ValueError(
                "samples and max_tokens belong to model: a file of attempts is read whole"
            )
        return self


class SelectConfig(Section):
    """How solutions are selected from attempts."""

    scorer: Annotated[str, Field(pattern=r"^(labeller|judge|reward-model:.+)$")] = "labeller"
    """The scorer of adherence, which is how well an attempt follows its heuristic: ``labeller``
    (that of ``[heuristics]``), ``judge`` (a language model) or ``reward-model:PATH``."""

    min_adherence: Share | None = 0.5
    """The least adherence of a solution. With a reward model, adherence is a rank: the share of
    other attempts at the same problem and heuristic that score lower. There is then no least one
    unless it is given."""

    near_duplicate: Share = 0.95
    """A solution is a near duplicate if the Jaccard similarity of its word 3-grams with those of a
    kept solution of the same problem is at least this. Near duplicates are dropped."""

    budget: Positive | None = None
    """Examples of each ``budget-N`` arm. Without it, as many as the one-way arm has."""

    budget_way: Literal["pack", "favourite"] = "pack"
    """The way of a problem that a ``budget-N`` arm takes first: the first of the ``pack``, or the
    ``favourite``, which solves the problem most often. With ``favourite``, ``budget-1`` has the
    favourite way of each problem."""

    judge: ModelConfig | None = None
    """The language model that is the judge. Without it, the base model."""

    judge_tokens: Positive = 256
    """Longest reply of the judge, in tokens."""

    @model_validator(mode="before")
    @classmethod
    def _no_least_rank(cls, given: object) -> object:
        if isinstance(given, dict) and str(given.get("scorer")).startswith("reward-model"):
            return {"min_adherence": None, **given}
        return given


class ProbeConfig(Section):
    """Prefix swap: the model continues attempts of the pool under another heuristic.

    The attempts are cut in the middle.
    """

    enabled: bool = False
    """Whether ``run`` includes this stage."""

    heuristics: Annotated[int, Field(ge=2)] = 4
    """Number of heuristics to take, from the start of the pack. Every pair of them is tried."""

    problems: Positive = 32
    """Number of problems of the pool, evenly spaced."""

    samples: Positive = 4
    """Continuations per (problem, first heuristic, second heuristic)."""


class BranchConfig(Section):
    """Token modes from logits: the likely next tokens at places where kept solutions diverge."""

    enabled: bool = True
    """Whether ``run`` includes this stage."""

    problems: Positive = 64
    """Number of problems of the pool that are solved under two or more heuristics, evenly
    spaced."""
