r"""What is around a number: its unit, its scale, nouns, and the words of a sentence.

``5.4 \text{ cents}`` is ``5.4``, ``90^\circ`` is ``90``, ``\$18.90`` is ``18.90``, ``52_8`` is
``52``, ``5 \text{ million}`` is ``5000000``, ``Bo has 42 marbles`` is ``42``. What was removed is
returned too, so that answers with different units ("5 cm", "5 m"), currencies, bases or things ("5
red", "5 blue") are not called equal. Units are never converted.
"""

import itertools
import re
from dataclasses import dataclass
from fractions import Fraction

from manyways.verifiers.answers.numbers import Number, read_number
from manyways.verifiers.answers.spelling import unwrap_text
from manyways.verifiers.answers.words import AMBIGUOUS, UNITS, number_word, scale_of, unit_name


def _words_of(text: str) -> list[str]:  # the linter would turn a literal's split() into a list
    return text.split()


_GENERIC = frozenset(
    _words_of("""
    total all in the a an of and is are it its so answer exactly only just there were
""")
)
_COUNTED = frozenset(_words_of("value number way time integer solution"))
"""General names for anything that is counted."""
_FILLERS = frozenset(
    _words_of("""
    each left long wide tall high deep old more less fewer away apart altogether together overall
    per ea exactly approximately about roughly around for on at by to with
""")
)
"""Words that may follow a number with a unit without naming another thing."""
_SMALL_WORDS = frozenset(
    _words_of("""
    a i an as at be by do go he if in is it me my of on so to up us we le la un en et de al el
    per am pm das der die
""")
)
_MONEY = {
    "$": "dollar", "€": "euro", "£": "pound-sterling", "¥": "yen", "₹": "rupee", "₩": "won",
    "₽": "rouble", "¢": "cent",
}  # fmt: skip
_MONEY_WORD = re.compile(
    r"(US\s*\$|USD|EUR|GBP|JPY|CNY|RMB|INR|Rs\.?|CHF|KRW|[$€£¥₹₩₽])\s*(?=[-0-9.])"
)

# Words that make another number of the one they stand beside.
_CHANGE = re.compile(
    r"(?<![^\W\d_])(?:or|not|no|never|nor|without|cannot|n't|twice|double|triple|half|squared|cubed|"
    r"factorial|plus|minus|negative|between|except|than|oder|ou|или|about half|nearly|almost|"
    r"at\s+(?:least|most)|up\s+to|times\s+[^\W\d_]|square\s+root|root|reciprocal|inverse|wrong|"
    r"false|incorrect|if|to\s+the|power|exceed\w*|log|mod|modulo|instead|maximum\s+of|minimum\s+of|none|repeating|recurring|"
    r"(?:divided|multiplied|increased|decreased|reduced)\s+by)"
    r"(?![^\W\d_])|n't(?![^\W\d_])|[或不未非超以负半倍]|分之|平方(?!米|厘米|千米|公里)",
    re.I,
)
_BEFORE = re.compile(
    r"(?:times|over|under|above|below|beyond|past|until|mehr|más|mais|plus|minus)\s*$", re.I
)
_AFTER = re.compile(
    r"\s*(?:below|above|under|beneath|over(?!\s+the)|and\s+(?:a\s+)?[a-z]+(?:th|rd|half))(?![a-z])",
    re.I,
)
_LEFT_OVER = re.compile(r"\bleft[\s-]*over\b|\bin\s+no\s+time\b", re.I)

