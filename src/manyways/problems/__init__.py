"""Where questions come from: the table of problem sets and how one is named.

A set is named ``<set>/<split>[?key=value&...]``, for example ``gsm8k/train``,
``dapo-math-17k/train?lang=all`` or ``pocket/seed?count=400``. Where a path or a task takes the
place of the split it follows a colon: ``file:data/mine.jsonl?question=q&answer=a``,
``hub:owner/name?split=test``, ``reasoning-gym:chain_sum?size=200&seed=1``. ``revision=COMMIT``
among the options pins the Hub repository of any set that is read from the Hub.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from urllib.parse import parse_qsl

from manyways.errors import DataError
from manyways.fingerprint import problems_hash
from manyways.plugins import resolve
from manyways.records import Problem

PUBLISHED = {
    "gsm8k": "manyways.problems.datasets:GSM8K",
    "math": "manyways.problems.datasets:MATH",
    "math500": "manyways.problems.datasets:MATH500",
    "dapo-math-17k": "manyways.problems.datasets:DAPO",
    "aime24": "manyways.problems.datasets:AIME24",
    "aime25": "manyways.problems.datasets:AIME25",
    "amc23": "manyways.problems.datasets:AMC23",
    "minerva": "manyways.problems.datasets:MINERVA",
    "olympiadbench": "manyways.problems.datasets:OLYMPIADBENCH",
    "humaneval": "manyways.problems.datasets:HUMANEVAL",
    "mbpp": "manyways.problems.datasets:MBPP",
    "musr": "manyways.problems.datasets:MUSR",
}
"""Sets of the Hugging Face Hub that may lie in a folder of normalised files too."""
PROBLEM_SETS: dict[str, str] = {
    "pocket": "manyways.pocket.world:load",
    **PUBLISHED,
    "reasoning-gym": "manyways.problems.procedural:load",
    "file": "manyways.problems.files:load_file",
    "hub": "manyways.problems.files:load_hub",
}
"""name -> ``module:attribute`` of type Loader."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Where a set is read from and with which options.

    data_dir: folder of normalised JSON lines; None reads the Hugging Face Hub.
    revision: Hub commit, tag or branch to load; None takes the newest.
    options:  the ``?key=value`` part of the set's name.
    notes:    filled by the loader with what it found out: ``origin`` (where the rows came from)
              and ``commit`` (of the Hub repository, only when it is known).
    """

    data_dir: Path | None = None
    revision: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)


Loader = Callable[[str, Source], list[Problem]]
"""``load(split, source)``: every problem of the split, in a stable order, ids unique."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProblemSet:
    """A loaded set with where it came from.

    Example: ``ProblemSet(name="gsm8k/test", problems=(...), total=1319, fingerprint="ab12...",
    origin="openai/gsm8k on the Hugging Face Hub", commit="e53f...")``.

    problems:    at most ``limit`` of them, in the set's order.
    total:       how many the set has without a limit.
    fingerprint: of the whole set (``fingerprint.problems_hash``), whatever its order.
    commit:      of the Hub repository; None when it could not be known.
    """

    name: str
    problems: tuple[Problem, ...]
    total: int
    fingerprint: str
    origin: str
    commit: str | None = None

    def provenance(self) -> dict[str, str | int | None]:
        """What a manifest keeps."""
        return {
            "name": self.name,
            "total": self.total,
            "loaded": len(self.problems),
            "fingerprint": self.fingerprint,
            "origin": self.origin,
            "commit": self.commit,
        }


def load_problems(
    name: str,
    *,
    data_dir: Path | None = None,
    revision: str | None = None,
    limit: int | None = None,
) -> list[Problem]:
    """Load the problem set called ``name`` (see the module's docstring), at most ``limit`` of it.

    revision: of the Hub repository; one in ``name`` comes before it.

    Raises DataError when the set or split does not exist or is empty.
    """
    return list(load_set(name, data_dir=data_dir, revision=revision, limit=limit).problems)


