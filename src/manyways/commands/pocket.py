"""``manyways pocket build`` trains the embedded base model, ``manyways pocket check`` checks it.

They join the pocket world with the prompt format and the engine. So the base is trained on exactly
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
"""The prompts of the pocket world. They ask for no box, because the base model was taught it."""

COUNT = 192
"""Attempts in each entry of the success matrix. A success of 0.5 has a standard error of 0.036."""

LABEL_ERROR = 0.005
"""The largest share of constructed steps that the labeller may get wrong."""

MATRIX_WIDTH = 132
"""Columns that the matrix needs. A narrower terminal wraps its rows, and no column is cut off."""


class PocketUnfit(StageError):
    """A base model lacks properties that the pocket world promises."""


def build_base(
    out: Path, *, seed: int, steps: int | None = None, processes: int | None = None
) -> None:
    """Train the base model from random weights into the folder ``out``, on the pack's own prompts.

    A build that was stopped continues from its last checkpoint.

    processes: how many processes train together on a CPU, one core each. Default: 2 with two cores
               and no GPU, because two processes are faster than one process with two threads.

    Raises StageError if one of the processes fails.
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
            f"Base model in {out}, final loss {loss:.4f}. Next: `manyways pocket check --model "
            f"{out}`."
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
            f"a process that trained the base ended with exit code {code}. Its own message is "
            "above. `--processes 1` trains in one process."
        )


def check_base(model: str = BASE) -> list[MatrixEntry]:
    """Print the success matrix of ``model``, its variety, its mixed groups and the label error.

    Raises PocketUnfit with every property that the model lacks.
    """
    pack, world = load_pack("pocket"), WORLDS["main"]
    total = attempts(pack, world=world, count=COUNT)
    with Meter("pocket check", total=total, unit="attempts") as meter:
        sample = _sampler(model, meter)
        entries = measure(sample, pack, PROMPTS, world=world, count=COUNT)
        pool = variety(sample, pack, PROMPTS, world=world)
        mixed = mixed_groups(sample, PROMPTS, world=world)
    error, labelled = label_error(pack, world=world, count=2000)
    for table in (_matrix(entries), _following(entries), _ways(pool)):
        print_result(table, width=MATRIX_WIDTH)
    (told, all_told), (other, others) = direct_recall(entries)
    print_text(
        f"Direct answers to hard parts: {told} of {all_told} right where documents told them, "
        f"{other} of {others} elsewhere"
    )
    print_text(f"Mixed groups of {GROUP} plain attempts at problems of RL: {mixed:.2f}")
    print_text(f"Label error on {labelled} constructed steps: {error:.4f}")
    broken = violations(entries, pool, mixed)
    if error > LABEL_ERROR:
        broken.append(f"the labeller is wrong on {error:.2%} of constructed steps")
    if broken:
        raise PocketUnfit("the base model is not fit for the demo:\n- " + "\n- ".join(broken))
    return entries


def _sampler(model: str, meter: Meter) -> Sampler:
    """A function that samples one attempt for each prompt at temperature 1.

    The seed of an attempt is the number of its prompt.
    """
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


def _matrix(entries: Sequence[MatrixEntry]) -> Table:
    """One row for each operation and type. Ways that work on the type are marked."""
    table = open_table(
        "operation", "type", "plain", "first way", "second way", DECOY, OTHERS,
        title=f"Success on one-part problems that are not the base's, n = {entries[0].n} in each",
    )  # fmt: skip
    by_key = {(entry.operation, entry.type, entry.heuristic): entry for entry in entries}
    for kind, which in rows(WORLDS["main"]):
        columns = (PLAIN, *PAIRS.get(kind, ("", "")), DECOY, OTHERS)
        table.add_row(kind, which, *(_shown(by_key.get((kind, which, way))) for way in columns))
    table.caption = "* the way works on this type: each of its sub-steps was taught"
    return table


def _shown(entry: MatrixEntry | None) -> str:
    return f"{entry.success:.2f}{'*' if entry.works else ' '}" if entry else "-"


def _following(entries: Sequence[MatrixEntry]) -> Table:
    table = open_table(
        "heuristic", "operations", "followed", "n",
        title="How often the named heuristic is followed where it applies",
    )  # fmt: skip
    for heuristic, share, n in adherence_by_column(entries):
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
