"""Comparison of two answers. Other modules use ``decide`` and ``same_answer``.

``decide`` is the first step: it is cheap and exact, and runs in the caller's process.
``same_answer`` is the second step: it may parse, so it only runs in a worker process. This module
itself compares plain integers and tuples of them, the most common answers. The modules for other
spellings are imported when such an answer comes.
"""

import re

END_MARK = re.compile(
    r"</?(?:s|answer|final|b|strong|i|em|u|p|span|code|sup|div|center)>|<\|[\w ]{1,30}\|>"
    r"|\\checkmark(?![a-zA-Z])", re.I,
)  # fmt: skip
"""Tokens that end a text, and tags of HTML. They are never part of an answer."""
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_TUPLE = re.compile(r"\(\s*-?[0-9]{1,18}(?:\s*,\s*-?[0-9]{1,18})+\s*\)")
_ROW = re.compile(r"\(?\s*-?[0-9]{1,18}(?:\s*,\s*-?[0-9]{1,18})*\s*,?\s*\)?")
_ITEM = re.compile(r"-?[0-9]+")

Outcome = tuple[bool, str]
"""(equal?, the rule that decided)."""


def decide(gold: str, answer: str) -> Outcome | None:
    """(whether the two are the same answer, the rule); None if the first step cannot prove it."""
    if _INTEGER.fullmatch(gold) and _INTEGER.fullmatch(answer):
        return int(gold) == int(answer), "integer"
    row = _against_tuple(gold, answer) if _TUPLE.fullmatch(gold) else None
    if row is not None:
        return row
    from manyways.verifiers.answers.quick import decide_written

    return decide_written(gold, answer)


def same_answer(gold: str, answer: str) -> tuple[bool | None, str]:
    """(whether the two are the same answer, the rule), by ``full``; (None, why) if undecided."""
    from manyways.verifiers.answers import full  # the parser's libraries take a second to import

    return full.same_answer(gold, answer)


def _against_tuple(gold: str, answer: str) -> Outcome | None:
    """Compare with a tuple of integers, the most common kind of answer that is not a number."""
    if gold == answer:
        return True, "tuple"
    if not _ROW.fullmatch(answer):
        return None
    equal = [int(i) for i in _ITEM.findall(gold)] == [int(i) for i in _ITEM.findall(answer)]
    balanced = answer.count("(") == answer.count(")")
    return (equal, "tuple") if balanced or not equal else None