def load_set(
    name: str,
    *,
    data_dir: Path | None = None,
    revision: str | None = None,
    limit: int | None = None,
) -> ProblemSet:
    """As ``load_problems``, with origin, commit and fingerprint.

    Raises DataError when the set or split does not exist or is empty, or two problems share an id.
    """
    set_name, split, options = split_name(name)
    revision = options.pop("revision", revision)
    source = Source(data_dir=data_dir, revision=revision, options=options)
    load = cast(Loader, resolve(set_name, PROBLEM_SETS, "problem set"))
    problems = load(split, source)
    if not problems:
        raise DataError(f"problem set '{name}' is empty.")
    if len({problem.id for problem in problems}) != len(problems):
        raise DataError(f"problem set '{name}' gives the same id to two problems.")
    return ProblemSet(
        name=name,
        problems=tuple(problems[:limit]),
        total=len(problems),
        fingerprint=problems_hash(problems),
        origin=source.notes.get("origin", "made by this package"),
        commit=source.notes.get("commit"),
    )


def is_of_hub(name: str, data_dir: Path | None) -> bool:
    """Whether a set is read from the Hugging Face Hub."""
    found = split_name(name)[0]
    return found == "hub" or (found in PUBLISHED and data_dir is None)


def split_name(name: str) -> tuple[str, str, dict[str, str]]:
    """The set, the split (or path, or task) and the options that ``name`` is made of.

    Raises DataError when there is no split or the options are not ``key=value&...``.
    """
    path, _, query = name.partition("?")
    set_name, colon, split = path.partition(":")
    if not colon or set_name not in PROBLEM_SETS:
        set_name, _, split = path.rpartition("/")
    if set_name not in PROBLEM_SETS and Path(path).is_file():
        raise DataError(f"'{name}' is a file: for problems of your own write 'file:{name}'.")
    if not set_name or not split:
        raise DataError(f"problem set '{name}' needs a split: write '{path.rstrip('/:')}/<split>'.")
    try:
        options = dict(parse_qsl(query, strict_parsing=True)) if query else {}
    except ValueError as error:
        raise DataError(
            f"problem set '{name}': write options as ?key=value&key=value ({error})."
        ) from error
    return set_name, split, options


_DRESSING = re.compile(
    r"\\(?:left|right|displaystyle|textstyle|limits|qquad|quad|[bB]igg?[lr]?|[,;:!> \\])"
    r"|\\(?:text(?:bf|it|rm|sf|tt)?|mathrm|mathbf|mbox|operatorname)\b|[${}~]|\\(?=[$%&#{}])"
)
_WORD = re.compile(r"[^\W\d_]+|\d+(?:\.\d+)?|[-+*/=<>^_!|(),.\[\]:%]")
_THOUSANDS = re.compile(r"(?<=\d)(?:,|\{,\}|\\,|\\!)+(?=\d{3}(?!\d))")
_GAP = re.compile(r"(?<!\d) | (?!\d)")  # two numbers must not become one
_CHINESE = re.compile(r"([\u3400-\u9fff])")
_SAME = {"dfrac": "frac", "tfrac": "frac", "leq": "le", "geq": "ge", "neq": "ne", "ldots": "dots",
         "cdots": "dots", "lvert": "|", "rvert": "|", "vert": "|", "mid": "|"}  # fmt: skip
_SILENT = frozenset(".,:")


def normal_form(text: str) -> str:
    r"""The letters and signs of a question, by which two are the same (``x y`` is ``xy``).

    Case, spacing and the dressing of LaTeX (``\left``, ``\dfrac``, dollar signs) do not count.
    """
    return joined(tokens_of(text))


def joined(tokens: Sequence[str]) -> str:
    """Tokens as one text; two numbers stay apart."""
    return _GAP.sub("", " ".join(tokens))


def tokens_of(text: str) -> list[str]:
    """The words, numbers and signs of a question in one spelling."""
    plain = text.lower()
    if not text.isascii():
        plain = unicodedata.normalize("NFKC", plain).replace("−", "-")
        plain = _CHINESE.sub(r" \1 ", plain)
    plain = _DRESSING.sub(" ", _THOUSANDS.sub("", plain))
    found = [_SAME.get(token, token) for token in _WORD.findall(plain)]
    return [token for token in found if token not in _SILENT] or plain.split()