_DEC = (
    r"(?:(?:[1-9][0-9]{0,2}(?:,[0-9]{3})+|[1-9][0-9]{0,2}(?: [0-9]{3})+(?![0-9])|[0-9]+)"
    r"(?:\.[0-9]+)?|\.[0-9]+)"
)
_FRACTION = r"(?:\\frac\{-?[0-9.]{1,20}\}\{[0-9.]{1,20}\})"
NUMERAL = re.compile(
    rf"(?<![A-Za-z0-9_^{{\\.])(?<![{{^]-)"
    rf"[-+]?\s?(?:[0-9]+\s?{_FRACTION}|{_FRACTION}|[0-9]+ [0-9]+/[0-9]+"
    rf"|{_DEC}/[0-9.]*[0-9]|[0-9]*\.[0-9]*\\overline\{{[0-9]+\}}"
    rf"|{_DEC}(?:\s*(?:\\times|\\cdot)\s*10\s*\^\s*(?:\{{\s*-?[0-9]+\s*\}}|-?[0-9]+)|[eE][-+]?[0-9]+)?)"
    r"(?:\s?%)?"
)
_UNIT_FRACTION = re.compile(
    r"\\frac\s*\{((?:[^{}0-9]|\^[0-9]){1,30})\}\s*\{((?:[^{}0-9]|\^[0-9]){1,30})\}"
)
_ACRONYMS = re.compile("[A-Z]{2,}s")
_MIXED = re.compile(r"(?<![0-9.])([0-9]+) and ([0-9]+/[0-9]+)(?![0-9])")
_ORDINAL = re.compile(r"(?<=[0-9])(?:st|nd|rd|th)(?![a-zA-Z])")
_PERCENT = re.compile(r"^\s*(?:per\s*cent|percent(?:age)?(?:\s+points?)?|pct)(?![a-z])", re.I)
_SYLLABLE = r"(?:[^\W\d_][\u0300-\u036f\u064b-\u065f\u0900-\u0dff\u0e00-\u0eff]*)+"
_WORD = re.compile(rf"{_SYLLABLE}(?:['’-]{_SYLLABLE})*")
_SPOKEN = re.compile(r"[a-zA-Z]+|[零〇一二三四五六七八九两十百千万萬亿億]+")
_NOISE = re.compile(
    r"[\s.,:;!?()\[\]\"'’`*~]+|[-–—](?=\s*[^\W\d_])|\\(?:quad|qquad|ldots|dots)|\.\.\."
)
_PROSE = re.compile(rf"(?:{_WORD.pattern}|{_NOISE.pattern}|[°{''.join(_MONEY)}/])*")
_CALLED = re.compile(r"(?<![^\W\d_])[^\W\d_]\(\s*$")
_LETTERS = "abcdefghijklmnopqrstuvwxyz-"
_NON_ASCII = re.compile(r"[^\x00-\x7f]")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with what it counts or measures.

    unit:  the one name of its unit, "" without a known unit.
    nouns: other words about it, in lower case.
    """

    number: Number
    unit: str
    nouns: frozenset[str]


def same_thing(gold: "Quantity", answer: "Quantity") -> bool:
    """Whether the two may be about the same thing. One without unit and nouns matches all."""
    if gold.unit and answer.unit:
        power = gold.unit.lstrip(_LETTERS), answer.unit.lstrip(_LETTERS)
        any_unit = "unit" in (gold.unit.rstrip("23"), answer.unit.rstrip("23"))
        return gold.unit == answer.unit or (any_unit and power[0] == power[1])
    if gold.unit:
        return not answer.nouns - _FILLERS
    if not gold.nouns or not (answer.unit or answer.nouns):
        return True
    if answer.unit:
        return answer.unit == "unit"
    one, two = gold.nouns - _COUNTED, answer.nouns - _COUNTED
    return one <= two or two <= one


def read_quantities(text: str, *, sure: bool) -> list[Quantity] | None:
    """The quantities in a tidied text; None when it contains anything else.

    ``42 marbles`` is one quantity, ``2 h 30 min`` two, and ``30 dollars and 0 cents`` one.

    sure: read a letter as a unit only if it can be nothing else. For references, in which a letter
        is a variable.
    """
    if len(text) > 600 or "=" in text or "\\begin" in text:
        return None
    plain = _plain(text)
    if not any(map(str.isdigit, plain)):
        plain = _digits_for_words(plain)
    found = list(NUMERAL.finditer(plain))
    if not found or len(found) > 3:
        return None
    ends = [*(match.start() for match in found[1:]), len(plain)]
    read = []
    for i, (match, end) in enumerate(zip(found, ends, strict=True)):
        before = plain[: match.start()] if i == 0 else ""
        after = plain[match.end() : end]
        quantity = _quantity(match.group(), before, after, sure=sure)
        if quantity is None or (after[:1] == "!" and not before.strip(" $")):
            return None
        read.append(quantity)
    if len(read) > 1 and not all(quantity.unit for quantity in read):
        return None
    if [quantity.unit for quantity in read] == ["hour", "meter"]:  # 2h 30m
        read[1] = Quantity(read[1].number, "minute", frozenset())
    return [quantity for quantity in read if quantity.number.value] or read[:1]


def _plain(text: str) -> str:
    if "\\mu" in text:
        text = re.sub(
            r"\\mu(?![a-zA-Z])\s*(?:\\(?:text|mathrm)\s*\{\s*)?(?=[a-zA-Z])", r"\\text{μ", text
        )
    text = unwrap_text(text.replace("\\text", " \\text").replace("\\mathrm", " \\mathrm"))
    if "\\frac" in text:
        text = _UNIT_FRACTION.sub(r" \1/\2", text)
    text = _MIXED.sub(r"\1 \2", text)
    return _ORDINAL.sub("", text.replace("\\$", "$").replace("^\\circ", " °").replace("{}", ""))


def _digits_for_words(text: str) -> str:
    """``12 apples`` for ``twelve apples``; the text itself unless it has exactly one number."""
    words = list(_SPOKEN.finditer(text))
    runs: list[tuple[int, int, str]] = []
    place = 0
    while place < len(words):
        for end in range(min(place + 10, len(words)), place, -1):
            start, stop = words[place].start(), words[end - 1].end()
            digits = number_word(text[start:stop])
            if digits is not None:
                runs.append((start, stop, digits))
                place = end - 1
                break
        place += 1
    if len(runs) > 1:
        runs = [run for run in runs if run[2] != "1"]
    if len(runs) != 1:
        return text
    start, stop, digits = runs[0]
    return f"{text[:start]}{digits}{text[stop:]}"


def _quantity(numeral: str, before: str, after: str, *, sure: bool) -> Quantity | None:
    if not before.strip() and after[:1].isspace():  # the commonest: 42 \text{ dollars}
        measured, number = unit_name(after, sure=sure), read_number(numeral.replace(" ", ""))
        if measured and number and " " not in numeral.strip():
            return Quantity(number, measured, frozenset())
    money = _MONEY_WORD.search(before + "0")
    unit = ""
    if money and money.end() >= len(before):
        before, word = before[: money.start()], "".join(money[1].split()).rstrip(".")
        unit = _MONEY.get(word[-1]) or UNITS[word]
    spoken = _LEFT_OVER.sub(" ", f"{before} \x00{after}")
    before, _, after = spoken.partition("\x00")
    numeral, before = _negated(numeral.strip(), before)
    percent = _PERCENT.match(after)
    if percent:
        numeral, after = numeral.rstrip("% ") + "%", after[percent.end() :]
    if (
        _CHANGE.search(before)
        or _CHANGE.search(after)
        or _BEFORE.search(before)
        or _AFTER.match(after)
    ):
        return None
    number, after = _scaled(numeral, after)
    if number is None or (sure and before.strip(" ($.,")):
        return None
    measured = unit_name(after, sure=sure)
    if measured is not None and not (unit and measured):
        return _prefixed(number, before, unit or measured, "")
    return _prefixed(number, before, unit, after)


def _negated(numeral: str, before: str) -> tuple[str, str]:
    """``negative 5``, ``-$5`` and ``$-5``."""
    said = re.search(r"(?:\b(?:negative|minus)|(?<![\w)}])-)\s*$", before, re.I)
    if said and numeral[:1] not in "+-":
        return "-" + numeral, before[: said.start()]
    return numeral, before


def _scaled(numeral: str, after: str) -> tuple[Number | None, str]:
    """(the number times the scale words after it, the rest of the text)."""
    compact = re.sub(r"([0-9]+) ([0-9]+)/([0-9]+)", r"\1\\frac{\2}{\3}", numeral)
    number = read_number(compact.replace(" ", ""))
    for _ in range(2):
        word = re.match(r"\s*[-]?([^\W\d_]+)\.?(?![^\W\d_])", after) or re.match(
            r"\s*([十百千万萬亿億백천만억])", after
        )
        scale = scale_of(word[1]) if word else None
        if number is None or word is None or scale is None or _kelvin(word, after):
            break
        if word[1] in ("quarter", "quarters") and 0 < number.value < 4:
            scale = Fraction(1, 4)
        number, after = (
            Number(number.value * scale, number.digits, number.percent),
            after[word.end() :],
        )
    return number, after


def _kelvin(word: "re.Match[str]", after: str) -> bool:
    """``300 K`` is a temperature, ``300K`` is a number."""
    return word[1] == "K" and after[:1].isspace()


def _prefixed(number: Number, before: str, unit: str, after: str) -> Quantity | None:
    """The quantity with the words on both sides; None if they are mathematics and no words."""
    nouns: set[str] = set()
    for side, text in (("before", before), ("after", after)):
        if not _PROSE.fullmatch(text):
            return None
        words = _WORD.findall(text)
        if not all(_is_word(word, text) for word in words):
            return None
        if side == "after" and after[:1].isalpha() and words and words[0].isascii():
            return None  # glued to the numeral, and no unit
        if _another(words, number) or (side == "before" and _CALLED.search(text)):
            return None
        if side == "after":
            nouns |= {
                word.lower().removesuffix("s")
                for word in words
                if word.lower() not in _GENERIC and number_word(word) is None
            }
    named = [
        UNITS[word]
        for word in _WORD.findall(after)
        if word in UNITS and word not in ("in", *AMBIGUOUS)
    ]
    return Quantity(number, unit or (named[0] if len(named) == 1 else ""), frozenset(nouns))


def _another(words: list[str], number: Number) -> bool:
    """Whether the words name another number; ``7 (seven)`` does not."""
    spoken = [number_word(w) for w in words if w.lower() not in ("one", "first", "second")]
    if words and number_word(" ".join(words)) is not None:
        spoken = [number_word(" ".join(words))]
    return any(digits is not None and Fraction(digits) != number.value for digits in spoken)


def _is_word(word: str, text: str) -> bool:
    """Whether it is a word of a language and not a product of variables."""
    if _NON_ASCII.search(word):
        return True
    low = word.lower()
    if len(word) == 1:
        copula = re.search(rf"(?<![a-zA-Z]){word}\s+(?:is|was|equals)(?![a-z])", text)
        return low in "ai" or bool(copula)
    if len(word) == 2:
        return low in _SMALL_WORDS or low in UNITS or word.istitle()
    return not is_product(word) or low in UNITS or bool(_ACRONYMS.fullmatch(word))


def is_product(word: str) -> bool:
    """Whether it looks like a row of variables (``xyz``, ``abc``) and not like a word."""
    low = word.lower()
    consecutive = all(ord(b) - ord(a) == 1 for a, b in itertools.pairwise(low))
    return consecutive or not re.search("[aeiouy]", low)


_VALUE_END = r"[0-9}.)%]"
_TEXT = re.compile(
    r"(?<=[0-9}.)%a-zA-Z])\s*((?:\\(?:text|textrm|textnormal|mathrm|mbox|rm|textbf)\s*"
    r"\{\s*[^{}0-9]*\}\s*(?:\^\s*(?:\{\s*-?[0-9]\s*\}|[0-9]))?\s*(?:\\cdot|/)?\s*)+)$"
)
_WORDS = re.compile(
    rf"(?:(?<={_VALUE_END})\s*|(?<=[a-zA-Z])\s+)"
    r"((?:(?:square|sq|cubic|cu)\.?\s+)?[a-zA-Z]+(?:/[a-zA-Z]+)?(?:\s+per\s+[a-zA-Z]+)?"
    r"\s*(?:\^\s*(?:\{[23]\}|[23]))?)\s*\.?$"
)
_DEGREES = re.compile(r"(?<=[0-9})a-zA-Z])\s*\^\\circ\s*(?:([CFK])(?![a-zA-Z]))?")
_SIGN = re.compile(r"\\?\$|[€£¥₹₩₽]")
_BASE = re.compile(
    r"(?:(?<=[0-9)])|(?<=[0-9][A-F]))\s*_\s*(?:\{\s*(?:\\text(?:rm)?\{\s*)?([0-9]{1,2}|[a-z]{3,8})\s*\}?\s*\}|([0-9]))$"
)
_BASE_WORDS = re.compile(
    r"(?<=[0-9)])\s*(?:\\text\{\s*)?\(?\s*(?:in\s+)?base[\s-]+([0-9]{1,2}|[a-z]+)()\s*\)?\s*\}?$"
)
_TRIGONOMETRIC = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)(?![a-zA-Z])")
_SYMBOL = re.compile(r"(?<![a-zA-Z\\])[a-zA-Z]|\\(?!pi|sqrt|frac|cdot|times|left|right)[a-zA-Z]")
_ANGLE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*\^\\circ")


def drop_units(text: str, *, letters: bool = False) -> tuple[str, str]:
    """(``text``, tidied, without its unit; the unit's name, "" without a known unit).

    For expressions; ``read_quantities`` reads a text with one number.

    letters: also drop a final "m", "s", ... that is not marked as text. For answers to references
        without such a letter.
    """
    bare, found = text, ""
    sign = _SIGN.search(text) if "$" in text or not text.isascii() else None
    if sign:
        bare, found = _SIGN.sub("", text).strip(), _MONEY[sign.group()[-1]]
    if "^\\circ" in bare and _TRIGONOMETRIC.search(bare):
        bare = _ANGLE.sub(r"(\1\\cdot\\frac{\\pi}{180})", bare)
    elif "^\\circ" in bare:
        scale = _DEGREES.search(bare)
        bare, found = _DEGREES.sub("", bare).strip(), "degree"
        found = {"C": "celsius", "F": "fahrenheit"}.get((scale and scale[1]) or "", found)
    if bare[-1:].isalpha() or bare[-1:] in "}.)0123456789":
        bare, word = _drop_last(bare, letters)
        found = word or found
    return bare, found


def _drop_last(text: str, letters: bool) -> tuple[str, str]:
    start = max(len(text) - 80, 0)
    base = _BASE.search(text, start) or _BASE_WORDS.search(text, start)
    if base:
        digits = base[1] or base[2]
        return text[: base.start()].strip(), "base " + (number_word(digits) or digits)
    match = _TEXT.search(text, start)
    if match:
        said = unwrap_text(match[1])
        words = _WORD.findall(said)
        if _CHANGE.search(said) or any(scale_of(w) for w in words) or _AFTER.match(said):
            return text, ""
        return text[: match.start()].strip(), unit_name(said, sure=False) or ""
    match = _WORDS.search(text, start)
    unit = unit_name(match[1], sure=False) if match else None
    if match is None or not unit:
        return text, ""
    bare = text[: match.start()].strip()
    if _WORD.match(match[1].strip())[0] in AMBIGUOUS and (not letters or _SYMBOL.search(bare)):  # type: ignore[index]
        return text, ""
    return (text, "") if bare.endswith(("\\cdot", "\\times")) else (bare, unit)
