"""The first step of the comparison: exact, bounded, and silent when it cannot prove anything.

Runs in the caller's own process on text that a model wrote, so it holds nothing but string
comparison and fractions of bounded size: no parser, no sympy, no evaluation.
"""

import re

from manyways.verifiers.numbers import read_number, same_number
from manyways.verifiers.tidy import drop_units, squeeze, tidy

MAX_LENGTH = 600
"""Longer answers are left to the worker."""

_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_TUPLE = re.compile(r"\(\s*-?[0-9]{1,18}(?:\s*,\s*-?[0-9]{1,18})+\s*\)")
_ROW = re.compile(r"\(?\s*-?[0-9]{1,18}(?:\s*,\s*-?[0-9]{1,18})*\s*,?\s*\)?")
_ITEM = re.compile(r"-?[0-9]+")

Outcome = tuple[bool, str]
"""(equal?, the rule that decided)."""


def decide(gold: str, answer: str) -> Outcome | None:
    """Whether the two are the same answer, or None when this step cannot prove either."""
    if _INTEGER.fullmatch(gold):
        if _INTEGER.fullmatch(answer):
            return int(gold) == int(answer), "integer"
    elif _TUPLE.fullmatch(gold):
        return _against_tuple(gold, answer)
    if not answer or len(gold) > MAX_LENGTH or len(answer) > MAX_LENGTH:
        return None
    gold, answer = tidy(gold), tidy(answer)
    if gold == answer or squeeze(gold) == squeeze(answer):
        return True, "identical"
    return _numbers(gold, answer)


def _against_tuple(gold: str, answer: str) -> Outcome | None:
    if gold == answer:
        return True, "tuple"
    if not _ROW.fullmatch(answer):
        return None
    same = [int(item) for item in _ITEM.findall(gold)] == [
        int(item) for item in _ITEM.findall(answer)
    ]
    return (same, "tuple") if _TUPLE.fullmatch(answer) or not same else None


def _numbers(gold: str, answer: str) -> Outcome | None:
    gold, gold_unit = drop_units(gold)
    answer, unit = drop_units(answer)
    left = read_number(_packed(gold))
    right = read_number(_packed(answer)) if left else None
    if left is None or right is None:
        return None
    if gold_unit and unit and gold_unit != unit and left.value:
        return False, "units differ"
    return same_number(left, right), "number"


_MIXED = re.compile(r"([0-9])\s+(?=[0-9]+/|\\frac)")


def _packed(text: str) -> str:
    """Without spaces, except that a mixed number keeps its whole part apart from the rest."""
    if " " not in text:
        return text
    mixed = re.fullmatch(r"([-+]?)([0-9]+) ([0-9]+)/([0-9]+)", text)
    if mixed:
        return rf"{mixed[1]}{mixed[2]}\frac{{{mixed[3]}}}{{{mixed[4]}}}"
    if re.search(r"[0-9.] +[0-9]", text):
        grouped = re.fullmatch(r"[-+]?[0-9]{1,3}(?: [0-9]{3})+(?:\.[0-9]+)?", text)
        frac = re.fullmatch(r"[-+]?\\frac ?[0-9] ?[0-9]", text)
        return text.replace(" ", "") if grouped or frac else text
    return text.replace(" ", "")
