"""Whether two run folders hold the same records: attempts, solutions, training rows, tables.

After a change that should change nothing:

    python bench/same_records.py runs/before runs/after

Not compared: seconds and the time at which work ended, and hashes of identities, which change with
a stage's format. Prints what differs, and ends with 1 when anything does.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

CHANGES = {"seconds", "pool"}
"""Keys of rows that differ between any two runs, or that say which identity made them."""


def records(root: Path) -> Iterator[tuple[str, object]]:
    """(name, content) of everything that two equal runs have in common."""
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root)
        if {"stale", "stamps"} & set(name.parts) or "trainer" in name.parts:
            continue
        if path.suffix == ".parquet":
            yield str(name), pq.read_table(path).to_pylist()
        elif path.suffix == ".json" and name.parts[0] in ("7-tables", "6-branch", "arms"):
            if name.name != "costs.json" and "checkpoint" not in name.parts:
                yield str(name), plain(json.loads(path.read_text(encoding="utf-8")))
        elif path.suffix == ".jsonl":
            lines = path.read_text(encoding="utf-8").splitlines()
            yield str(name), [plain(json.loads(line)) for line in lines]
        elif path.suffix == ".safetensors":
            yield str(name), path.read_bytes()


def plain(value: object) -> object:
    """Without what differs between any two runs."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items() if key not in CHANGES}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def main() -> int:
    """Compare the two folders that the command line names."""
    before, after = (dict(records(Path(name))) for name in sys.argv[1:])
    differ = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    for name in differ:
        where = "differs" if name in before and name in after else "is in one of them alone"
        print(f"{name} {where}")
    print(f"{len(before)} and {len(after)} files of records, {len(differ)} differ")
    return 1 if differ or not before else 0


if __name__ == "__main__":
    sys.exit(main())
