"""``python docs/site/tables.py > docs/tables.md``: the tables of a run, read off their records.

A column's meaning stands in its record: as an entry of the docstring, or below the field. What
means the same in every table stands in ``SHARED``.
"""

import ast
import inspect
import re
import types
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Literal, Union, get_args, get_origin, get_type_hints

import pyarrow as pa

from manyways.measures.catalogue import TABLES
from manyways.records import Attempt, RLAttempt, Score, Solution, Verdict
from manyways.tables import ATTEMPT_SCHEMA, RL_SCHEMA, SOLUTION_SCHEMA

SHARED = {
    "advantage": "as the trainer computed it; nothing where the trainer does not tell",
    "arm": "name of the arm, `base` for the base model",
    "attempts": "how many attempts this is taken from",
    "benchmark": "problem set that was evaluated; `mean` is the mean over benchmarks",
    "checkpoint": "`base`, `ARM/seed-S/mid` or `rl`; without the seed where seeds are pooled",
    "finish": "how sampling ended: `stop`, `length` (the token limit) or `error`",
    "heuristic": "id of the heuristic; `plain` where none was named",
    "k": "attempts at a problem that the score is for",
    "model_hash": "of the weights, configuration and tokenizer that sampled the text",
    "phase": "`base`, `mid` (after mid-training) or `rl` (after RL)",
    "problem_id": "id of the problem, as `manyways show RUN ID` takes it",
    "prompt_hash": "of the whole prompt, as tokens went into the model",
    "prompt_tokens": "length of the prompt in tokens",
    "sample": "0-based number among the attempts at this (problem, heuristic)",
    "score": "value with its 95% interval over problems",
    "seed": "training seed; nothing where seeds are pooled",
    "seeds": "from three seeds on, Student's t interval over the seeds' means",
    "status": "verdict: `correct`, `wrong`, `no_answer` or `undecided`",
    "step": "optimizer step, from 1",
    "text": "the sampled text",
}
"""Column -> what it means where its record says nothing else."""

WORDS = {str: "text", int: "integer", float: "number", bool: "true or false"}
JOINED = {list: ("list: ", ""), tuple: ("pair: ", ", "), dict: ("map: ", " → ")}
"""A container -> what stands before its parts, and between them."""
HEAD = """\
# The tables of a run

Every figure of a report is drawn from a table. `manyways analyse RUN` writes them to
`RUN/7-tables/NAME.json`: a list of rows, one row a line. From Python
`manyways.open("RUN").table("NAME")` is the same as a `pyarrow.Table` with flat columns: a *score*
named `score` becomes `score_value`, `score_low`, `score_high`, `score_n` ([from
Python](python.md)). *Or nothing* is `null`. Beside them a run has attempts and solutions as
parquet, [below](#parquet).

This page is generated: `python docs/site/tables.py > docs/tables.md`.
"""


def main() -> None:
    """Print the page."""
    print(HEAD)
    print("\n".join(page()))


def page() -> Iterator[str]:
    """Lines of Markdown."""
    yield from record("A score", Score, level=2)
    for name, row in TABLES.items():
        yield from record(f"`{name}`", row, level=2)
        for inner in inner_records(row):
            yield from record(f"{words(inner)} of `{name}`", inner, level=3)
    yield "## Parquet\n"
    for place, schema, homes in PARQUET:
        yield f"### {place}\n"
        yield from table([(one.name, kind(one.type), stored(one.name, homes)) for one in schema])


PARQUET: tuple[tuple[str, pa.Schema, tuple[type, ...]], ...] = (
    ("`1-attempts/*.parquet`, `6-eval/CHECKPOINT/BENCHMARK/*.parquet`", ATTEMPT_SCHEMA,
     (Attempt, Verdict)),
    ("`arms/ARM/seed-S/5-rl/attempts/*.parquet`", RL_SCHEMA, (RLAttempt, Attempt, Verdict)),
    ("`2-solutions.parquet`", SOLUTION_SCHEMA, (Solution,)),
)  # fmt: skip
"""Where the files are, their columns, and the records that these are fields of."""


def record(title: str, row: type, *, level: int) -> Iterator[str]:
    """A heading, what a row is, and a table of its columns."""
    yield f"{'#' * level} {title}\n"
    yield f"{markdown(paragraphs(row))}\n"
    hints = get_type_hints(row)
    known = meanings(row)
    yield from table([(one.name, words(hints[one.name]), meaning(row, one.name, known))
                      for one in fields(row)])  # fmt: skip


