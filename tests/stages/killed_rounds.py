"""Runs adaptive generate whole, then in another folder kills it again and again until it is done.

Prints one JSON line. A process of its own, so that it can fork before any thread exists.
"""

import json
import os
import signal
import sys
from pathlib import Path

import sampled_runs
from dying import die_at

from manyways.stages import generate
from manyways.tables import read_attempts

KILLS = (
    ("*/part-*.parquet", 2, False),
    ("*/.1-attempts.rounds.json", 1, True),
    ("*/.1-attempts.asked.parquet", 2, False),
    ("*/part-*.parquet", 3, True),
)
"""At which write of which file, and whether only after it; counted from each start."""


def in_child(root: Path, *death: object) -> int:
    """Generate in a child that dies at ``death``; its exit code, or minus the signal."""
    child = os.fork()
    if child == 0:
        if death:
            pattern, count, after = death
            die_at(pattern, count=count, after=after)
        settings = {
            "problems": "made_runs:load/seed?count=6", "sampling": "adaptive", "part_size": 3,
        }  # fmt: skip
        ctx = sampled_runs.context(root, engine="UnevenEngine", generate=settings)
        generate.run(ctx)
        ctx.close()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_at(root: Path, death: tuple[str, int, bool]) -> int:
    """How many attempts there are when a child has died so."""
    assert in_child(root, *death) == -signal.SIGKILL, death
    return sum(1 for _ in read_attempts(root / "1-attempts"))


def main(root: Path) -> None:
    # Imported once, before forking.
    import pandas  # noqa: F401

    assert in_child(root / "whole") == 0
    killed = root / "killed"
    held = [killed_at(killed, death) for death in KILLS]
    assert in_child(killed) == 0
    whole, resumed = (
        {
            path.name: path.read_bytes()
            for path in (root / name).rglob("*")
            if path.parent.name == "1-attempts" or path.name.startswith(".1-attempts.")
        }
        for name in ("whole", "killed")
    )
    for files in (whole, resumed):
        files.pop(".1-attempts.engine.json")  # says how often an engine was opened
    attempts = sum(1 for _ in read_attempts(root / "whole" / "1-attempts"))
    same = whole == resumed and {".1-attempts.asked.parquet", ".1-attempts.rounds.json"} < set(
        whole
    )
    print(json.dumps({"held": held, "attempts": attempts, "same": same}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
