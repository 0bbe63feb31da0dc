"""Which attempts count, and which of them become solutions: at most one under each heuristic.

The attempts that the recipe asks for count; a folder may hold more, from an earlier and larger
request. What adaptive sampling asked for is written next to the attempts. Solutions are chosen
heuristic by heuristic in the pack's order, so those under the first N heuristics do not depend on
the others.

The yield table counts attempts and solutions under each heuristic.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from rich.table import Table

from manyways.context import Context, settings_of
from manyways.errors import DataError
from manyways.fingerprint import fingerprint
from manyways.measures.difficulty import of_pool
from manyways.measures.yields import Outcomes, YieldRow
from manyways.pool import adherence
from manyways.pool.adherence import Opinion, is_rank
from manyways.progress import open_table
from manyways.recipe.tree import Recipe
from manyways.records import PLAIN
from manyways.tables import (
    SOLUTION_SCHEMA,
    beside,
    parts,
    read_attempts_table,
    read_table,
    write_table,
)

FILE = "asked.parquet"
Name = tuple[str, str]
"""(problem id, heuristic): a cell."""
SCHEMA = pa.schema(
    [("problem_id", pa.string()), ("heuristic", pa.string()), ("samples", pa.int32())]
)
COLUMNS = ["problem_id", "heuristic", "sample", "text", "finish", "tokens", "status", "reason"]


def requested_attempts(ctx: Context) -> pa.Table:
    """The pool's attempts that the recipe asks for, ordered by problem, way and sample.

    Other attempts in the folder are left out (of a larger ``samples``, another ``count``, or fixed
    sampling). So a run that was widened and narrowed again selects what a new run would.
    """
    folder = ctx.run.path("1-attempts")
    return in_order(ctx, read_attempts_table(folder, COLUMNS), read_requests(ctx.recipe, folder))


def in_order(ctx: Context, table: pa.Table, asked: Mapping[Name, int] | None) -> pa.Table:
    """The rows of ``table`` that the recipe asks for, ordered by problem, way and sample.

    asked: the result of ``read_requests``.
    """
    generate = ctx.recipe.generate
    problems = {p.id: i for i, p in enumerate(of_pool(ctx).in_range().problems)}
    ways = {name: i for i, name in enumerate(way_order(ctx))}
    problem = ranks(table["problem_id"], problems)
    way = ranks(table["heuristic"], ways)
    sample = table["sample"].to_numpy()
    limit = np.where(way == ways[PLAIN], generate.plain_samples, generate.samples)
    if asked is not None:
        names = zip(table["problem_id"].to_pylist(), table["heuristic"].to_pylist(), strict=True)
        limit = np.minimum(limit, [asked.get(name, 0) for name in names])
    use = np.flatnonzero((problem >= 0) & (way >= 0) & (sample < limit))
    order = use[np.lexsort((sample[use], way[use], problem[use]))]
    return table.take(pa.array(order))


def refuse_foreign(ctx: Context) -> None:
    """Check that the pool was written by the model that will be trained on it.

    Raises DataError when the folder has files that another model wrote.
    """
    stamp, folder = ctx.run.stamp("generate"), ctx.run.path("1-attempts")
    if stamp is None:
        return
    writers = Counter(read_attempts_table(folder, ["model_hash"])["model_hash"].to_pylist())
    foreign = writers.total() - writers[str(stamp.identity["model"])]
    if foreign:
        raise DataError(
            f"{foreign} of {writers.total()} attempts in '{folder}' were written by another model "
            "than the one that is trained: arms on this pool are self-generated. Move these files "
            "away; to train on another model's attempts, name them in [distill] and add an arm "
            "'distilled-N'."
        )


def way_order(ctx: Context) -> tuple[str, ...]:
    """The pack's heuristic ids in order, then ``plain``."""
    return (*(h.id for h in ctx.pack), PLAIN)


def ranks(column: pa.ChunkedArray, ranks: dict[str, int]) -> NDArray[np.int64]:
    """The rank of every value, shape (rows,); -1 for values that have none."""
    # Each distinct value is looked up once, and not each of millions of rows.
    encoded = column.combine_chunks().dictionary_encode()
    table = [ranks.get(value, -1) for value in encoded.dictionary.to_pylist()]
    return np.array(table, dtype=np.int64)[np.asarray(encoded.indices, dtype=np.int64)]


