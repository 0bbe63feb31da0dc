"""The run's own attempts under its heuristics: what a labeller can learn from or be judged on."""

import pyarrow as pa
import pyarrow.compute as pc

from manyways.context import Context
from manyways.heuristics.labelling import PromptedText
from manyways.tables import read_attempts_table

COLUMNS = ["problem_id", "heuristic", "sample", "text", "status", "finish"]
PER_WAY = 64
"""Attempts that a labeller learns from, or is judged on in the report, under each heuristic."""


def prompted_texts(ctx: Context) -> list[PromptedText]:
    """Every finished attempt under a heuristic of the pack, by heuristic, sample and problem."""
    return _texts(_finished(ctx))


def lessons(ctx: Context) -> list[PromptedText]:
    """The first ``PER_WAY`` correct attempts under each heuristic, from many problems."""
    table = _finished(ctx)
    found: list[PromptedText] = []
    for texts in _by_way(_texts(table.filter(pc.equal(table["status"], "correct")))):
        different = {text.text: text for text in reversed(texts)}
        found += [text for text in texts if different[text.text] is text][:PER_WAY]
    return found


def _finished(ctx: Context) -> pa.Table:
    table = read_attempts_table(ctx.run.path("1-attempts"), COLUMNS)
    ways = pa.array([heuristic.id for heuristic in ctx.pack], pa.string())
    asked = pc.and_(pc.is_in(table["heuristic"], ways), pc.equal(table["finish"], "stop"))
    order = [(name, "ascending") for name in ("heuristic", "sample", "problem_id")]
    return table.filter(asked).sort_by(order)


def _texts(table: pa.Table) -> list[PromptedText]:
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
