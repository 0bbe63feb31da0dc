"""Adherence: how well an attempt follows its heuristic, by the scorer of the recipe, for selection.

A labeller is cheap and scores every attempt. A reward model or a judge scores only attempts that
could become solutions, and each distinct (heuristic, question, text) once. Its opinions are kept in
``RUN/adherence/<scorer>-<hash>/``, so a second selection, or one after a kill, does not ask again.
``pool.judge`` and ``pool.reward_model`` are imported only when the recipe asks for them.
"""

import inspect
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa

from manyways.checkpoints import model_path
from manyways.context import Context, model_hash, place_of, served_hash
from manyways.fingerprint import content_hash, fingerprint
from manyways.pool.attempt_files import remove_leftovers
from manyways.progress import say
from manyways.recipe.engines import ModelConfig
from manyways.records import PLAIN, Heuristic
from manyways.tables import parts, read_table, write_table


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A text to score: an attempt at ``question`` under ``heuristic``."""

    question: str
    text: str
    heuristic: Heuristic


@dataclass(frozen=True, kw_only=True, slots=True)
class Opinion:
    """What a scorer says about one case.

    Example: ``Opinion(value=0.75, note="orders disagree")``.

    value:  the higher, the better it follows; None if the scorer could not tell. In [0, 1], or any
            number if ``Scorer.ranks``.
    note:   why there is no value, or why the value is doubtful; may be empty.
    detail: what the opinion is based on (the replies of a judge), for a reader.
    """

    value: float | None
    note: str = ""
    detail: str = ""


class Scorer(Protocol):
    """Scores adherence. ``close`` frees its model.

    ranks: whether values can be compared only among texts of one cell. Selection then replaces them
        by ``ranks_of`` within the cell.
    """

    ranks: bool

    def opinions(self, cases: Sequence[Case]) -> Iterator[tuple[int, Opinion]]:
        """Yield the index of a case with the opinion on it, each case once, in any order."""
        ...

    def close(self) -> None:
        """Free the model, if there is one."""
        ...


def ranks_of(values: Sequence[float]) -> list[float]:
    """For each value the share of the *other* values that are lower; equal ones count half.

    Example: ``ranks_of([3.1, -2.0, 0.4]) == [1.0, 0.0, 0.5]``. A single value has rank 1.
    """
    x = np.asarray(values, dtype=float)
    if len(x) < 2:
        return [1.0] * len(x)
    lower = (x[None, :] < x[:, None]).sum(axis=1)
    equal = (x[None, :] == x[:, None]).sum(axis=1) - 1
    ranks: list[float] = ((lower + equal / 2) / (len(x) - 1)).tolist()
    return ranks


FORMAT = 2
"""Version of the labellers' adherence, raised by hand when one of them scores texts differently."""
UNASKED = Opinion(value=None, note="not asked")
FOLLOWS = Opinion(value=1.0)
READ = 65536
"""Tokens in a batch of a reward model, if ``model.batch_tokens`` is ``auto``."""
PART, SECONDS = 256, 30.0
"""Cases and seconds between two writes, whichever comes first: the most that a kill can lose."""
SCHEMA = pa.schema(
    [("key", pa.string()), ("value", pa.float64()), ("note", pa.string()), ("detail", pa.string())]
)


def identity(ctx: Context) -> dict[str, object]:
    """What adherence depends on, if another scorer than the labeller gives it; else empty.

    Raises ModelError when the model of the scorer does not exist.
    """
    return {} if _kind(ctx) == "labeller" else {"scorer": _source(ctx), "wrong": _wants_wrong(ctx)}


