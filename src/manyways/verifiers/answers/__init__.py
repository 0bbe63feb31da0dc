"""Are two answers the same? Everything that compares answers, behind one door.

``decide`` is the first step: cheap, exact, in the caller's own process. ``same_answer`` is the
second: it may parse, so it only ever runs in a worker process. The door compares plain integers and
tuples of them, the commonest answers, itself: what reads other spellings is loaded when one is met.
"""

import re

END_MARK = re.compile(
    r"</?(?:s|answer|final|b|strong|i|em|u|p|span|code|sup|div|center)>|<\|[\w ]{1,30}\|>"
    r"|\\checkmark(?![a-zA-Z])", re.I,
)  # fmt: skip
"""Tokens that end a text and marks of HTML, also in the middle: never part of an answer."""
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_TUPLE = re.compile(r"\(\s*-?[0-9]{1,18}(?:\s*,\s*-?[0-9]{1,18})+\s*\)")
_ROW = re.compile(r"\(?\s*-?[0-9]{1,18}(?:\s*,\s*-?[0-9]{1,18})*\s*,?\s*\)?")
_ITEM = re.compile(r"-?[0-9]+")

Outcome = tuple[bool, str]
"""(equal?, the rule that decided)."""


def decide(gold: str, answer: str) -> Outcome | None:
    """Whether the two are the same answer, or None when the first step cannot prove either."""
    if _INTEGER.fullmatch(gold) and _INTEGER.fullmatch(answer):
        return int(gold) == int(answer), "integer"
    row = _against_tuple(gold, answer) if _TUPLE.fullmatch(gold) else None
    if row is not None:
        return row
    from manyways.verifiers.answers.quick import decide_written

    return decide_written(gold, answer)


def same_answer(gold: str, answer: str) -> tuple[bool | None, str]:
    """Equal or not, and the rule; None with a reason when it cannot be told. ``full`` has it."""
    from manyways.verifiers.answers import full  # the parser's libraries take a second to import

    return full.same_answer(gold, answer)


def _against_tuple(gold: str, answer: str) -> Outcome | None:
    """Pairs and triples of integers, the commonest answers that are not numbers."""
    if gold == answer:
        return True, "tuple"
    if not _ROW.fullmatch(answer):
        return None
    equal = [int(i) for i in _ITEM.findall(gold)] == [int(i) for i in _ITEM.findall(answer)]
    balanced = answer.count("(") == answer.count(")")
    return (equal, "tuple") if balanced or not equal else None