def write_requests(folder: Path, asked: Mapping[Name, int]) -> None:
    """Write next to the attempts in ``folder`` what adaptive sampling asked for.

    asked: cell -> n: attempts 0 to n - 1 were asked for.
    """
    rows = [(*name, samples) for name, samples in asked.items()]
    columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], []]
    write_table(beside(folder, FILE), pa.table(columns, schema=SCHEMA))


def read_requests(recipe: Recipe, folder: Path) -> Mapping[Name, int] | None:
    """Cell -> how many attempts adaptive sampling asked for; None for fixed sampling."""
    path = beside(folder, FILE)
    if recipe.generate.sampling == "fixed" or not path.is_file():
        return None
    problems, ways, samples = (read_table(path)[name].to_pylist() for name in SCHEMA.names)
    return dict(zip(zip(problems, ways, strict=True), samples, strict=True))


def requests_identity(recipe: Recipe, folder: Path) -> dict[str, object]:
    """The part of selection's identity for adaptive sampling; empty for fixed sampling."""
    asked = read_requests(recipe, folder)
    if asked is None:
        return {}
    return {"asked": fingerprint([[*name, samples] for name, samples in asked.items()])}


WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Attempts as columns, ordered by problem, way (in the pack's order, plain last) and sample.

    way:    index of each attempt's heuristic in ``ways``.
    reason: why an attempt cannot be a solution; empty if it can.
    """

    problem: NDArray[np.int64]
    way: NDArray[np.int64]
    ways: tuple[str, ...]
    sample: list[int]
    text: list[str]
    tokens: list[int]
    status: list[str]
    reason: list[str]
    adherence: list[Opinion]

    def name(self, row: int) -> str:
        """``induction#3``."""
        return f"{self.ways[self.way[row]]}#{self.sample[row]}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """The decision on one attempt. ``main``: kept; ``wrong``: kept for the wrong-N arms."""

    row: int
    reason: str
    main: bool = False
    wrong: bool = False


def thresholds(ctx: Context) -> dict[str, object]:
    """The keys of ``[select]`` that decide about attempts, without the scorer's."""
    return settings_of(ctx.recipe.select, "budget", "budget_way", "scorer", "judge", "judge_tokens")


def solved_cells(ctx: Context, table: pa.Table) -> set[tuple[str, str]]:
    """The cells of ``table`` (of ``requested_attempts``) that have a kept solution.

    A reward model is not asked, because its ranks need several attempts at a cell. With it, a
    correct attempt that is not truncated is enough.
    """
    fit = pc.and_(pc.equal(table["status"], "correct"), pc.equal(table["finish"], "stop"))
    found = table.filter(fit)
    if not adherence.is_rank(ctx):
        found = select(ctx, found, {})
        found = found.filter(found["kept"])
    return set(zip(*(found[name].to_pylist() for name in ("problem_id", "heuristic")), strict=True))


def select(ctx: Context, table: pa.Table, counts: dict[str, float]) -> pa.Table:
    """Decide about every attempt of ``table`` (of ``requested_attempts``), in its order.

    counts: receives the counts that the scorer of adherence reports.
    """
    pool = _pool(ctx, table, counts)
    edges = np.flatnonzero(np.diff(pool.problem, prepend=-1, append=-1))
    size = len(pool.text)
    reason, main, wrong = [""] * size, np.zeros(size, bool), np.zeros(size, bool)
    for start, end in pairwise(edges):
        for decision in _decide(pool, range(start, end), ctx):
            reason[decision.row] = decision.reason
            main[decision.row], wrong[decision.row] = decision.main, decision.wrong
    columns = {
        name: table[name] for name in ("problem_id", "heuristic", "sample", "text", "status")
    }
    scores = [opinion.value for opinion in pool.adherence]
    columns |= {"adherence": pa.array(scores, pa.float64()), "kept": pa.array(main)}
    columns |= {"reason": pa.array(reason), "wrong_pool": pa.array(wrong)}
    return pa.table([columns[name] for name in SOLUTION_SCHEMA.names], schema=SOLUTION_SCHEMA)


def _decide(pool: Pool, rows: range, ctx: Context) -> Iterator[Decision]:
    """Decide about all attempts at one problem."""
    candidates: dict[str, dict[int, list[int]]] = {"correct": {}, "wrong": {}}
    plain: list[int] = []
    for row in rows:
        drop = pool.reason[row]
        is_plain = pool.ways[pool.way[row]] == PLAIN
        # Wrong attempts under a heuristic stay if they were scored: wrong-N arms select from them.
        scored = pool.adherence[row] != adherence.UNASKED
        if drop and not (drop == "wrong" and not is_plain and scored):
            yield Decision(row=row, reason=drop)
        elif is_plain:
            plain.append(row)
        else:
            status = pool.status[row]
            candidates[status].setdefault(int(pool.way[row]), []).append(row)
    for number, row in enumerate(plain):
        word = f"first of {len(plain)} correct"
        yield Decision(row=row, reason=word if number == 0 else f"not the {word}", main=number == 0)
    for status, by_way in candidates.items():
        yield from _best_ways(pool, by_way, status, ctx)


def _best_ways(
    pool: Pool, by_way: dict[int, list[int]], status: str, ctx: Context
) -> Iterator[Decision]:
    """Keep at most one attempt per heuristic: the best that is no near-duplicate of a kept one.

    Best: highest adherence, then fewest tokens, then lowest sample number.
    """
    right = status == "correct"
    kept: list[tuple[int, frozenset[int]]] = []
    # In the pack's order, so that what is kept under the first n does not depend on the others.
    for way in sorted(by_way):
        rows, chosen = by_way[way], False
        for row in sorted(rows, key=lambda r: (-_strength(pool, r), pool.tokens[r], r)):
            reason = _objection(pool, row, kept, ctx)
            best = not reason and not chosen
            if best:
                chosen = True
                kept.append((row, shingles(pool.text[row])))
            reason = reason or f"{'' if best else 'not the '}best of {len(rows)} {status}"
            if not right:
                reason = f"wrong; {reason}{', kept for wrong-N arms' if best else ''}"
            yield Decision(row=row, reason=reason, main=best and right, wrong=best and not right)


def _objection(pool: Pool, row: int, kept: list[tuple[int, frozenset[int]]], ctx: Context) -> str:
    """Why this attempt cannot be kept under its heuristic; empty when it can.

    Attempts under the same heuristic are not compared, because only one of them is kept anyway.
    """
    settings, opinion = ctx.recipe.select, pool.adherence[row]
    if opinion.value is None:
        return f"not scored: {opinion.note}"
    if settings.min_adherence is not None and opinion.value < settings.min_adherence:
        return f"adherence {opinion.value:.2f} < {settings.min_adherence:.2f}"
    others = [(other, words) for other, words in kept if pool.way[other] != pool.way[row]]
    words = shingles(pool.text[row]) if others else frozenset()
    for other, theirs in others:
        if jaccard(words, theirs, at_least=settings.near_duplicate) >= settings.near_duplicate:
            return f"near-duplicate of {pool.name(other)}"
    return ""


def _strength(pool: Pool, row: int) -> float:
    value = pool.adherence[row].value
    return -1.0 if value is None else value


def _pool(ctx: Context, table: pa.Table, counts: dict[str, float]) -> Pool:
    ways = way_order(ctx)
    statuses = table["status"].to_pylist()
    outcomes = zip(statuses, table["finish"].to_pylist(), table["reason"].to_pylist(), strict=True)
    ids = table["problem_id"].combine_chunks().dictionary_encode()
    return Pool(
        problem=np.asarray(ids.indices, dtype=np.int64),
        way=ranks(table["heuristic"], {name: i for i, name in enumerate(ways)}),
        ways=ways,
        sample=table["sample"].to_pylist(),
        text=table["text"].to_pylist(),
        tokens=table["tokens"].to_pylist(),
        status=statuses,
        reason=[_unfit(*outcome) for outcome in outcomes],
        adherence=adherence.of_attempts(ctx, table, counts),
    )


def _unfit(status: str, finish: str, why: str) -> str:
    """Why an attempt cannot be a solution, whatever the others are; empty when it can.

    A truncated text cannot, even if its answer is correct: it would teach the model not to stop.
    """
    if finish == "length":
        return "truncated"
    if finish == "error":
        return "sampling error"
    named = {"correct": "", "wrong": "wrong", "no_answer": "no answer"}
    return named.get(status, f"undecided: {why or 'unknown'}")


SHINGLE = 3
"""Words in a shingle."""


def shingles(text: str) -> frozenset[int]:
    """Hashes of the shingles of ``text``: runs of ``SHINGLE`` words, in lower case.

    A sign counts as a word. A shorter text is one shingle. Hashes differ from process to process.
    """
    words = WORD.findall(text.lower())
    count = max(1, len(words) - SHINGLE + 1)
    return frozenset(hash(tuple(words[i : i + SHINGLE])) for i in range(count))


def jaccard(a: frozenset[int], b: frozenset[int], *, at_least: float) -> float:
    """Size of the intersection over size of the union.

    Returns 0 at once when the sizes alone show that the result is below ``at_least``.
    """
    small, large = sorted((len(a), len(b)))
    if not large or small < at_least * large:
        return 0.0
    common = len(a & b)
    return common / (len(a) + len(b) - common)


KEY = ["problem_id", "heuristic", "sample"]
KINDS = (
    (re.compile(r"^adherence "), "low adherence"),
    (re.compile(r"^near-duplicate "), "near-duplicate"),
    (re.compile(r"^not the "), "not the best"),
)

FAIR = "shares are of first attempts alone; all attempts together lean towards hard cells"


def yield_rows(ctx: Context) -> list[YieldRow]:
    """A row for each heuristic of the pack, then one for plain prompts; empty before selection."""
    path = ctx.solutions
    if not path.is_file() or not parts(ctx.run.path("1-attempts")):
        return []
    columns = [*KEY, "status", "adherence", "kept", "reason"]
    solutions = read_table(path, columns).drop_columns(["status"])
    attempts = read_attempts_table(ctx.run.path("1-attempts"), [*KEY, "status", "finish", "tokens"])
    table = attempts.join(solutions, keys=KEY, join_type="inner")
    names = {heuristic.id: heuristic.name for heuristic in ctx.pack} | {PLAIN: "plain prompt"}
    adaptive = read_requests(ctx.recipe, ctx.run.path("1-attempts")) is not None
    rows = []
    for way, name in names.items():
        mine = table.filter(pc.equal(table["heuristic"], way))
        fair = None if not adaptive else _outcomes(mine.filter(pc.equal(mine["sample"], 0)))
        rows.append(_row(way, name, mine, fair))
    return [_without_adherence(row) for row in rows] if is_rank(ctx) else rows


def yield_table(rows: Sequence[YieldRow]) -> Table:
    """The yield of the pool as a table for the terminal."""
    note = f"adaptive sampling: {FAIR}" if any(row.fair for row in rows) else None
    table = open_table(
        "heuristic", "attempts", "correct", "no answer", "not decided", "cut off", "kept",
        title="what the pool gave",
    )  # fmt: skip
    table.caption = note
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        rates = row.rates
        share = f" ({rates.correct / rates.attempts:.0%})" if rates.attempts else ""
        counts = (row.no_answer, row.undecided, row.truncated, row.kept)
        table.add_row(row.heuristic, str(row.attempts), f"{row.correct}{share}", *map(str, counts))
    return table


def kind_of(reason: str) -> str:
    """A reason without its numbers, so that equal kinds of reasons can be counted."""
    return next((kind for pattern, kind in KINDS if pattern.match(reason)), reason)


def _row(way: str, name: str, table: pa.Table, fair: Outcomes | None) -> YieldRow:
    status = np.asarray(table["status"].to_pylist(), dtype=object)
    kept = np.asarray(table["kept"], dtype=bool)
    reasons = np.asarray(table["reason"].to_pylist(), dtype=object)
    dropped = Counter(kind_of(reason) for reason in reasons[(status == "correct") & ~kept])
    problems = np.asarray(table["problem_id"].to_pylist(), dtype=object)
    return YieldRow(
        heuristic=way,
        name=name,
        kept=int(kept.sum()),
        problems=len(set(problems[status == "correct"])),
        dropped=dict(dropped.most_common()),
        fair=fair,
        **asdict(_outcomes(table)),
    )


def _outcomes(table: pa.Table) -> Outcomes:
    status = Counter(table["status"].to_pylist())
    return Outcomes(
        attempts=table.num_rows,
        correct=status["correct"],
        no_answer=status["no_answer"],
        undecided=status["undecided"],
        truncated=int(pc.sum(pc.equal(table["finish"], "length")).as_py() or 0),
        tokens=int(pc.sum(table["tokens"]).as_py() or 0),
        adherence=pc.mean(table["adherence"]).as_py(),
    )


def _without_adherence(row: YieldRow) -> YieldRow:
    fair = row.fair and replace(row.fair, adherence=None)
    return replace(row, adherence=None, fair=fair)