def table(rows: list[tuple[str, str, str]]) -> Iterator[str]:
    """Columns with type and meaning."""
    yield "| column | type | meaning |\n|---|---|---|"
    for row in rows:
        yield "| `{}` | {} | {} |".format(*(cell.replace("|", r"\|") for cell in row))
    yield ""


def meaning(row: type, name: str, known: dict[str, str]) -> str:
    """Of one column. Raises KeyError when nobody says."""
    if name not in known and name not in SHARED:
        raise KeyError(f"{row.__module__}.{row.__name__}.{name}: say in its docstring what it is")
    text = markdown(known.get(name) or SHARED[name]).rstrip(".")
    return text[:1].upper() + text[1:]


def stored(name: str, homes: tuple[type, ...]) -> str:
    """What a parquet column means: as the first record says that has such a field."""
    for home in homes:
        if name in {one.name for one in fields(home)}:
            return meaning(home, name, meanings(home))
    raise KeyError(name)


ENTRY = re.compile(r"^((?:\w+)(?:, \w+)*):\s+(.*)$")


def meanings(row: type) -> dict[str, str]:
    """Column -> its meaning, from the docstring and the texts below fields, of bases too."""
    found: dict[str, str] = {}
    for one in reversed(row.__mro__):
        if is_dataclass(one):
            found |= entries(one) | below(one)
    return found


def entries(row: type) -> dict[str, str]:
    """``name: meaning`` of the docstring; further lines of an entry are indented."""
    found: dict[str, str] = {}
    names: list[str] = []
    for line in inspect.cleandoc(row.__doc__ or "").splitlines():
        start = ENTRY.match(line)
        if start:
            names = start[1].split(", ")
            found |= dict.fromkeys(names, start[2])
        elif line.startswith(" ") and names:
            found |= {name: f"{found[name]} {line.strip()}" for name in names}
        else:
            names = []
    own = {one.name for one in fields(row)}
    return {name: text for name, text in found.items() if name in own}


def below(row: type) -> dict[str, str]:
    """Texts that stand below fields in the source."""
    (tree,) = ast.parse(inspect.getsource(row)).body
    assert isinstance(tree, ast.ClassDef)
    pairs = zip(tree.body, tree.body[1:], strict=False)
    return {
        ast.unparse(field.target): " ".join(ast.literal_eval(text.value).split())
        for field, text in pairs
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr)
    }


def paragraphs(row: type) -> str:
    """The docstring without its entries and its example."""
    kept = []
    for text in inspect.cleandoc(row.__doc__ or "").split("\n\n"):
        lines = text.splitlines()
        if not ENTRY.match(lines[0]) and not lines[0].startswith("Example"):
            kept.append(" ".join(lines))
    return "\n\n".join(kept)


def inner_records(row: type) -> list[type]:
    """Records within a row, but for scores, which every table has."""
    found: list[type] = []

    def look(hint: object) -> None:
        if is_dataclass(hint) and hint is not Score and hint not in found:
            assert isinstance(hint, type)
            found.append(hint)
        for part in get_args(hint):
            look(part)

    for hint in get_type_hints(row).values():
        look(hint)
    return found


def words(hint: object) -> str:
    """A type in words."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        some = [part for part in parts if part is not type(None)]
        last = ", or nothing" if any(map(get_args, some)) else " or nothing"
        return " or ".join(map(words, some)) + last * (len(some) < len(parts))
    if origin is Literal:
        return ", ".join(f"`{part}`" for part in parts)
    if origin in JOINED:
        before, between = JOINED[origin]
        return before + between.join(map(words, parts))
    assert isinstance(hint, type)
    return WORDS.get(hint) or re.sub(r"(?<!^)(?=[A-Z])", " ", hint.__name__).lower()


def kind(arrow: pa.DataType) -> str:
    """A type of parquet in the same words."""
    if pa.types.is_boolean(arrow):
        return WORDS[bool]
    if pa.types.is_floating(arrow):
        return WORDS[float]
    return WORDS[int] if pa.types.is_integer(arrow) else WORDS[str]


def markdown(text: str) -> str:
    """A docstring's double backticks as Markdown's."""
    return re.sub(r"\bNone\b", "nothing", text.replace("``", "`")).replace("->", "→")


if __name__ == "__main__":
    main()