def of_attempts(
    ctx: Context, table: pa.Table, counts: dict[str, float] | None = None
) -> list[Opinion]:
    """An opinion for every attempt of ``table`` (of ``requested_attempts``), in its order.

    Plain attempts follow no heuristic and have 1. For a scorer with ``ranks``, values are ranks in
    [0, 1] among the attempts of one cell.

    counts: receives the counts that the scorer reports.

    Raises VerifierUnwell when too many replies of a judge are malformed.
    """
    if _kind(ctx) == "labeller":
        return _labelled(ctx, table)
    cases = _cases(ctx, table)
    keys = {row: _key(case) for row, case in cases.items()}
    unique = {keys[row]: case for row, case in cases.items()}
    known = _opinions(ctx, unique)
    if _kind(ctx) == "judge":
        from manyways.pool.judge import judge_summary

        sentence, found = judge_summary([known[key] for key in unique])
        say(sentence)
        (counts if counts is not None else {}).update(found)
    opinions = {row: known[key] for row, key in keys.items()}
    if is_rank(ctx):
        opinions = _ranked(table, opinions)
    ways = table["heuristic"].to_pylist()
    return [FOLLOWS if w == PLAIN else opinions.get(row, UNASKED) for row, w in enumerate(ways)]


def _labelled(ctx: Context, table: pa.Table) -> list[Opinion]:
    """The labeller's opinions; each text under a heuristic is scored once at a question."""
    score: Callable[..., float] = ctx.labeller.adherence
    asks = "question" in inspect.signature(score).parameters
    questions = _questions(ctx) if asks else {}
    heuristics = {heuristic.id: heuristic for heuristic in ctx.pack}
    known: dict[tuple[str, ...], Opinion] = {}
    found = []
    columns = (table[name].to_pylist() for name in ("problem_id", "heuristic", "text"))
    for problem, way, text in zip(*columns, strict=True):
        asked = (questions[problem],) if asks else ()
        if way != PLAIN and (way, text, *asked) not in known:
            known[way, text, *asked] = Opinion(value=score(text, heuristics[way], *asked))
        found.append(FOLLOWS if way == PLAIN else known[way, text, *asked])
    return found


def _questions(ctx: Context) -> dict[str, str]:
    """Problem id -> question, of the pool."""
    generate = ctx.recipe.generate
    return {p.id: p.question for p in ctx.problems(generate.problems, generate.limit)}


def is_rank(ctx: Context) -> bool:
    """Whether adherence is a rank, so that its mean has no meaning."""
    return _kind(ctx) == "reward-model"


def asks_a_judge(ctx: Context) -> bool:
    """Whether a judge gives adherence, so that a second model has to sample."""
    return _kind(ctx) == "judge"


def _kind(ctx: Context) -> str:
    return ctx.recipe.select.scorer.partition(":")[0]


def _wants_wrong(ctx: Context) -> bool:
    """Whether wrong attempts are scored, too: only if an arm trains on them."""
    return any(arm.kind.wrong for arm in ctx.recipe.parsed_arms)


def _cases(ctx: Context, table: pa.Table) -> dict[int, Case]:
    """Row of ``table`` -> the case for the scorer, for attempts that could become solutions."""
    heuristics = {heuristic.id: heuristic for heuristic in ctx.pack}
    questions = _questions(ctx)
    fit = {"correct", "wrong"} if _wants_wrong(ctx) else {"correct"}
    columns = ("problem_id", "heuristic", "text", "status", "finish")
    rows = zip(*(table[name].to_pylist() for name in columns), strict=True)
    return {
        row: Case(question=questions[problem], text=text, heuristic=heuristics[way])
        for row, (problem, way, text, status, finish) in enumerate(rows)
        if way != PLAIN and status in fit and finish == "stop"
    }


def _key(case: Case) -> str:
    way = case.heuristic
    return content_hash([way.id, way.name, way.instruction, *way.signs, case.question, case.text])


