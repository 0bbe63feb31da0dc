"""Runs generate whole, then in another folder kills it again and again until it is done.

Given ``rated`` after the folder, only problems of the right difficulty are in the pool. Prints one
JSON line. A process of its own, so that it can fork before any thread exists.
"""

import json
import os
import signal
import sys
from pathlib import Path

import made_runs
from dying import die_at
from lucky import LuckyVerifiers
from tiny_models import build_llama

from manyways.pool import attempt_files
from manyways.stages import generate
from manyways.tables import beside, parts, read_attempts

RATED = sys.argv[2:] == ["rated"]


def context(root: Path, model: Path):
    rates = {"pass_rate": [0.3, 0.8]} if RATED else {}
    ctx = made_runs.context(
        root,
        pack=("a", "b"),
        model={"path": str(model)},
        evaluate={"benchmarks": ["made_runs:load/test"]},
        generate={
            "problems": "made_runs:load/seed?count=5", "samples": 6, "plain_samples": 4,
            "max_tokens": 30, "part_size": 4,
        } | rates,
    )  # fmt: skip
    if RATED:
        ctx.__dict__["verifiers"] = LuckyVerifiers()
    return ctx


KILLS = (
    ("journal", 1, False),
    ("journal", 2, True),
    ("journal", 3, False),
    ("journal", 2, True),
    ("*/part-*.parquet", 1, False),
    ("*/part-*.parquet", 2, True),
)
"""At which write of which file, and whether only after it (of the journal: in its middle); counted
from each start."""


def die_writing(count: int, *, torn: bool) -> None:
    """Die instead of the ``count``-th write to the journal, or when half of it is written."""
    write, left = os.write, [count]

    def dying(file: int, data: bytes) -> int:
        left[0] -= 1
        if left[0] == 0:
            if torn:
                write(file, bytes(data[: len(data) // 2]))
            os.kill(os.getpid(), signal.SIGKILL)
        return write(file, data)

    attempt_files.os.write = dying


def in_child(root: Path, model: Path, *death: object) -> int:
    """Generate in a child that dies at ``death``; its exit code, or minus the signal."""
    child = os.fork()
    if child == 0:
        if death:
            pattern, count, after = death
            if pattern == "journal":
                die_writing(count, torn=after)
            else:
                die_at(pattern, count=count, after=after)
        generate.run(context(root, model))
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_at(root: Path, model: Path, death: tuple[str, int, bool]) -> int:
    """How many attempts are safe, in parts or in the journal, when a child has died so."""
    assert in_child(root, model, *death) == -signal.SIGKILL, death
    folder = root / "1-attempts"
    keys = {(a.problem_id, a.heuristic, a.sample) for a in read_attempts(folder)}
    return len(keys | {line.key for line in attempt_files.read_journal(folder)})


def main(folder: Path) -> None:
    # Imported once, before forking.
    import pandas  # noqa: F401

    import manyways.engines.transformers  # noqa: F401

    model = build_llama(folder / "model", eos_bias=0.7)
    assert in_child(folder / "whole", model) == 0
    killed = folder / "killed"
    held = [killed_at(killed, model, death) for death in KILLS]
    assert in_child(killed, model) == 0
    whole = list(read_attempts(folder / "whole" / "1-attempts"))
    resumed = list(read_attempts(killed / "1-attempts"))
    files = [
        [p.read_bytes() for p in parts(folder / r / "1-attempts")] for r in ("whole", "killed")
    ]
    same = whole == resumed and files[0] == files[1]
    left = beside(killed / "1-attempts", attempt_files.FILE).exists()
    counts = context(killed, model).run.stamp("generate").counts
    told = {"journal": left, "held": held, "attempts": len(whole), "same": same}
    print(json.dumps(told | {"counts": counts}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
