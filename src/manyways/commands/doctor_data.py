"""The part of ``manyways doctor`` about problem sets: which are here, and are they whole?"""

import os
from collections.abc import Iterator
from pathlib import Path

from manyways.commands.doctor_check import Check
from manyways.errors import DataError
from manyways.problems.hub import MIRROR
from manyways.problems.normalised import find, read_records
from manyways.problems.published import ALL
from manyways.problems.spec import SetSpec, Split


def data_checks(folder: Path | None) -> Iterator[Check]:
    """Every published split in ``folder``, counted; without a folder, where sets come from."""
    if folder is None:
        yield _without_folder()
        return
    if not folder.is_dir():
        yield Check(
            group="data", name=str(folder), state="warning", detail="no such folder",
            fix="set MANYWAYS_DATA (or --data-dir) to a folder of normalised problem sets, or "
            "unset it to load from the Hugging Face Hub.",
        )  # fmt: skip
        return
    yield Check(group="data", name="folder", detail=str(folder))
    for spec in ALL:
        for name, split in spec.splits.items():
            yield _split_check(spec, name, split, folder)


def _without_folder() -> Check:
    mirror = os.environ.get(MIRROR)
    offline = os.environ.get("HF_HUB_OFFLINE", "") not in ("", "0")
    if mirror or not offline:
        where = f"{MIRROR} = {mirror}" if mirror else "the Hugging Face Hub"
        return Check(group="data", name="problem sets", detail=f"from {where}")
    return Check(
        group="data", name="problem sets", state="warning",
        detail="HF_HUB_OFFLINE is set: only sets in the cache of `datasets` load",
        fix="set MANYWAYS_DATA to a folder of normalised problem sets, or unset HF_HUB_OFFLINE.",
    )  # fmt: skip


def _split_check(spec: SetSpec, name: str, split: Split, folder: Path) -> Check:
    title = f"{spec.name}/{name}"
    if find(folder, split.stem) is None:
        return Check(
            group="data", name=title, state="missing", detail=f"no {split.stem}.jsonl[.gz]"
        )
    try:
        rows = sum(split.only is None or split.only(r) for r in read_records(folder, split.stem))
    except DataError as error:
        return Check(group="data", name=title, state="warning", detail=str(error))
    except KeyError as error:
        return Check(group="data", name=title, state="warning", detail=f"a record has no {error}")
    if rows != split.rows:
        return Check(
            group="data", name=title, state="warning", detail=f"{rows} rows, not {split.rows}",
            fix="replace the file: a run that names this set would stop at once.",
        )  # fmt: skip
    return Check(group="data", name=title, detail=f"{rows} rows")
