"""Scores of the steps of a training that were evaluated, and which step is best.

A training may end early by them, and the report draws them. A step counts when its attempts were
sampled from the training that was begun last.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from manyways.arms import Line
from manyways.measures.difficulty import of_validation
from manyways.metrics.pass_at_k import pass_at_k
from manyways.records import Checkpoint
from manyways.run_dir import benchmark_slug
from manyways.tables import count_correct

if TYPE_CHECKING:
    from manyways.context import Context

TrainedPhase = Literal["mid", "rl"]
STAGE_OF: dict[TrainedPhase, Literal["midtrain", "rl"]] = {"mid": "midtrain", "rl": "rl"}
"""Phase -> the stage that leaves it."""


def work_name(checkpoint: Checkpoint, benchmark: str) -> str:
    """The name of the work that evaluates one checkpoint on one problem set."""
    return f"evaluate/{checkpoint.name}/{benchmark_slug(benchmark)}"


def checkpoint_at(line: Line, phase: TrainedPhase, step: int) -> Checkpoint:
    """The checkpoint of a step of one line's training."""
    return Checkpoint(arm=line.arm, seed=line.seed, phase=phase, step=step)


@dataclass(frozen=True)
class StepScores:
    """One checkpoint on some problem sets: a step on those of ``rl.evaluate``.

    attempts: how many at each problem are counted.
    problems: of each problem set those that count; all of a set that is not named.
    """

    ctx: "Context"
    checkpoint: Checkpoint
    sets: tuple[str, ...]
    attempts: int
    problems: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def step(self) -> int:
        """The step of the training, 0 at its start."""
        return self.checkpoint.step or 0

    @property
    def folders(self) -> list[Path]:
        """The folders of its attempts, one for each problem set."""
        return [self.ctx.run.eval_path(self.checkpoint.name, name) for name in self.sets]

    @cached_property
    def counts(self) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """For each problem set, attempts and correct attempts by problem, (P,) and (P,)."""
        return [
            _counts(folder, self.attempts, self.problems.get(name))
            for name, folder in zip(self.sets, self.folders, strict=True)
        ]

    def passes(self, k: int) -> list[NDArray[np.float64]]:
        """pass@k of each problem, a vector for each problem set."""
        return [pass_at_k(n_P, c_P, k) for n_P, c_P in self.counts]

    def mean(self, k: int) -> float:
        """pass@k: the mean over problem sets of the mean over problems."""
        return float(np.mean([values.mean() for values in self.passes(k)]))


def evaluated_steps(
    ctx: "Context", line: Line, phase: TrainedPhase = "rl", *, until: int | None = None
) -> list[StepScores]:
    """Every step that was evaluated whole, in order, up to and with step ``until``."""
    ctx = ctx.of(line)
    rl, steps = ctx.recipe.rl, sorted(_steps(ctx, line, phase))
    chosen = _chosen(ctx) if steps else {}
    found = [
        StepScores(
            ctx, checkpoint_at(line, phase, step), rl.watched_sets, rl.evaluate_attempts, chosen
        )
        for step in steps
        if until is None or step <= until
    ]
    training = ctx.run.begun(f"{STAGE_OF[phase]}/{line.name}")
    return [one for one in found if _whole(ctx, one.checkpoint, training)]


def benchmark_scores(ctx: "Context", checkpoint: Checkpoint) -> StepScores | None:
    """A checkpoint on the benchmarks of the recipe; None before it is evaluated on all of them."""
    evaluate = ctx.recipe.evaluate
    found = StepScores(ctx, checkpoint, ctx.recipe.benchmarks, evaluate.attempts)
    stamps = [ctx.run.stamp(work_name(checkpoint, name)) for name in found.sets]
    return found if all(stamps) else None


def best_step(steps: Sequence[StepScores], k: int) -> int | None:
    """The first step of the highest pass@k; None without any."""
    means = [one.mean(k) for one in steps]
    return steps[int(np.argmax(means))].step if means else None


def has_stalled(steps: Sequence[StepScores], *, k: int, patience: int) -> bool:
    """Whether the best step has been followed by ``patience`` others."""
    best = best_step(steps, k)
    return best is not None and sum(one.step > best for one in steps) >= patience


def _chosen(ctx: "Context") -> dict[str, frozenset[str]]:
    """Problem set -> ids of its problems in the range of rates; empty without a range."""
    if ctx.recipe.rl.evaluate_pass_rate is None:
        return {}
    rated = {name: of_validation(ctx, name) for name in ctx.recipe.rl.watched_sets}
    return {
        name: frozenset(problem.id for problem in one.in_range().problems)
        for name, one in rated.items()
    }


def _steps(ctx: "Context", line: Line, phase: TrainedPhase) -> Iterator[int]:
    for folder in ctx.run.path("6-eval", line.name).glob(f"{phase}@*"):
        if re.fullmatch(rf"{phase}@[0-9]+", folder.name):
            yield int(folder.name.partition("@")[2])


def _whole(ctx: "Context", checkpoint: Checkpoint, training: str) -> bool:
    stamps = [ctx.run.stamp(work_name(checkpoint, name)) for name in ctx.recipe.rl.watched_sets]
    return all(stamp and stamp.identity.get("training") == training for stamp in stamps)


def _counts(
    folder: Path, attempts: int, wanted: frozenset[str] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    of = count_correct(folder, attempts)
    names = sorted(of if wanted is None else wanted.intersection(of))
    pairs = np.array([of[problem] for problem in names], dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]
