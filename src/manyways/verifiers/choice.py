r"""Multiple choice: the answer is an option's letter, or its text.

``B``, ``(B)``, ``B.``, ``\text{(B)}``, ``option B``, ``B) the pantry`` and ``the pantry`` all name
the second option. A letter followed by the text of another option names none.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from manyways.records import Problem, Verdict
from manyways.verifiers.answers import decide
from manyways.verifiers.final_answer import Extraction, Form, Policy, candidates, reference

_LETTER = re.compile(
    r"(?i:option|choice|answer)?\s*[(\[]?\s*([A-Za-z])\s*[)\]]?\s*(?:[.:,)\-]+\s*(.*)|\s+(.*))?",
    re.S,
)

_LETTERS = re.compile(r"[(\[]?[A-Za-z][)\].:]*(?:\s*(?:,|;|/|&|and|or|\s)\s*[(\[]?[A-Z][)\].:]*)+")
_REASON = re.compile(
    r",?\s*\b(?:because|since|as|so|not|while|whereas|rather|but|for|"
    r"is\s+(?:correct|right|true|the|best))\b|\s[-–—]\s",
    re.I,
)
_FORMULA = re.compile(r"[0-9\\^=]")
_DENIED = re.compile(r"\b(?:not|never|no|neither|nor|cannot|isn t|wasn t|didn t|except)\b")
_SEVERAL = "several letters"
_GUESSED = ("whole", "is", "last formula", "last number", "letter")
_UNNAMED = ("",) * 5
"""A problem without option texts is taken to have five options."""


def verify(
    problem: Problem, text: str, *, policy: Policy = "strict", form: Form = "boxed"
) -> Verdict:
    """Compare the option that the final answer of ``text`` names with the reference."""
    choices = problem.choices
    gold = _named_by(reference(problem.answer), choices)
    first: tuple[Extraction, str] | None = None
    for found in candidates(text, policy=policy, form=form, choices=choices or _UNNAMED):
        named, rule = option(found.answer[:2000], choices)
        first = first or (found, rule)
        if rule == _SEVERAL:
            return Verdict(status="no_answer", answer=found.answer, rule=f"{found.rule}/{rule}")
        if named:
            return _verdict(named == gold, found, rule)
    if policy == "lenient" and (first is None or first[0].rule in _GUESSED):
        named = _mentioned(text, choices)
        if named:
            return _verdict(named == gold, Extraction(answer=named, rule="mention"), "option text")
    return _verdict(False, *first) if first else Verdict(status="no_answer", rule="none")


def _verdict(correct: bool, found: Extraction, rule: str) -> Verdict:
    status: Literal["correct", "wrong"] = "correct" if correct else "wrong"
    return Verdict(status=status, answer=found.answer, rule=f"{found.rule}/{rule}")


def _named_by(reference_: str, choices: Sequence[str]) -> str:
    """The letter of a reference, which may be ``C Cecile`` if the problem has no option texts."""
    return option(reference_, choices)[0] or _leading_letter(reference_)


def _mentioned(text: str, choices: Sequence[str]) -> str:
    """The letter of the one option whose text is in ``text``; "" for none, several or a denial."""
    said = _words(text[-2000:])
    if _DENIED.search(said):
        return ""
    there = [i for i, choice in enumerate(choices) if f" {_words(choice)} " in f" {said} "]
    return chr(ord("A") + there[0]) if len(there) == 1 else ""


def option(answer: str, choices: Sequence[str]) -> tuple[str, str]:
    """(the letter that ``answer`` names or "", the rule that found it)."""
    if len(answer) == 1 and "A" <= answer <= "Z" and ord(answer) - 65 < (len(choices) or 26):
        return answer, "letter"
    from manyways.verifiers.answers.spelling import tidy, unwrap_text  # most name the letter alone

    plain = unwrap_text(tidy(answer)).strip(" .*$\"'")
    letters = {_words(text): chr(ord("A") + i) for i, text in enumerate(choices)}
    by_text = letters.get(_words(plain), "")
    if by_text and len(plain) > 1:
        return by_text, "option text"
    plain = _REASON.split(plain, maxsplit=1)[0].strip(" .*$\"',-–—")
    match = _LETTER.fullmatch(plain)
    if match is None:
        return _by_value(answer, choices)
    return ("", _SEVERAL) if _LETTERS.fullmatch(plain) else _lettered(match, letters, len(choices))


def _lettered(match: re.Match[str], letters: Mapping[str, str], options: int) -> tuple[str, str]:
    """The letter that an answer begins with, unless the rest contradicts it."""
    plain, letter, rest = match.string, match[1].upper(), _words(match[2] or match[3] or "")
    if options and ord(letter) - ord("A") >= options:
        return "", "no such option"
    marked = plain[:1] in "([" or plain[1:2] == ")"
    if match[3] is not None and rest not in letters and not marked:
        return "", "no option"
    disagree = rest and letters.get(rest, letter) != letter
    return ("", "letter and text disagree") if disagree else (letter, "letter")


def _by_value(answer: str, choices: Sequence[str]) -> tuple[str, str]:
    """The one option with the same number or expression: ``3.50`` is the option 3.5."""
    formulas = [i for i, choice in enumerate(choices) if _FORMULA.search(choice)]
    equal = [i for i in formulas if (decide(choices[i], answer) or (False,))[0]]
    return (chr(ord("A") + equal[0]), "option value") if len(equal) == 1 else ("", "no option")


def _leading_letter(reference: str) -> str:
    """The letter of a reference like ``C Cecile``, for a problem without option texts."""
    found = re.match(r"\s*([A-Z])\s+[A-Z]", reference)
    return found[1] if found else ""


def _words(text: str) -> str:
    return " ".join(re.sub(r"[^\w]+", " ", text.casefold()).split())
