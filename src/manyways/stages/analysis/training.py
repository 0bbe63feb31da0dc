"""What training left behind: gate rows, curves, how far each arm came, costs."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from manyways.arms import Line
from manyways.results.tables import ArmRow, CostRow, CurveRow, GateRow, read_rows
from manyways.run_dir import RunDir
from manyways.stages.arm_data import TrainingRow
from manyways.stages.context import Context

LOGS = (("3-midtrain", "midtrain"), ("5-rl", "rl"))
MEASURES = {field.name for field in fields(CurveRow)} - {"arm", "seed", "stage", "step"}


def gate_rows(ctx: Context) -> list[GateRow]:
    """The gate's measurements on every line that reached it."""
    return [
        row
        for line in ctx.lines
        for row in read_rows(ctx.run.arm_path(line.arm, line.seed, "4-gate.json"), GateRow)
    ]


def curve_rows(ctx: Context) -> list[CurveRow]:
    """Every logged step of mid-training and RL; of a step logged twice (a resume) the last."""
    return [
        row
        for line in ctx.lines
        for folder, stage in LOGS
        for row in _curve(
            ctx.run.arm_path(line.arm, line.seed, folder, "metrics.jsonl"), line, stage
        )
    ]


def arm_rows(
    ctx: Context, data: dict[Line, list[TrainingRow]], curves: Sequence[CurveRow]
) -> Iterator[ArmRow]:
    """One row per (arm, seed) of the recipe, also for those that stopped or never began."""
    last: dict[tuple[str, int, str], int] = {}
    for row in curves:
        last[row.arm, row.seed, row.stage] = row.step
    for line in ctx.lines:
        examples = data.get(line, [])
        problems = len({row.problem_id for row in examples})
        ways = len({(row.problem_id, row.heuristic) for row in examples})
        steps = last.get((line.arm, line.seed, "midtrain"), 0)
        seen = steps * ctx.recipe.midtrain.batch_size
        yield ArmRow(
            arm=line.arm,
            seed=line.seed,
            examples=len(examples),
            problems=problems,
            ways=ways / problems if problems else 0.0,
            midtrain_steps=steps,
            rl_steps=last.get((line.arm, line.seed, "rl"), 0),
            outcome=_outcome(ctx.run, line),
            epochs=seen / len(examples) if seen and examples else None,
        )


def cost_rows(ctx: Context) -> list[CostRow]:
    """Seconds, attempts and tokens of every finished piece of work, in the order of its end."""
    return [
        CostRow(
            work=stamp.work,
            seconds=stamp.seconds,
            attempts=int(stamp.counts.get("attempts", 0)),
            tokens=int(stamp.counts.get("tokens", 0)),
        )
        for stamp in ctx.run.stamps()
        if stamp.work not in ("analyse", "report")
    ]


def _curve(path: Path, line: Line, stage: str) -> list[CurveRow]:
    if not path.is_file():
        return []
    steps: dict[int, dict[str, Any]] = {}
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(text)
        except json.JSONDecodeError:  # the line that a kill cut off
            continue
        steps[int(row["step"])] = {k: v for k, v in row.items() if k in MEASURES}
    return [
        CurveRow(
            arm=line.arm,
            seed=line.seed,
            stage="midtrain" if stage == "midtrain" else "rl",
            step=step,
            **steps[step],
        )
        for step in sorted(steps)
    ]


def _outcome(run: RunDir, line: Line) -> str:
    path = run.arm_path(line.arm, line.seed, "outcome.json")
    if path.is_file():
        return str(json.loads(path.read_text(encoding="utf-8"))["outcome"])
    return "not finished" if path.parent.is_dir() else "not begun"
