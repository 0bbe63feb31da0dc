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

from manyways.engines import SampleRequest, SamplingSettings
from manyways.errors import StageError
from manyways.heuristics import PromptFormat, load_pack
from manyways.pocket.check import (
    GROUP,
    OTHERS,
    MatrixEntry,
    Sampler,
    Variety,
    adherence_by_column,
    attempts,
    direct_recall,
    label_error,
    measure,
    mixed_groups,
    rows,
    variety,
    violations,
)
from manyways.pocket.corpus import DECOY
from manyways.pocket.ways import OPERATIONS, PAIRS
from manyways.pocket.world import WORLDS
from manyways.progress import Meter, open_table, print_result, print_text
from manyways.records import PLAIN, Message
from manyways.train import processes as together

BASE = "package:manyways.pocket/base"
PROMPTS = PromptFormat(instruction="")
"""The pocket world's prompts: the boxed answer is part of what the base model was taught."""

COUNT = 192
"""Attempts in each cell of the success matrix: a success of 0.5 has a standard error of 0.036."""

LABEL_ERROR = 0.005

MATRIX_WIDTH = 132
"""Columns that the matrix needs; a narrower terminal wraps it, a cut column would hide it."""


class PocketUnfit(StageError):
    """The embedded base no longer has the properties that the pocket world promises."""


def build_base(
    out: Path, *, seed: int, steps: int | None = None, processes: int | None = None
) -> None:
    """Train the base model from nothing into the folder ``out``, with the pack's own prompts.

    A build that was stopped goes on from its last checkpoint when it is started again.

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
    from manyways.train.trainee import train

    settings = BuildSettings(seed=seed) if steps is None else BuildSettings(seed=seed, steps=steps)
    loss = build(
        out,
        pack=load_pack("pocket"),
        prompts=PROMPTS,
        settings=settings,
        command=f"manyways pocket build --seed {seed} --steps {settings.steps}",
        train=train,
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
    words += ["--nproc-per-node", str(processes), "-m", "manyways", "pocket", "build"]
    words += ["--out", str(out), "--seed", str(seed), "--processes", str(processes)]
    words += [] if steps is None else ["--steps", str(steps)]
    code = subprocess.run(words, env={"OMP_NUM_THREADS": "1", **os.environ}, check=False).returncode
    if code != 0:
        raise StageError(
            f"a process that trained the base ended with exit code {code}; its own words are "
            "above. `--processes 1` trains in one process."
        )


def check_base(model: str = BASE, *, count: int = COUNT) -> list[MatrixEntry]:
    """Print the success matrix of ``model``, its variety, what RL can learn from, and label error.

    Raises PocketUnfit with every violated property when there are any.
    """
    pack, world = load_pack("pocket"), WORLDS["main"]
    total = attempts(pack, world=world, count=count)
    with Meter("pocket check", total=total, unit="attempts") as meter:
        sample = _sampler(model, meter)
        cells = measure(sample, pack, PROMPTS, world=world, count=count)
        pool = variety(sample, pack, PROMPTS, world=world)
        mixed = mixed_groups(sample, PROMPTS, world=world)
    error, labelled = label_error(pack, world=world, count=2000)
    for table in (_matrix(cells), _following(cells), _ways(pool)):
        print_result(table, width=MATRIX_WIDTH)
    (told, all_told), (other, others) = direct_recall(cells)
    print_text(
        f"Direct answers to hard parts: {told} of {all_told} right where documents told them, "
        f"{other} of {others} elsewhere"
    )
    print_text(f"Mixed groups of {GROUP} plain attempts at problems of RL: {mixed:.2f}")
    print_text(f"Label error on {labelled} constructed steps: {error:.4f}")
    broken = violations(cells, pool, mixed)
    if error > LABEL_ERROR:
        broken.append(f"the labeller is wrong on {error:.2%} of constructed steps")
    if broken:
        raise PocketUnfit("the pocket world lost what it is for:\n- " + "\n- ".join(broken))
    return cells


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


def _matrix(cells: Sequence[MatrixEntry]) -> Table:
    """One row for each operation and type; a way that works on the type is marked."""
    table = open_table(
        "operation", "type", "plain", "first way", "second way", DECOY, OTHERS,
        title=f"Success on one-part problems that are not the base's, n = {cells[0].n} in each",
    )  # fmt: skip
    by_cell = {(cell.operation, cell.type, cell.heuristic): cell for cell in cells}
    for kind, which in rows(WORLDS["main"]):
        found = [by_cell.get((kind, which, PLAIN))]
        found += [by_cell.get((kind, which, way)) for way in PAIRS.get(kind, ("", ""))]
        found += [by_cell.get((kind, which, DECOY)), by_cell.get((kind, which, OTHERS))]
        table.add_row(kind, which, *map(_shown, found))
    table.caption = "* the way works on this type: each of its sub-steps was taught"
    return table


def _shown(cell: MatrixEntry | None) -> str:
    if cell is None:
        return "-"
    return f"{cell.success:.2f}{'*' if cell.works else ' '}"


def _following(cells: Sequence[MatrixEntry]) -> Table:
    table = open_table(
        "heuristic", "operations", "followed", "n",
        title="How often the named heuristic is followed where it applies",
    )  # fmt: skip
    for heuristic, share, n in adherence_by_column(cells):
        kinds = OPERATIONS.get(heuristic, ())
        names = "all" if len(kinds) > 3 else ", ".join(kinds) or "direct is meant"
        table.add_row(heuristic, names, f"{share:.2f}", str(n))
    return table


def _ways(pool: Variety) -> Table:
    table = open_table(
        "ways", "problems", "share",
        title=f"Different correct ways of a solved seed problem: {pool.mean:.2f} on average "
        f"({pool.solved} of {pool.problems} solved by heuristics, {pool.direct} directly)",
    )  # fmt: skip
    for number in sorted(pool.ways):
        share = pool.ways[number] / pool.solved
        table.add_row(str(number), str(pool.ways[number]), f"{share:.2f}")
    table.caption = f"the first way solves at least as often where both work: {pool.first:.2f}"
    return table
