"""The texts in which an operation can be asked, by surface. Data, but for one function.

Fields in braces are numbers that the operation shows, ``name`` a person and ``things`` a plural.
"""

import re
from collections.abc import Iterator

NAMES = ("Ann", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gita", "Hugo")
THINGS = ("pens", "apples", "shells", "stamps", "beads", "cards", "nuts", "coins")

WORDS: dict[str, tuple[str, ...]] = {
    "product": (
        "A hall has {a} rows of {b} chairs. How many chairs are there?",
        "{name} packs {a} bags with {b} {things} each. How many {things} in all?",
        "What is {a} times {b}?",
    ),
    "unknown": (
        "{name} thinks of a number, multiplies it by {a} and adds {b}. "
        "The result is {c}. What is the number?",
        "{a} equal bags and {b} loose {things} make {c} {things}. How many are in a bag?",
        "{a} times a number plus {b} is {c}. Find the number.",
    ),
    "price": (
        "{n} {things} cost {c} cents. What do {m} {things} cost?",
        "{name} walks {c} metres in {n} minutes. How many metres in {m} minutes?",
        "{n} bags hold {c} {things}. How many {things} do {m} bags hold?",
    ),
    "series": (
        "Of {n} rows the first has {a} seats, the last {z}, and they grow evenly. How many seats?",
        "{name} saves {a} cents in week 1, evenly more up to {z} in week {n}. How many cents?",
        "Add {n} numbers that grow evenly from {a} to {z}. What is the total?",
    ),
    "rule": (
        "Start with {x}. 2 times, double it and add {c}. What comes out?",
        "{name} has {x} {things}. Each day they double and {c} more come. How many after 2 days?",
        "Double {x} and add {c}, and do so 2 times in all. What is the result?",
    ),
    "sum": (
        "{name} has {a} {things} and finds {b} more. How many now?",
        "What is {a} plus {b}?",
        "A bag holds {a} red and {b} blue {things}. How many in all?",
    ),
}
"""The in-domain surface."""

EQUATIONS: dict[str, tuple[str, ...]] = {
    "product": ("{a} * {b} = ?",),
    "unknown": ("{a} * ? + {b} = {c}",),
    "price": ("{n} : {c} = {m} : ?",),
    "series": ("{a} + {b} + ... + {z} ({n} terms) = ?",),
    "rule": ("x = {x}, 2 times x = 2 * x + {c}, x = ?",),
    "sum": ("{a} + {b} = ?",),
}

CODE: dict[str, tuple[str, ...]] = {
    "product": ("print({a} * {b})",),
    "unknown": ("for x in range(999): if {a} * x + {b} == {c}: print(x)",),
    "price": ("print({c} * {m} // {n})",),
    "series": ("print(sum(range({a}, {stop}, {d})))",),
    "rule": ("x = {x}; for i in range(2): x = 2 * x + {c}; print(x)",),
    "sum": ("print({a} + {b})",),
}

ASIDES = (
    "It was day {u} of a warm month.",
    "The shop next door has {u} windows.",
    "{name} is {u} years old.",
    "A train with {u} cars went by.",
    "The clock in the hall was {u} minutes late.",
)
"""Sentences of a story that have nothing to do with what is asked."""

HEADS = {"code": "What does each program print?\n", "equations": "Solve.\n"}
"""First line of a question on a surface."""


def spelled_out() -> Iterator[str]:
    """Every wording with every name and thing, its numbers replaced by 1."""
    parts = [
        text for table in (WORDS, EQUATIONS, CODE) for texts in table.values() for text in texts
    ]
    lines = [*(f"Part 1: {text}" for text in parts), *(f"{aside} Part 1" for aside in ASIDES)]
    for line in (*lines, *HEADS.values()):
        plain = re.sub(r"\{(?!name|things)\w+\}", "1", line)
        for name, things in zip(NAMES, THINGS, strict=True):
            yield plain.replace("{name}", name).replace("{things}", things)
