"""The embedded base model: how it is built, and whether it still has its promised properties.

Joins the pocket world with the prompt format and the engine, so that base training sees exactly
the prompts that generation sends later.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from manyways.commands.printing import open_table, print_result, print_text
from manyways.engines import SampleRequest, SamplingSettings
from manyways.errors import StageError
from manyways.heuristics.catalogue import load_pack
from manyways.heuristics.prompts import PromptFormat
from manyways.pocket.check import Cell, Sampler, label_error, measure, violations
from manyways.pocket.world import WORLDS
from manyways.progress import Meter
from manyways.records import PLAIN, Heuristic, Message
from manyways.train import processes as together

BASE = "package:manyways.pocket/base"
PROMPTS = PromptFormat(instruction="")
"""The pocket world's prompts: the boxed answer is part of what the base model was taught."""

COUNT = 64
"""Attempts in each cell of the success matrix: a success of 0.5 has a standard error of 0.06."""

LABEL_ERROR = 0.005

MATRIX_WIDTH = 132
"""Columns that the matrix needs; a narrower terminal wraps it, a cut column would hide it."""


class PocketUnfit(StageError):
    """The embedded base no longer has the properties that the pocket world promises."""


def build_base(
    out: Path, *, seed: int, steps: int | None = None, processes: int | None = None
) -> None:
    """Train the base model from nothing into the folder ``out``, with the pack's own prompts.

    processes: that train together on a CPU, one core each; default 2 where there are two cores and
               no GPU, since two such processes are faster than one with two threads.

    Raises StageError when the processes that were started did not all end well.
    """
    if processes is None:
        processes = _processes()
    if processes > 1 and together.count() == 1:
        _build_together(out, seed=seed, steps=steps, processes=processes)
        return

    from manyways.pocket.build import BuildSettings, build

    settings = BuildSettings(seed=seed) if steps is None else BuildSettings(seed=seed, steps=steps)
    loss = build(
        out,
        pack=load_pack("pocket"),
        prompts=PROMPTS,
        settings=settings,
        command=f"manyways pocket build --seed {seed} --steps {settings.steps}",
    )
    if together.is_writer():
        print_text(
            f"Base model in {out}, final loss {loss:.4f}. Now: manyways pocket check --model {out}"
        )


def _processes() -> int:
    import torch

    return 1 if torch.cuda.is_available() else min(2, os.cpu_count() or 1)


def _build_together(out: Path, *, seed: int, steps: int | None, processes: int) -> None:
    words = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    words += ["--nproc-per-node", str(processes), "-m", "manyways.cli", "pocket", "build"]
    words += ["--out", str(out), "--seed", str(seed), "--processes", str(processes)]
    words += [] if steps is None else ["--steps", str(steps)]
    code = subprocess.run(words, env={"OMP_NUM_THREADS": "1", **os.environ}, check=False).returncode
    if code != 0:
        raise StageError(
            f"a process that trained the base ended with exit code {code}; its own words are "
            "above. `--processes 1` trains in one process."
        )


def check_base(model: str = BASE, *, count: int = COUNT) -> list[Cell]:
    """Print the success matrix of ``model``, how it follows heuristics, and the label error.

    Raises PocketUnfit with every violated property when there are any.
    """
    pack = load_pack("pocket")
    with Meter("pocket check", total=_attempts(pack, count), unit="attempts") as meter:
        cells = measure(_sampler(model, meter), pack, PROMPTS, world=WORLDS["main"], count=count)
    error, labelled = label_error(pack, world=WORLDS["main"], count=2000)
    print_result(_matrix(cells, pack), width=MATRIX_WIDTH)
    print_result(_following(cells), width=MATRIX_WIDTH)
    print_text(f"Label error on {labelled} constructed steps: {error:.4f}")
    broken = violations(cells)
    if error > LABEL_ERROR:
        broken.append(f"the labeller is wrong on {error:.2%} of constructed steps")
    if broken:
        raise PocketUnfit("the pocket world lost what it is for:\n- " + "\n- ".join(broken))
    return cells


def _attempts(pack: Sequence[Heuristic], count: int) -> int:
    return len(WORLDS["main"].mix) * (len(pack) + 1) * count


def _sampler(model: str, meter: Meter) -> Sampler:
    """Samples one attempt a prompt at temperature 1, with seeds that number the prompts."""
    from manyways.checkpoints import model_path
    from manyways.engines.transformers import TransformersEngine
    from manyways.recipe.engines import ModelConfig

    config = ModelConfig(path=model, dtype="float32")
    engine = TransformersEngine(model_path(model), config)

    def sample(prompts: Sequence[tuple[Message, ...]]) -> list[str]:
        requests = [SampleRequest(messages=p, seeds=(i,)) for i, p in enumerate(prompts)]
        texts: list[str] = []
        for completions in engine.sample(requests, SamplingSettings(max_tokens=96)):
            texts.append(completions[0].text)
            meter.advance(1, tokens=completions[0].tokens)
        return texts

    return sample


def _matrix(cells: Sequence[Cell], pack: Sequence[Heuristic]) -> Table:
    table = open_table(
        "operation", PLAIN, *(heuristic.id for heuristic in pack),
        title=f"Success on one-part validation problems, n = {cells[0].n} in each cell",
    )  # fmt: skip
    for operation in dict.fromkeys(cell.operation for cell in cells):
        row = [cell for cell in cells if cell.operation == operation]
        table.add_row(operation, *(f"{cell.success:.2f}" for cell in row))
    return table


def _following(cells: Sequence[Cell]) -> Table:
    from manyways.pocket.labeller import OPERATIONS

    table = open_table(
        "heuristic", "operations", "followed", "n",
        title="How often the named heuristic is followed where it applies",
    )  # fmt: skip
    for heuristic, kinds in OPERATIONS.items():
        rows = [c for c in cells if c.heuristic == heuristic and c.operation in kinds]
        share = sum(cell.followed * cell.n for cell in rows) / sum(cell.n for cell in rows)
        names = "all" if len(kinds) > 3 else ", ".join(kinds)
        table.add_row(heuristic, names, f"{share:.2f}", str(sum(cell.n for cell in rows)))
    return table
