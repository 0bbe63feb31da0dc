"""Labellers of a run: the attempts that they learn from, and the agreement of two labellers.

A text's label is the heuristic that most of its steps show (of equals the earlier one), or
``direct`` if no step shows one. Texts in which a labeller sees no step are left out. So a labeller
may know only some texts, for example those that were labelled by hand.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import TypeAdapter

from manyways.context import Context
from manyways.errors import DataError
from manyways.heuristics.labelling import (
    Labeller,
    LabellerError,
    PromptedText,
    halves,
    is_exact,
    step_labels,
)
from manyways.measures.material import evaluations
from manyways.metrics.agreement import kappa_interval
from manyways.metrics.composition import DIRECT
from manyways.metrics.intervals import Resampling, clustered_share, effective_share
from manyways.progress import Meter
from manyways.records import Score
from manyways.run_dir import benchmark_slug
from manyways.tables import read_attempts_table, write_text

COLUMNS = ["problem_id", "heuristic", "sample", "text", "status", "finish"]
PER_WAY = 64
"""The most attempts under each heuristic that a labeller learns from, or that the report tests."""


def prompted_texts(ctx: Context) -> list[PromptedText]:
    """Every finished attempt under a heuristic of the pack, by heuristic, sample and problem."""
    return _prompted(_finished(ctx))


def lessons(ctx: Context) -> list[PromptedText]:
    """The first ``PER_WAY`` correct attempts under each heuristic, from many problems."""
    table = _finished(ctx)
    found: list[PromptedText] = []
    for texts in _by_way(_prompted(table.filter(pc.equal(table["status"], "correct")))):
        # Of equal texts the first one is kept: in reverse order it overwrites the others.
        different = {text.text: text for text in reversed(texts)}
        found += [text for text in texts if different[text.text] is text][:PER_WAY]
    return found


def _finished(ctx: Context) -> pa.Table:
    table = read_attempts_table(ctx.run.path("1-attempts"), COLUMNS)
    ways = pa.array([heuristic.id for heuristic in ctx.pack], pa.string())
    asked = pc.and_(pc.is_in(table["heuristic"], ways), pc.equal(table["finish"], "stop"))
    order = [(name, "ascending") for name in ("heuristic", "sample", "problem_id")]
    return table.filter(asked).sort_by(order)


def _prompted(table: pa.Table) -> list[PromptedText]:
    columns = (table[name].to_pylist() for name in ("text", "heuristic", "problem_id"))
    return [
        PromptedText(text=text, heuristic=way, problem_id=problem)
        for text, way, problem in zip(*columns, strict=True)
    ]


def _by_way(texts: list[PromptedText]) -> list[list[PromptedText]]:
    groups: dict[str, list[PromptedText]] = {}
    for text in texts:
        groups.setdefault(text.heuristic, []).append(text)
    return list(groups.values())


Texts = Literal["pool", "evaluations"]
PER_PROBLEM = 4
"""The most attempts of each checkpoint at each benchmark problem."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """The agreement of two labellers.

    exact:     the labeller that is right by construction, None if none is.
    on:        ``pool`` (attempts under heuristics) or ``evaluations`` (attempts on benchmarks).
    half:      whether only every other problem of the pool is compared; a labeller may learn from
               the others.
    lessons:   number of attempts that a labeller was fitted on; none is at a problem compared here.
    same:      share of texts with equal labels; with an exact labeller, the other's accuracy.
    confusion: label by ``first`` -> label by ``second`` -> number of texts.
    composed:  for each labeller, the share of texts in which it sees two or more heuristics.
    error:     the error of the labeller that is not exact, at recognising composed texts.
    """

    first: str
    second: str
    exact: str | None
    on: Texts
    half: bool
    texts: int
    problems: int
    lessons: int
    kappa: Score | None
    same: Score
    confusion: dict[str, dict[str, int]]
    composed: tuple[Score, Score]
    error: LabellerError | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Two labellers, and the texts. ``held_out``: only the half that none is fitted on."""

    first: str
    second: str
    on: Texts = "pool"
    held_out: bool = False


def compare(ctx: Context, pair: Pair) -> Agreement:
    """Label the run's texts with both labellers and compare.

    Raises DataError when the run has no texts that both can label.
    """
    taught, texts = _texts(ctx, pair)
    named = [(n, ctx.labeller_named(n, lambda: taught)) for n in (pair.first, pair.second)]
    known = [_read(labeller, texts, name) for name, labeller in named]
    rows = [
        (text.problem_id, first, second)
        for text in texts
        if (first := known[0][text.text]) is not None
        and (second := known[1][text.text]) is not None
    ]
    if not rows:
        raise DataError(
            f"there are no texts on '{pair.on}' that both labellers can read: run the stage "
            f"{'generate' if pair.on == 'pool' else 'evaluate'} first."
        )
    exact = next((name for name, labeller in named if is_exact(labeller)), None)
    learned = len(taught) if any(ctx.learns(name) for name, _ in named) else 0
    return _agreement(ctx, pair, rows, exact=exact, learned=learned)


def path_of(ctx: Context, found: Agreement) -> Path:
    """The file of an agreement."""
    on = "pool-half" if found.half else found.on
    names = "-".join(benchmark_slug(name) for name in (found.first, found.second, on))
    return ctx.run.path("agreement", f"{names}.json")


def write(ctx: Context, found: Agreement) -> Path:
    """Write an agreement into the run folder; returns the file."""
    path = path_of(ctx, found)
    write_text(path, json.dumps(asdict(found), indent=1))
    return path


