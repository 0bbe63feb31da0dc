"""The records that stages pass on, in the order of the pipeline, and the names of checkpoints.

Problem -> Message -> Attempt (with its Verdict) -> Solution -> Score.
All are frozen and keyword-only. Stages also leave checkpoints and rows of tables.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

PLAIN = "plain"
"""The heuristic id of an attempt made without naming any heuristic."""

Status = Literal["correct", "wrong", "no_answer", "undecided"]
Finish = Literal["stop", "length", "error"]
Role = Literal["system", "user", "assistant"]
Phase = Literal["base", "mid", "rl"]
PHASES: tuple[Phase, ...] = ("base", "mid", "rl")
"""The base model, after mid-training, after RL: in the order of the pipeline."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One question with a checkable answer.

    Example: ``Problem(id="gsm8k/train/00042", question="Ann has 3 ...", answer="12",
    verifier="math")``.

    id:          ``<set>/<split>/<number>``, stable over time.
    answer:      reference; for ``choice`` the letter, for ``python_tests`` a canonical solution.
    verifier:    a name of the verifiers table.
    alternatives: other spellings of ``answer`` that are equally right.
    choices:     option texts in order (A, B, ...), for multiple choice.
    tests:       Python source that checks a program, for ``python_tests``.
    entry_point: name of the function that ``tests`` calls.
    tags:        small facts (``{"level": "5"}``) for tables; verifiers do not read them.
    """

    id: str
    question: str
    answer: str
    verifier: str = "math"
    alternatives: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    tests: str = ""
    entry_point: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    def fields(self) -> dict[str, Any]:
        """Its fields as JSON has them."""
        return {**asdict(self), "tags": dict(self.tags)}

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Self:
        """The inverse of ``fields``, for fields read from JSON."""
        lists = {name: tuple(fields.get(name, ())) for name in ("alternatives", "choices")}
        return cls(**{**fields, **lists})


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One chat turn. Example: ``Message(role="user", content="What is 2 + 3?")``."""

    role: Role
    content: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Exemplar:
    """A worked example in a heuristic's prompt. Its solution ends in the prompt's answer format."""

    question: str
    solution: str
    answer: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Heuristic:
    """One way to attack a problem: data, not code.

    Example: ``Heuristic(id="working-backwards", name="Working backwards", family="reversal",
    question="What must have been true just before the end?", instruction="Start from ...",
    exemplars=(...))``.
    """

    id: str
    name: str
    family: str
    question: str
    instruction: str
    exemplars: tuple[Exemplar, ...]
    when: str = ""
    signs: tuple[str, ...] = ()
    source: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What a verifier says about a text.

    Example: ``Verdict(status="correct", answer="12", rule="boxed/integer")``.

    answer: the answer that was extracted from the text, None when none was found.
    rule:   ``<extraction rule>/<equivalence rule>`` that decided.
    reason: for ``undecided``: ``timeout``, ``memory``, ``error: ...``.
    """

    status: Status
    answer: str | None = None
    rule: str = ""
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One sampled text with its verdict.

    Example: ``Attempt(problem_id="gsm8k/train/00042", heuristic="induction", sample=3, seed=...,
    text="...", finish="stop", prompt_tokens=212, tokens=57, prompt_hash="9f..", model_hash="a1..",
    verdict=Verdict(status="correct", answer="12"))``.

    sample:        0-based number among the attempts at this (problem, heuristic).
    seed:          63-bit; with the prompt and the model it determines ``text`` (up to ties in
                   floating point). -1 where a trainer sampled with its own generation.
    tokens:        number of sampled tokens, EOS included when it was sampled.
    """

    problem_id: str
    heuristic: str
    sample: int
    seed: int
    text: str
    finish: Finish
    prompt_tokens: int
    tokens: int
    prompt_hash: str
    model_hash: str
    verdict: Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class RLAttempt:
    """An attempt that a step of RL trained on, with its reward and advantage.

    Example: ``RLAttempt(attempt=Attempt(...), step=50, group=3, reward=1.0, advantage=0.97)``.

    attempt:   ``sample`` is its place in its group. ``model_hash`` is that of the checkpoint that
               RL started from, because the weights of a step are not kept.
    step:      the optimizer step, from 1. The attempt was sampled before that step.
    group:     0-based index of its group in the step.
    reward:    None for an undecided verdict.
    advantage: as the trainer computed it; None if the trainer does not report it.
    """

    attempt: Attempt
    step: int
    group: int
    reward: float | None
    advantage: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Solution:
    """An attempt after selection: kept, or dropped with a reason.

    Example: ``Solution(problem_id="gsm8k/train/00042", heuristic="induction", sample=3,
    text="...", status="correct", adherence=0.97, kept=True, reason="best of 2 correct")``.

    adherence:  in [0, 1], how well the text follows ``heuristic`` (1.0 for plain attempts); None
                if the recipe's scorer gave no score.
    reason:     why it was kept or dropped.
    kept:       the arms of correct solutions may train on it.
    wrong_pool: the ``wrong-N`` arms may train on it; never together with ``kept``.
    """

    problem_id: str
    heuristic: str
    sample: int
    text: str
    status: Status
    adherence: float | None
    kept: bool
    reason: str
    wrong_pool: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """One step of a solution with the heuristic that it shows; None if it shows none."""

    text: str
    heuristic: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """A measured number with its 95% interval.

    Example: ``Score(name="pass@4", value=0.61, low=0.55, high=0.67, n=120)``.

    name:      what was measured.
    value:     the estimate.
    low:       the lower end of its interval.
    high:      the upper end.
    n:         number of independent units behind the interval (problems, solutions, ...).
    """

    name: str
    value: float
    low: float
    high: float
    n: int


