"""The stages of a run in order: one file each in this package, and one entry each in ``STAGES``.

The command line, ``--until``, ``--dry-run``, the order of the steps and the forecast all read this
table. A stage's module has three functions. Their arguments depend on ``Stage.per``:

plan:   returns the work of the stage as one or more ``Work``, which know whether they are done.
run:    does the work that is not done yet.
amount: returns how much work it is, for the forecast.

| per            | plan and run are given     | amount is given                            |
|----------------|----------------------------|--------------------------------------------|
| pool           | the pool's context         | context, and the line whose pool it is     |
| foreign pool   | context                    | context                                    |
| base           | context                    | context                                    |
| line           | context, line              | context, line                              |
| checkpoint     | context, checkpoint        | context, checkpoint                        |
| run            | context                    | context                                    |

An optional stage also has ``left_out``, which returns why a run of this recipe leaves it out, or
None. A stage that trains has ``run_here``, ``train`` and ``commands``, for ``train.launch``.
"""

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Literal

Per = Literal["pool", "foreign pool", "base", "line", "checkpoint", "run"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """One stage.

    Example: ``Stage(name="gate", help="...", per="line", after=("midtrain",))``.

    name:   the name of its module in this package, and of its verb if ``verb`` is empty.
    per:    what it runs once for: each pool that models of this run write (the run's own, and one
            for each line of a later round), the pool of another model, the base model, each line
            (arm, seed), each checkpoint, or the whole run. Stages of the whole run come last.
    after:  stages whose output it uses, for the same line or for the run. The stage that makes a
            checkpoint need not be named.
    before: stages of the round before whose output it uses.
    makes:  the phase of the checkpoint that it makes.
    section: the section of the recipe that it needs; without it, a run leaves the stage out.
    """

    name: str
    help: str = ""
    per: Per
    after: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    makes: Literal["mid", "rl"] | None = None
    section: str = ""
    optional: bool = False
    verb: str = ""

    @property
    def word(self) -> str:
        """Its name on the command line and in the names of its work."""
        return self.verb or self.name

    @property
    def module(self) -> ModuleType:
        """Its module, imported at its first use: every start of the command line reads STAGES."""
        return import_module(f"manyways.stages.{self.name}")


STAGES: tuple[Stage, ...] = (
    Stage(
        name="generate",
        help="1 Sample attempts at every problem under every heuristic.",
        per="pool",
        before=("midtrain",),
    ),
    Stage(name="distill", per="foreign pool", verb="generate"),
    Stage(name="validation", per="base", optional=True, verb="generate"),
    Stage(
        name="selection",
        help="2 Keep the best correct attempt per problem and heuristic.",
        per="pool",
        after=("generate",),
        verb="select",
    ),
    Stage(
        name="midtrain",
        help="3 Fine-tune the base model on the solutions of each arm.",
        per="line",
        after=("selection", "distill", "validation"),
        before=("midtrain",),
        makes="mid",
        section="midtrain",
    ),
    Stage(name="rates", per="base", section="rl", optional=True, verb="gate"),
    Stage(
        name="gate",
        help="4 Measure whether each checkpoint is fit for RL.",
        per="line",
        after=("generate", "midtrain", "rates"),
        section="rl",
    ),
    Stage(
        name="reinforce",
        help="5 Train with the verdicts as reward (GRPO).",
        per="line",
        after=("generate", "midtrain", "validation", "rates", "gate"),
        makes="rl",
        section="rl",
        verb="rl",
    ),
    Stage(
        name="evaluate",
        help="6 Sample every checkpoint on every benchmark.",
        per="checkpoint",
        section="evaluate",
    ),
    Stage(
        name="probe",
        help="Continue attempts under another heuristic (prefix swap).",
        per="run",
        after=("generate",),
        optional=True,
    ),
    Stage(
        name="branch",
        help="Count, from logits, in how many ways a solution could go on.",
        per="run",
        after=("selection", "midtrain", "reinforce"),
        optional=True,
    ),
    Stage(
        name="analyse",
        help="7 Compute tables with intervals from the attempts.",
        per="run",
        after=(
            "generate", "distill", "validation", "selection", "midtrain", "rates", "gate",
            "reinforce", "evaluate", "probe", "branch",
        ),
    ),
    Stage(
        name="report",
        help="8 Write report.html and report.md.",
        per="run",
        after=("analyse",),
    ),
)  # fmt: skip
"""In the order of the pipeline: each stage comes after those that it uses."""

WORDS: tuple[str, ...] = tuple(dict.fromkeys(stage.word for stage in STAGES))
"""The values of ``--until``, in order."""


def up_to(word: str) -> tuple[str, ...]:
    """The stages up to this one, included. Raises ValueError when there is no such stage."""
    return WORDS[: WORDS.index(word) + 1]
