"""The stages of a run in order: one file each in this package, and one entry each in ``STAGES``.

The command line, ``--until``, ``--dry-run``, what waits for what, and the forecast all read this
table. A stage's module has three functions, each given what the stage is about (``Stage.per``):

plan:   what it would do, as one or more pieces of work that know whether they are done.
run:    does what is not done yet.
amount: how much that is, for a forecast.

| per            | plan and run are given     | amount is given                            |
|----------------|----------------------------|--------------------------------------------|
| pool           | the pool's context         | context, and the line whose pool it is     |
| foreign pool   | context                    | context                                    |
| base           | context                    | context                                    |
| line           | context, line              | context, line                              |
| checkpoint     | context, checkpoint        | context, checkpoint                        |
| run            | context                    | context                                    |

An optional stage also has ``left_out``: why ``run`` leaves it out of this recipe, or None. One that
trains has ``run_here``, ``train`` and ``commands`` (``launch``).
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

    name:   of its module here, and of its verb unless ``verb`` says otherwise.
    per:    what there is one of: a pool that this run's models write (the run's own, and one for
            each line of a later round), the pool of another model, the base model, an (arm,
            seed), a checkpoint, the whole run. The last kind comes when all lines have been gone
            through.
    after:  stages whose output for the same line, or for the run, it uses. That a checkpoint is
            used after the stage that makes it goes without saying.
    before: stages of the round before whose output it uses.
    makes:  the phase of the checkpoint that it leaves.
    table:  of the recipe, without which it is left out of a run.
    """

    name: str
    help: str = ""
    per: Per
    after: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    makes: Literal["mid", "rl"] | None = None
    table: str = ""
    optional: bool = False
    verb: str = ""

    @property
    def word(self) -> str:
        """What it is called on the command line and in the names of its work."""
        return self.verb or self.name

    @property
    def module(self) -> ModuleType:
        """Its module, loaded when first used: the command line reads this table at every start."""
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
        table="midtrain",
    ),
    Stage(name="rates", per="base", table="rl", optional=True, verb="gate"),
    Stage(
        name="gate",
        help="4 Measure whether each checkpoint is fit for RL.",
        per="line",
        after=("generate", "midtrain", "rates"),
        table="rl",
    ),
    Stage(
        name="reinforce",
        help="5 Train with the verdicts as reward (GRPO).",
        per="line",
        after=("generate", "midtrain", "validation", "rates", "gate"),
        makes="rl",
        table="rl",
        verb="rl",
    ),
    Stage(
        name="evaluate",
        help="6 Sample every checkpoint on every benchmark.",
        per="checkpoint",
        table="evaluate",
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
"""In an order in which each finds its inputs."""

WORDS: tuple[str, ...] = tuple(dict.fromkeys(stage.word for stage in STAGES))
"""What ``--until`` may be, in order."""


def up_to(word: str) -> tuple[str, ...]:
    """The stages up to and with this one. Raises ValueError when there is none of that name."""
    return WORDS[: WORDS.index(word) + 1]
