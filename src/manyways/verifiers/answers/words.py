r"""Answers that are words: names, months, "two lines", option letters, times of day.

Compared without regard to case, quotes, brackets around a single letter, and a leading article.
``\text{4 hours}`` is not words but a number with a unit.
"""

import re

from manyways.verifiers.answers.numbers import number_word
from manyways.verifiers.answers.spelling import unwrap_text
from manyways.verifiers.answers.unit_names import UNITS

_TEXT = re.compile(r"\(?\\(?:text|textbf|textrm|mbox|mathrm|textit|textnormal|mathbf)\{")
_NUMERAL = re.compile(r"-?[0-9]+(?:\.[0-9]+)?|-?\\frac\{[0-9]+\}\{[0-9]+\}")
_WORD = re.compile(r"[a-zA-Z]{3,}")
_NOT_PROSE = re.compile(r"[=^_+*/\\<>{}|&]|[0-9][a-zA-Z]")
_TIME = re.compile(r"([0-9]{1,2})\s*:\s*([0-9]{2})(?:\s*:\s*([0-9]{2}))?\s*([ap])?\.?\s*(?:m\.?)?")
_HOUR = re.compile(r"([0-9]{1,2})()()\s*([ap])\.?\s*m\.?")
_ARTICLE = re.compile(r"(?:(?:on|in|at|by|to|from|towards)\s+)?(?:(?:an?|the)\s+)?(?=.)")
_SPOKEN_HALF = (
    (re.compile(r"\s*(?:in\s+the\s+(?:afternoon|evening)|at\s+night)"), " pm"),
    (re.compile(r"\s*in\s+the\s+morning"), " am"),
    (re.compile(r"\s*o'?\s*clock"), ":00"),
    (re.compile(r"^(?:12\s*)?(?:noon|midday)$"), "12:00 pm"),
    (re.compile(r"^(?:12\s*)?midnight$"), "12:00 am"),
)
_MONTHS = (
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
)  # fmt: skip
_MONTH = rf"({'|'.join(_MONTHS)})[a-z]*\.?"
_DAY = r"([0-9]{1,2})(?:st|nd|rd|th)?"
_DATES = (
    re.compile(rf"{_MONTH}\s+(?:the\s+)?{_DAY}(?:,?\s+([0-9]{{4}}))?"),
    re.compile(rf"(?:the\s+)?{_DAY}\s+(?:of\s+)?{_MONTH}(?:,?\s+([0-9]{{4}}))?"),
)
_SAID = re.compile(
    r"(?<![\w])(?:is|it's|that's|are|was|were|be|so|therefore|hence|thus|choose|chose|answer|option|choice)(?![\w])\s*:?,?\s+",
    re.I,
)
_DENIED = re.compile(r"(?<![\w])(?:not|never|no|neither|nor|or|cannot)(?![\w])|n't", re.I)
_PUNCTUATION = re.compile(r"[^\w\s:.]|(?<![0-9])\.|\.(?![0-9])")
_OPTION = re.compile(r"[A-E]")
_OPTION_AND_TEXT = re.compile(r"\(([A-Z])\)\s*\S|([A-Z])[.):]\s+\S")
_LETTER = re.compile(r"\(?\s*([A-Za-z])\s*\)?\.?")


def same_words(gold: str, answer: str) -> bool | None:
    """Are they the same words? None when the reference is not made of words."""
    if _OPTION.fullmatch(gold) and gold.lower() in (
        answer.lower(), _lettered(answer), plain(_end_of_sentence(answer))
    ):  # fmt: skip
        return True
    times = _time(gold), _time(answer)
    lone = _HOUR.fullmatch(gold.lower())  # 2pm may be a product
    if times[0] and (times[1] or not lone) and (times[1] or times[0][1] == "00" or times[0][3]):
        return times[1] is not None and _same_time(times[0], times[1])
    number = number_word(unwrap_text(gold)) or number_word(unwrap_text(answer))
    if number is not None:
        both = {number_word(unwrap_text(text)) or text.strip() for text in (gold, answer)}
        return True if len(both) == 1 else None
    if not is_words(gold):
        return False if _NUMERAL.fullmatch(gold) and is_words(answer) else None
    return _same_prose(gold, answer)


def _same_prose(gold: str, answer: str) -> bool | None:
    dates = _date(gold), _date(answer)
    if dates[0] and dates[1]:
        return dates[0] == dates[1]
    left, right = plain(gold), plain(answer)
    said = left and left == plain(_end_of_sentence(answer))
    if said or left == right or left == _lettered(answer) or right == _lettered(gold):
        return True
    return False if is_words(answer) or len(left) > 1 else None


def is_words(text: str) -> bool:
    """Is a tidied answer prose rather than maths?"""
    bare = unwrap_text(text).strip()
    if _NOT_PROSE.search(bare):
        return False
    if _TEXT.match(text):
        return not bare[:1].isdigit()
    words = (word.lower() for word in _WORD.findall(bare))
    return any(word not in UNITS and word not in ("and", "or") for word in words)


def plain(text: str) -> str:
    """The words alone: lower case, no punctuation, no article."""
    text = unwrap_text(text).strip()
    letter = _LETTER.fullmatch(text)
    if letter:
        return letter[1].lower()
    text = " ".join(_PUNCTUATION.sub(" ", text.casefold()).split())
    return _ARTICLE.sub("", text, count=1)


def _end_of_sentence(text: str) -> str:
    """``a Saturday`` of ``It is a Saturday``; "" where it says no or leaves a choice."""
    said = list(_SAID.finditer(unwrap_text(text)[:300]))
    rest = unwrap_text(text)[said[-1].end() :] if said else ""
    return "" if _DENIED.search(rest) else rest


def _date(text: str) -> tuple[int, str, str] | None:
    """(month, day, year) of ``March 5``, ``5 March``, ``the 5th of March``."""
    text = unwrap_text(text).lower().strip(" .")
    for place, pattern in enumerate(_DATES):
        found = pattern.fullmatch(text) if any(map(str.isdigit, text)) else None
        if found:
            month, day = (found[1], found[2]) if place == 0 else (found[2], found[1])
            return _MONTHS.index(month), day.lstrip("0"), found[3] or ""
    return None


def _lettered(text: str) -> str:
    """The letter of ``(D) Alina`` or ``D. Alina``, "" when it does not begin so."""
    found = _OPTION_AND_TEXT.match(unwrap_text(text).strip())
    return (found[1] or found[2]).lower() if found else ""


def _time(text: str) -> tuple[str, ...] | None:
    text = " ".join(unwrap_text(text).replace("\\", " ").lower().split())
    for pattern, half in _SPOKEN_HALF:
        text = pattern.sub(half, text)
    found = _TIME.fullmatch(text) or _HOUR.fullmatch(text)
    if found is None:
        return None
    hour, minute, second, half = found.groups()
    number = int(hour)
    if half is None and (number == 0 or 12 < number < 24):  # of the 24-hour clock
        number, half = (number - 12, "p") if number else (12, "a")
    return (str(number), minute or "00", second or "00", half or "")


def _same_time(gold: tuple[str, ...], answer: tuple[str, ...]) -> bool | None:
    """A time that leaves out a.m. or p.m. is taken to mean the other's. 1:24 may be a ratio."""
    if gold[:3] == answer[:3] and (gold[3] == answer[3] or not (gold[3] and answer[3])):
        return True
    return False if gold[3] or answer[3] or "00" in (gold[1], answer[1]) else None
