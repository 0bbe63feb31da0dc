"""What each arm was trained on, and how far it came."""

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from manyways.measures import Measure
from manyways.measures.curves import CURVES
from manyways.measures.pass_at_k import PASS_AT_K
from manyways.records import Checkpoint, line_name
from manyways.reporting import Block, Entry, Table, words
from manyways.run_dir import RunDir

if TYPE_CHECKING:
    from manyways.arms import Line
    from manyways.measures.seen import Seen


UNFINISHED = ("not begun", "not finished")
"""Outcomes of lines that the next `manyways run` continues."""
UNTESTED = "trained, and not evaluated after RL"
"""The outcome of lines that are trained and whose last checkpoint was not evaluated."""
FEW = 6
"""A table with more rows than this is folded at first."""
ARM_HEAD = ("arm", "data", "examples", "problems", "ways each")


@dataclass(frozen=True, kw_only=True, slots=True)
class ArmRow:
    """What one (arm, seed) was trained on, and how far it came.

    examples:       rows of its mid-training data.
    problems:       different problems among them.
    ways:           different heuristics for each of these problems, on average.
    midtrain_steps: optimizer steps taken.
    rl_steps:       optimizer steps taken.
    outcome:        ``complete``, or the sentence that says why it stopped.
    epochs:         passes over its examples in mid-training, None where it has not trained.
    """

    arm: str
    seed: int
    examples: int
    problems: int
    ways: float
    midtrain_steps: int
    rl_steps: int
    outcome: str
    epochs: float | None = None


def measured(seen: "Seen") -> Iterator[ArmRow]:
    """One row per (arm, seed) of the recipe, also for those that stopped or never began."""
    ctx, data = seen.material.ctx, seen.material.data
    last: dict[tuple[str, int, str], int] = {}
    for row in seen.rows(CURVES):
        last[row.arm, row.seed, row.stage] = row.step
    for line in ctx.lines:
        examples = data.get(line, [])
        problems = len({row.problem_id for row in examples})
        ways = len({(row.problem_id, row.heuristic) for row in examples})
        steps = last.get((line.arm, line.seed, "midtrain"), 0)
        taken = steps * ctx.midtraining(line).batch_size
        yield ArmRow(
            arm=line.arm,
            seed=line.seed,
            examples=len(examples),
            problems=problems,
            ways=ways / problems if problems else 0.0,
            midtrain_steps=steps,
            rl_steps=last.get((line.arm, line.seed, "rl"), 0),
            outcome=_outcome(ctx.run, line) if ctx.recipe.phases else "complete",
            epochs=taken / len(examples) if taken and examples else None,
        )


def _outcome(run: RunDir, line: "Line") -> str:
    path = run.arm_path(line.arm, line.seed, "outcome.json")
    if path.is_file():
        return str(json.loads(path.read_text(encoding="utf-8"))["outcome"])
    return UNFINISHED[path.parent.is_dir()]


def example() -> list[ArmRow]:
    """One that was refused at the gate."""
    return [
        ArmRow(
            arm="heuristics-8", seed=0, examples=96, problems=40, ways=2.4, midtrain_steps=30,
            rl_steps=0, outcome="the gate found it not fit for RL", epochs=2.5,
        )
    ]  # fmt: skip


def _why(row: ArmRow) -> str:
    """The outcome without the name of its line."""
    return row.outcome.removeprefix(f"gate {line_name(row.arm, row.seed)}: ")


def unfinished_sentences(seen: "Seen") -> tuple[str, ...]:
    """A sentence for each outcome that is not complete, with the command that continues the run."""
    on = f"`manyways run {shlex.quote(seen.name)}`, in the folder that holds this run, goes on"
    ends = {outcome: f"{outcome}; {on}." for outcome in (*UNFINISHED, UNTESTED)}
    sentences = outcome_sentences([*untested_lines(seen), *stopped_lines(seen)])
    return tuple(
        next((line.removesuffix(o) + end for o, end in ends.items() if line.endswith(o)), line)
        for line in sentences
    )


def stopped_lines(seen: "Seen") -> list[ArmRow]:
    """The lines whose training is not complete."""
    return [row for row in seen.rows(ARMS) if row.outcome != "complete"]


def untested_lines(seen: "Seen") -> list[ArmRow]:
    """The lines whose training is complete and whose last checkpoint was not evaluated."""
    tested = {row.checkpoint for row in seen.rows(PASS_AT_K)}
    return [
        replace(row, outcome=UNTESTED)
        for row in seen.rows(ARMS)
        if row.outcome == "complete" and row.rl_steps
        if Checkpoint(arm=row.arm, seed=row.seed, phase="rl").name not in tested
    ]


def outcome_sentences(rows: Sequence[ArmRow]) -> tuple[str, ...]:
    """Each outcome once, with the arms and seeds that had it."""
    of: dict[str, dict[str, list[int]]] = {}
    for row in rows:
        of.setdefault(_why(row), {}).setdefault(row.arm, []).append(row.seed)
    return tuple(f"{_lines(seeds)}: {outcome}" for outcome, seeds in of.items())


def _lines(seeds: dict[str, list[int]]) -> str:
    """``vanilla (seed 2); star and random (seeds 0 to 4)``: arms that stopped alike together."""
    alike: dict[str, list[str]] = {}
    for arm, numbers in seeds.items():
        alike.setdefault(_seeds(numbers), []).append(arm)
    return "; ".join(f"{words.listing(arms)} ({told})" for told, arms in alike.items())


def _seeds(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"seed {numbers[0]}"
    whole = list(numbers) == list(range(numbers[0], numbers[0] + len(numbers)))
    if whole and len(numbers) > 2:
        return f"seeds {numbers[0]} to {numbers[-1]}"
    return f"seeds {words.listing(map(str, numbers))}"


def blocks(seen: "Seen") -> list[Block]:
    """One line for each arm and what it was given."""
    if not seen.rows(ARMS):
        return []
    groups: dict[tuple[Entry, ...], list[str]] = {}
    for row in seen.rows(ARMS):
        entries: tuple[Entry, ...] = (
            row.arm,
            seen.arm_words(row.arm),
            words.count(row.examples),
            words.count(row.problems),
            words.number(row.ways, 1),
            words.count(row.midtrain_steps),
            words.number(row.epochs, 1),
            words.count(row.rl_steps),
            _why(row),
        )
        groups.setdefault(entries, []).append(str(row.seed))
    table = Table(
        caption="What each arm was mid-trained on",
        head=(*ARM_HEAD, "SFT steps", "epochs", "RL steps", "outcome", "seeds"),
        rows=tuple((*entries, ", ".join(seeds)) for entries, seeds in groups.items()),
        note="Epochs: how often mid-training saw each example.",
        folded=len(groups) > FEW,
    )
    return [table]


ARMS = Measure(
    name="arms",
    row=ArmRow,
    measured=measured,
    example=example,
    shown={"data": blocks},
)
