"""Adherence: how well an attempt follows its heuristic, by the scorer of the recipe, for selection.

A labeller is cheap and scores every attempt. ``pool.scorers`` has the others: a reward model and a
judge. It is imported only when the recipe asks for one of them.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

from manyways.context import Context
from manyways.records import PLAIN


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


FORMAT = 2
"""Version of the labellers' adherence, raised by hand when one of them scores texts differently."""
UNASKED = Opinion(value=None, note="not asked")
FOLLOWS = Opinion(value=1.0)


def identity(ctx: Context) -> dict[str, object]:
    """What adherence depends on, if another scorer than the labeller gives it; else empty.

    Raises ModelError when the model of the scorer does not exist.
    """
    if kind_of(ctx) == "labeller":
        return {}
    from manyways.pool.scorers import source

    return {"scorer": source(ctx), "wrong": wants_wrong(ctx)}


def of_attempts(ctx: Context, table: pa.Table, counts: dict[str, float]) -> list[Opinion]:
    """An opinion for every attempt of ``table`` (of ``requested_attempts``), in its order.

    Plain attempts follow no heuristic and have 1. For a scorer with ``ranks``, values are ranks in
    [0, 1] among the attempts of one cell.

    counts: receives the counts that the scorer reports.

    Raises VerifierUnwell when too many replies of a judge are malformed.
    """
    if kind_of(ctx) == "labeller":
        return _labelled(ctx, table)
    from manyways.pool.scorers import opinions_of

    opinions = opinions_of(ctx, table, counts)
    ways = table["heuristic"].to_pylist()
    return [FOLLOWS if w == PLAIN else opinions.get(row, UNASKED) for row, w in enumerate(ways)]


def _labelled(ctx: Context, table: pa.Table) -> list[Opinion]:
    """The labeller's opinions; each text under a heuristic is scored once at a question."""
    score: Callable[..., float] = ctx.labeller.adherence
    asks = "question" in inspect.signature(score).parameters
    questions = questions_of(ctx) if asks else {}
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


def questions_of(ctx: Context) -> dict[str, str]:
    """Problem id -> question, of the pool."""
    generate = ctx.recipe.generate
    return {p.id: p.question for p in ctx.problems(generate.problems, generate.limit)}


def is_rank(ctx: Context) -> bool:
    """Whether adherence is a rank, so that its mean has no meaning."""
    return kind_of(ctx) == "reward-model"


def kind_of(ctx: Context) -> str:
    """The scorer's kind: ``labeller``, ``reward-model`` or ``judge``."""
    return ctx.recipe.select.scorer.partition(":")[0]


def wants_wrong(ctx: Context) -> bool:
    """Whether wrong attempts are scored, too: only if an arm trains on them."""
    return any(arm.kind.wrong for arm in ctx.recipe.parsed_arms)
