"""Rows of a dataset on the Hugging Face Hub, or of a local mirror in the Hub's layout.

With ``MANYWAYS_HUB_MIRROR=/folder`` the repository ``owner/name`` is read from
``/folder/owner/name``: the files of the dataset repository as they are (a clone), README included.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyways.errors import DataError

MIRROR = "MANYWAYS_HUB_MIRROR"
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, kw_only=True, slots=True)
class HubDataset:
    """What to load. ``columns`` are those that must be there."""

    id: str
    config: str | None = None
    split: str
    revision: str | None = None
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class HubRows:
    """Rows in the repository's order; ``commit`` is None when it cannot be known."""

    rows: list[dict[str, Any]]
    origin: str
    commit: str | None


def read_hub(wanted: HubDataset) -> HubRows:
    """Load a split.

    Raises DataError when it cannot be loaded, a column is missing (naming those found), or the
    commit that ``datasets`` has is another than the one pinned.
    """
    path, origin = _place(wanted)
    dataset = _load(wanted, path)
    missing = [name for name in wanted.columns if name not in dataset.column_names]
    if missing:
        raise DataError(
            f"{origin}: no column {', '.join(missing)}; it has {', '.join(dataset.column_names)}. "
            "Pin an older revision, or map the columns yourself with hub:owner/name?question=..."
        )
    commit = _commit(dataset) if path == wanted.id else None
    if commit:
        _check_pin(wanted, commit)
    return HubRows(rows=[dict(row) for row in dataset], origin=origin, commit=commit)


def _place(wanted: HubDataset) -> tuple[str, str]:
    """What ``datasets`` is asked for, and how a person would call it."""
    mirror = os.environ.get(MIRROR)
    if not mirror:
        return wanted.id, f"{wanted.id} on the Hugging Face Hub"
    if wanted.revision:
        raise DataError(
            f"{wanted.id}: a revision is pinned ({wanted.revision}), which a mirror cannot honour. "
            f"Unset {MIRROR}, or remove the revision."
        )
    folder = Path(mirror).expanduser() / wanted.id
    if not folder.is_dir():
        raise DataError(f"{MIRROR}={mirror} has no folder {wanted.id}: clone the dataset there.")
    return str(folder), f"{wanted.id} in the mirror {mirror}"


def _load(wanted: HubDataset, path: str) -> Any:  # noqa: ANN401 - datasets has no types
    from datasets import load_dataset

    try:
        return load_dataset(path, wanted.config, split=wanted.split, revision=wanted.revision)
    except (OSError, ValueError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise DataError(
            f"cannot load {wanted.id} (config {wanted.config or 'default'}, split {wanted.split}"
            f"{', revision ' + wanted.revision if wanted.revision else ''}) from the Hugging Face "
            f"Hub: {reason}. Check the connection and the revision, or set data_dir "
            "(or MANYWAYS_DATA) to a folder of normalised files, or "
            f"{MIRROR} to a folder of clones."
        ) from error


def _commit(dataset: Any) -> str | None:  # noqa: ANN401 - datasets has no types
    """The commit that the rows in memory were made from, online or from the cache.

    ``datasets`` keeps them in ``.../<version>/<commit>/<name>-<split>.arrow``.
    """
    folders = {Path(file["filename"]).parent.name for file in dataset.cache_files}
    commit = folders.pop() if len(folders) == 1 else ""
    return commit if _COMMIT.fullmatch(commit) else None


def _check_pin(wanted: HubDataset, commit: str) -> None:
    pinned = wanted.revision or ""
    if _COMMIT.fullmatch(pinned) and pinned != commit:
        raise DataError(
            f"{wanted.id}: revision {pinned} is pinned, but the copy at hand (offline cache) is "
            f"commit {commit}. Go online once, or pin that one."
        )