def _ranked(table: pa.Table, opinions: Mapping[int, Opinion]) -> dict[int, Opinion]:
    problems, ways = table["problem_id"].to_pylist(), table["heuristic"].to_pylist()
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row, opinion in opinions.items():
        if opinion.value is not None:
            groups[problems[row], ways[row]].append(row)
    ranked = dict(opinions)
    for rows in groups.values():
        ranks = ranks_of([opinions[row].value or 0.0 for row in rows])
        for row, rank in zip(rows, ranks, strict=True):
            ranked[row] = Opinion(value=rank)
    return ranked


def _source(ctx: Context) -> dict[str, object]:
    """What the opinions of a reward model or judge depend on, besides the case."""
    select, model = ctx.recipe.select, ctx.recipe.model
    kind, _, path = select.scorer.partition(":")
    if kind == "reward-model":
        return {"kind": kind, "model": model_hash(ctx, model_path(path)), "dtype": model.dtype}
    from manyways.pool.judge import rubric_hash

    model = _judge(ctx)
    return {
        "kind": kind,
        "model": served_hash(model) if model.remote else model_hash(ctx, place_of(model)),
        **model.identity,
        "tokens": select.judge_tokens,
        "rubric": rubric_hash(),
    }


def _judge(ctx: Context) -> ModelConfig:
    """The judge's model: that of the recipe, or the base model with the engine of the pool."""
    recipe = ctx.recipe
    return recipe.select.judge or recipe.model.under(recipe.generate.engine)


def _open(ctx: Context) -> Scorer:
    select, model = ctx.recipe.select, ctx.recipe.model
    kind, _, path = select.scorer.partition(":")
    if kind == "judge":
        from manyways.pool.judge import JudgeScorer

        model = select.judge or model
        engine = ctx.engine(place_of(model), model)
        return JudgeScorer(engine, max_tokens=select.judge_tokens)
    from manyways.pool.reward_model import RewardModel

    return RewardModel(
        model_path(path),
        dtype=model.dtype,
        device=model.device,
        batch_tokens=READ if model.batch_tokens == "auto" else model.batch_tokens,
    )


def _opinions(ctx: Context, cases: Mapping[str, Case]) -> dict[str, Opinion]:
    """The opinion on each case: read from the run folder, or asked now and written there."""
    kind, source = _kind(ctx), _source(ctx)
    folder = ctx.run.path("adherence", f"{kind}-{fingerprint(source)}")
    remove_leftovers(folder)
    known = {key: opinion for key, opinion in _remembered(folder).items() if key in cases}
    missing = [key for key in cases if key not in known]
    if missing:
        scorer = _open(ctx)
        fresh: dict[str, Opinion] = {}
        written = time.monotonic()
        try:
            for index, opinion in scorer.opinions([cases[key] for key in missing]):
                fresh[missing[index]] = opinion
                if len(fresh) >= PART or time.monotonic() - written >= SECONDS:
                    _remember(folder, fresh)
                    known, fresh, written = known | fresh, {}, time.monotonic()
                    # Checked after each file, so that a bad judge does not cost a whole pool.
                    _check(ctx, known, final=False)
        finally:
            if fresh:
                _remember(folder, fresh)
            scorer.close()
        known |= fresh
    _check(ctx, known, final=True)
    return known


def _check(ctx: Context, known: Mapping[str, Opinion], *, final: bool) -> None:
    if _kind(ctx) == "judge":
        from manyways.pool.judge import check_judge

        name = _judge(ctx).path
        limit = ctx.recipe.verify.max_undecided
        check_judge(list(known.values()), name=name, limit=limit, final=final)


def _remembered(folder: Path) -> dict[str, Opinion]:
    rows = [row for part in parts(folder) for row in read_table(part).to_pylist()]
    return {row.pop("key"): Opinion(**row) for row in rows}


def _remember(folder: Path, opinions: Mapping[str, Opinion]) -> None:
    rows = [{"key": key, **asdict(opinion)} for key, opinion in opinions.items()]
    path = folder / f"part-{len(parts(folder)):05d}.parquet"
    write_table(path, pa.Table.from_pylist(rows, schema=SCHEMA))