def error_of(ctx: Context, labeller: str) -> LabellerError | None:
    """The error of ``labeller`` that was measured on this run against an exact labeller, or None.

    One on attempts at benchmarks is preferred, because the rates to correct are of such attempts.
    """
    files = sorted(ctx.run.path("agreement").glob("*.json"))
    found = [TypeAdapter(Agreement).validate_json(file.read_bytes()) for file in files]
    usable = [one for one in found if one.error and labeller in (one.first, one.second)]
    usable = [one for one in usable if one.exact != labeller]
    best = max(usable, key=lambda one: (one.on == "evaluations", one.texts), default=None)
    return best.error if best else None


def _texts(ctx: Context, pair: Pair) -> tuple[list[PromptedText], list[PromptedText]]:
    """(texts to learn from, texts to compare on); no problem is in both."""
    if pair.on == "evaluations":
        return lessons(ctx), list(_evaluated(ctx))
    texts = prompted_texts(ctx)
    if not _half(ctx, pair):
        return [], texts
    half, rest = halves(texts)
    problems = {text.problem_id for text in half}
    return [text for text in lessons(ctx) if text.problem_id in problems], rest


def _half(ctx: Context, pair: Pair) -> bool:
    learns = any(map(ctx.learns, (pair.first, pair.second)))
    return pair.on == "pool" and (pair.held_out or learns)


def _evaluated(ctx: Context) -> Iterable[PromptedText]:
    for one in evaluations(ctx):
        rows = zip(one.ranks.tolist(), one.texts(), strict=True)
        for rank, group in groupby(rows, key=lambda row: row[0]):
            for _, text in list(group)[:PER_PROBLEM]:
                problem = f"{one.benchmark} {one.problems[rank]}"
                yield PromptedText(text=text, heuristic=DIRECT, problem_id=problem)


Steps = list[str | None]
"""The labels of a text's steps, in order."""


def _read(labeller: Labeller, texts: Sequence[PromptedText], name: str) -> dict[str, Steps | None]:
    """Text -> the labels of its steps, None if the labeller sees no step."""
    different = list(dict.fromkeys(text.text for text in texts))
    known: dict[str, Steps | None] = {}
    with Meter(f"read by {name}", total=len(different), unit="texts") as meter:
        for text in different:
            segments = labeller.segments(text)
            known[text] = step_labels(segments) if segments else None
            meter.advance()
    return known


Row = tuple[str, Steps, Steps]
"""(problem, the steps' labels by the first labeller, those by the second one)."""


def _agreement(
    ctx: Context, pair: Pair, rows: Sequence[Row], *, exact: str | None, learned: int
) -> Agreement:
    problems = [row[0] for row in rows]
    first, second = ([_label(row[i]) for row in rows] for i in (1, 2))
    composed = [[len({x for x in row[i] if x}) > 1 for row in rows] for i in (1, 2)]
    settings = Resampling(resamples=ctx.recipe.analyse.bootstrap)
    value, low, high = kappa_interval(first, second, problems, settings)
    count = len(set(problems))
    error = None
    if exact:
        truth, seen = composed if exact == pair.first else composed[::-1]
        error = _error(truth, seen, problems)
    return Agreement(
        first=pair.first,
        second=pair.second,
        exact=exact,
        on=pair.on,
        half=_half(ctx, pair),
        texts=len(rows),
        problems=count,
        lessons=learned,
        kappa=Score(name="kappa", value=value, low=low, high=high, n=count)
        if not math.isnan(value)
        else None,
        same=_share("same label", [a == b for a, b in zip(first, second, strict=True)], problems),
        confusion=_confusion(first, second),
        composed=(
            _share(f"composed by {pair.first}", composed[0], problems),
            _share(f"composed by {pair.second}", composed[1], problems),
        ),
        error=error,
    )


def _label(steps: Sequence[str | None]) -> str:
    counts = Counter(step for step in steps if step)
    return counts.most_common(1)[0][0] if counts else DIRECT


def _confusion(first: Sequence[str], second: Sequence[str]) -> dict[str, dict[str, int]]:
    table: dict[str, dict[str, int]] = {}
    for (a, b), number in sorted(Counter(zip(first, second, strict=True)).items()):
        table.setdefault(a, {})[b] = number
    return table


def _share(name: str, hits: Sequence[bool], problems: Sequence[str]) -> Score:
    successes, trials = _by_problem(hits, problems)
    value, low, high = clustered_share(successes, trials)
    return Score(name=name, value=value, low=low, high=high, n=len(trials))


def _by_problem(hits: Sequence[bool], problems: Sequence[str]) -> tuple[list[int], list[int]]:
    trials = Counter(problems)
    successes = Counter(problem for hit, problem in zip(hits, problems, strict=True) if hit)
    return [successes[problem] for problem in trials], list(trials.values())


def _error(truth: Sequence[bool], seen: Sequence[bool], problems: Sequence[str]) -> LabellerError:
    right = {}
    for kind in (True, False):
        rows = [(s == t, p) for t, s, p in zip(truth, seen, problems, strict=True) if t == kind]
        share, texts = effective_share(*_by_problem([r for r, _ in rows], [p for _, p in rows]))
        right[kind] = (share * texts if texts else 0.0, texts)
    return LabellerError(
        found=right[True][0], composed=right[True][1],
        passed=right[False][0], single=right[False][1],
    )  # fmt: skip
