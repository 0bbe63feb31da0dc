r"""Do training problems occur in evaluation sets? And do a set's own problems repeat?

Two questions *overlap exactly* when their letters and signs agree once case, spacing and the
dressing of LaTeX (``\left``, ``\dfrac`` for ``\frac``, dollar signs, braces) are gone. They are
*near* when enough of the 13-grams of one occur in the other: 13-grams are what Brown et al. 2020
(GPT-3, appendix C) test by, but one shared 13-gram proves little in competition problems ("can be
written as m/n where m and n are relatively prime positive integers, find m+n"), so a share of the
shorter text's 13-grams is asked for, and grams that occur in many problems do not count.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from manyways.problems import joined, normal_form, tokens_of
from manyways.records import Problem

SIZE = 13
"""Tokens in a gram."""
NEAR = 0.5
"""Share of the shorter text's counted grams from which two questions are near."""
COMMON = 8
"""A gram that occurs in more problems of one side than this is boilerplate and does not count."""

_DIAGRAM = re.compile(r"\[asy\].*?(?:\[/asy\]|$)", re.S)

Kind = Literal["exact", "near"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Overlap:
    """One pair. ``share`` is that of the shorter text's counted 13-grams, 1.0 for exact pairs."""

    train_id: str
    eval_id: str
    kind: Kind
    share: float


@dataclass(frozen=True, kw_only=True, slots=True)
class OverlapReport:
    """Every overlapping pair between training problems and evaluation sets.

    sizes: evaluation set -> its number of problems.
    """

    train_size: int
    sizes: Mapping[str, int]
    pairs: tuple[Overlap, ...]

    @property
    def train_ids(self) -> frozenset[str]:
        """The training problems that occur in some evaluation set."""
        return frozenset(pair.train_id for pair in self.pairs)

    def counts(self) -> list[tuple[str, int, int, int]]:
        """For each evaluation set: (name, its size, training problems exact, and near alone)."""
        rows = []
        for name, size in self.sizes.items():
            pairs = [pair for pair in self.pairs if _set_of(pair.eval_id) == name]
            exact = {pair.train_id for pair in pairs if pair.kind == "exact"}
            near = {pair.train_id for pair in pairs} - exact
            rows.append((name, size, len(exact), len(near)))
        return rows


def overlap(
    train: Sequence[Problem], evals: Mapping[str, Sequence[Problem]] | Sequence[Problem]
) -> OverlapReport:
    """Compare every training problem with every evaluation problem.

    evals: the problems of all evaluation sets, as one sequence or by name. Sets are told apart by
        the first two parts of the ids.

    Time grows with the total length of the texts, not with the number of pairs.
    """
    wanted = [p for s in evals.values() for p in s] if isinstance(evals, Mapping) else list(evals)
    pairs = _pairs(_Texts(train), _Texts(wanted))
    return OverlapReport(
        train_size=len(train), sizes=Counter(_set_of(p.id) for p in wanted), pairs=tuple(pairs)
    )


def repeats(problems: Sequence[Problem]) -> list[tuple[Problem, ...]]:
    """Groups of problems with the same question (exactly, as above), in order."""
    groups: dict[str, list[Problem]] = defaultdict(list)
    for problem in problems:
        groups[normal_form(problem.question)].append(problem)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def _set_of(problem_id: str) -> str:
    return "/".join(problem_id.split("/")[:2])


class _Texts:
    """The problems of one side: normalised texts, and for each 13-gram the problems that have it.

    Grams are Python hashes of tuples: they hold within one process and may collide, at 2**-64.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.ids = [problem.id for problem in problems]
        self.by_text: dict[str, list[int]] = defaultdict(list)
        self.grams: list[frozenset[int]] = []
        for i, problem in enumerate(problems):
            tokens = tokens_of(problem.question)
            self.by_text[joined(tokens)].append(i)
            self.grams.append(_grams(problem.question, tokens))
        self.count = Counter(gram for grams in self.grams for gram in grams)

    def counted(self, i: int, other: "_Texts") -> set[int]:
        """The grams of problem ``i`` that are boilerplate on neither side."""
        return {g for g in self.grams[i] if self.count[g] <= COMMON and other.count[g] <= COMMON}


def _grams(text: str, tokens: Sequence[str]) -> frozenset[int]:
    """Without diagrams, whose set-up code repeats, unless hardly anything else is there."""
    if "[asy]" in text:
        bare = tokens_of(_DIAGRAM.sub(" ", text))
        tokens = bare if len(bare) >= SIZE else tokens
    return frozenset(hash(tuple(tokens[i : i + SIZE])) for i in range(len(tokens) - SIZE + 1))


def _pairs(train: _Texts, evals: _Texts) -> Iterable[Overlap]:
    exact = {
        (i, j)
        for text, places in train.by_text.items()
        for i in places
        for j in evals.by_text.get(text, ())
    }
    found = dict.fromkeys(exact, 1.0)
    for pair, share in _near(train, evals).items():
        found.setdefault(pair, share)
    for (i, j), share in sorted(found.items()):
        kind: Kind = "exact" if (i, j) in exact else "near"
        yield Overlap(train_id=train.ids[i], eval_id=evals.ids[j], kind=kind, share=share)


def _near(train: _Texts, evals: _Texts) -> dict[tuple[int, int], float]:
    holders: dict[int, list[int]] = defaultdict(list)
    for j in range(len(evals.ids)):
        for gram in evals.counted(j, train):
            holders[gram].append(j)
    sizes = [len(evals.counted(j, train)) for j in range(len(evals.ids))]
    near: dict[tuple[int, int], float] = {}
    for i in range(len(train.ids)):
        shared = Counter(j for gram in train.grams[i] for j in holders.get(gram, ()))
        if not shared:
            continue
        own = len(train.counted(i, evals))
        for j, common in shared.items():
            share = common / max(1, min(own, sizes[j]))
            if share >= NEAR:
                near[i, j] = share
    return near