def line_name(arm: str, seed: int) -> str:
    """``star/seed-0``: one arm trained with one seed."""
    return f"{arm}/seed-{seed}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """A model of the run: the base model, or one that a training made.

    Example: ``Checkpoint(arm="star", seed=0, phase="rl")`` is named ``star/seed-0/rl``.

    arm:  ``base`` for the base model.
    seed: None for the base model, and for all seeds of an arm together: ``star/rl``.
    step: step of the training, if it is not the last one: ``star/seed-0/rl@50``; 0 is its start.
    """

    arm: str
    seed: int | None = None
    phase: Phase
    step: int | None = None

    @property
    def name(self) -> str:
        """``base``, ``star/seed-0/mid``, or ``star/mid`` over all seeds. ``parse`` reads it."""
        if self.phase == "base":
            return self.arm
        arm = self.arm if self.seed is None else line_name(self.arm, self.seed)
        at = "" if self.step is None else f"@{self.step}"
        return f"{arm}/{self.phase}{at}"

    @property
    def pooled(self) -> str:
        """The name with the seed left out."""
        return type(self)(arm=self.arm, phase=self.phase).name

    @property
    def folder(self) -> str:
        """The folder of its training in the run folder; ``checkpoint`` in it is the model.

        Raises ValueError for the base model and for all seeds together, which have no folder.
        """
        if self.phase == "base" or self.seed is None:
            raise ValueError(f"'{self.name}' is not trained in a run")
        inner = {"mid": "3-midtrain", "rl": "5-rl"}[self.phase]
        at = "" if self.step is None else f"/steps/{self.step}"
        return f"arms/{line_name(self.arm, self.seed)}/{inner}{at}"

    @classmethod
    def parse(cls, name: str) -> Self:
        """The checkpoint of this name. Raises ValueError when the name has another form."""
        found = _CHECKPOINT.fullmatch(name)
        if found is None:
            raise ValueError(f"'{name}' is not base, ARM/mid|rl or ARM/seed-S/mid|rl")
        if found["arm"] is None:
            return cls(arm=name, phase="base")
        seed = int(found["seed"]) if found["seed"] else None
        phase: Phase = "mid" if found["phase"] == "mid" else "rl"
        step = int(found["step"]) if found["step"] else None
        return cls(arm=found["arm"], seed=seed, phase=phase, step=step)


def pooled(arm: str, phase: Phase) -> str:
    """``star/mid``: the checkpoints of an arm at one phase, all its seeds together."""
    return Checkpoint(arm=arm, phase=phase).name


_CHECKPOINT = re.compile(
    r"base|(?P<arm>[^/]+)(?:/seed-(?P<seed>0|[1-9][0-9]*))?/(?P<phase>mid|rl)"
    r"(?:@(?P<step>0|[1-9][0-9]*))?"
)
BASE = Checkpoint(arm="base", phase="base")
