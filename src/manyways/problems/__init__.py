"""Where questions come from: the table of problem sets and how one is named.

A set is named ``<name>/<split>[?key=value&...]``, for example ``gsm8k/train`` or
``pocket/seed?count=400``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from urllib.parse import parse_qsl

from manyways.errors import DataError
from manyways.plugins import resolve
from manyways.records import Problem

PROBLEM_SETS: dict[str, str] = {
    "pocket": "manyways.pocket.problems:load",
    "gsm8k": "manyways.problems.gsm8k:load",
}
"""name -> ``module:function`` of type Loader."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Where a set is read from and with which options.

    data_dir: folder of normalised JSON lines; None reads the Hugging Face Hub.
    revision: Hub commit to pin; None takes the newest and records it.
    options:  the ``?key=value`` part of the set's name.
    """

    data_dir: Path | None = None
    revision: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)


Loader = Callable[[str, Source], list[Problem]]
"""``load(split, source)``: every problem of the split, in a stable order, ids unique."""


def load_problems(
    name: str,
    *,
    data_dir: Path | None = None,
    revision: str | None = None,
    limit: int | None = None,
) -> list[Problem]:
    """Load the problem set called ``name`` (see the module's docstring), at most ``limit`` of it.

    Raises DataError when the set or split does not exist or is empty.
    """
    path, _, query = name.partition("?")
    set_name, _, split = path.rpartition("/")
    if not set_name:
        raise DataError(f"problem set '{name}' needs a split: write '{path}/<split>'.")
    load = cast(Loader, resolve(set_name, PROBLEM_SETS, "problem set"))
    options = dict(parse_qsl(query, strict_parsing=True)) if query else {}
    problems = load(split, Source(data_dir=data_dir, revision=revision, options=options))
    if not problems:
        raise DataError(f"problem set '{name}' is empty.")
    return problems[:limit]
