r"""Answers in one spelling: the cleaning that both steps of the comparison share.

Only strings go in and out, at a cost linear in their length, so it is safe on anything a model
writes. ``tidy`` removes what never carries meaning (dollar signs around maths, ``\left``, thin
spaces, ``\text`` wrappers, a closing full stop) and rewrites spellings of the same symbol.

Units are dropped, never converted: ``5.4 \text{ cents}`` is ``5.4``, ``90^\circ`` is ``90``,
``\$18.90`` is ``18.90``. ``unit`` tells which known unit was dropped, so that two answers that name
different ones ("5 cm", "5 m") are not called equal.
"""

import re
import unicodedata

_SYMBOLS = {
    "−": "-", "–": "-", "—": "-", "×": r"\times ", "·": r"\cdot ", "÷": "/", "∕": "/", "⁄": "/",
    "π": r"\pi ", "∞": r"\infty ", "∪": r"\cup ", "∩": r"\cap ", "±": r"\pm ", "∅": r"\emptyset ",
    "≤": r"\le ", "≥": r"\ge ", "⩽": r"\le ", "⩾": r"\ge ", "≠": r"\ne ", "≈": r"\approx ",
    "∈": r"\in ", "°": r"^\circ ", "θ": r"\theta ", "α": r"\alpha ", "β": r"\beta ",
    "λ": r"\lambda ", "ω": r"\omega ", "½": r"\frac{1}{2}", "⅓": r"\frac{1}{3}",
    "⅔": r"\frac{2}{3}", "¼": r"\frac{1}{4}", "¾": r"\frac{3}{4}", "′": "'", "’": "'",
    "“": '"', "”": '"', "，": ",", "。": ".", "％": "%",
}  # fmt: skip
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_SUPERSCRIPTS = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+")
_ROOT = re.compile(r"√\s*(?:\(([^()]*)\)|([0-9]+(?:\.[0-9]+)?|[a-zA-Z]))")

_SPACING = re.compile(
    r"\\(?:left|right|bigl|bigr|Bigl|Bigr|big|Big|displaystyle|textstyle|limits|nolimits|"
    r"quad|qquad|phantom)(?![a-zA-Z])|\\[!,;: ]|~"
)
_WRAPPER = re.compile(
    r"\\(?:text|textrm|textbf|textit|textnormal|texttt|mathrm|mathbf|mathit|mathsf|mathtt|boldsymbol|"
    r"mbox|hbox|operatorname\*?|mathop|rm|bf)(?![a-zA-Z])\s*\{([^{}]*)\}"
)
_THOUSANDS = re.compile(
    r"(?<=[0-9])(?:\{,\}|,?\\[,!;: ]\s*|\\!\s*,\s*|,\\!\s*)(?=[0-9]{3}(?![0-9]))"
)
_REWRITES = (
    (re.compile(r"\\[dtc]frac(?![a-zA-Z])"), r"\\frac"),
    (re.compile(r"\\(?:geqslant|geq)(?![a-zA-Z])"), r"\\ge"),
    (re.compile(r"\\(?:leqslant|leq)(?![a-zA-Z])"), r"\\le"),
    (re.compile(r"\\neq(?![a-zA-Z])"), r"\\ne"),
    (re.compile(r"\\(?:varnothing)(?![a-zA-Z])"), r"\\emptyset"),
    (re.compile(r"\\(?:lbrace)(?![a-zA-Z])"), r"\\{"),
    (re.compile(r"\\(?:rbrace)(?![a-zA-Z])"), r"\\}"),
    (re.compile(r"\^\s*\{?\s*(?:\\circ|\\degree)\s*\}?|\\degree(?![a-zA-Z])"), r"^\\circ "),
)
_WRAPPED = (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), ("**", "**"), ("`", "`"))

UNITS: dict[str, str] = {}
"""Spelling of a unit -> its one name; extended below."""
for _names in (
    "degree degrees deg °", "radian radians rad", "percent percentage",
    "inch inches in", "foot feet ft", "yard yards yd yds", "mile miles mi",
    "millimeter millimeters mm", "centimeter centimeters centimetre centimetres cm",
    "meter meters metre metres m", "kilometer kilometers kilometre kilometres km",
    "second seconds sec secs s", "minute minutes min mins", "hour hours hr hrs h", "day days",
    "week weeks", "month months", "year years yr yrs",
    "gram grams g", "kilogram kilograms kg", "pound pounds lb lbs", "ounce ounces oz", "ton tons",
    "liter liters litre litres L", "milliliter milliliters ml mL", "gallon gallons", "cup cups",
    "dollar dollars usd USD", "cent cents", "euro euros", "pound pounds", "rupee rupees",
    "mph", "km/h", "m/s", "cm/s", "unit units", "acre acres", "hectare hectares",
    "joule joules J", "watt watts W", "newton newtons N", "kelvin K", "volt volts V", "hertz Hz",
    "people", "person", "student students", "point points", "way ways", "coin coins",
    "apple apples", "number numbers", "value values", "piece pieces", "box boxes", "page pages",
    "dog dogs", "cat cats", "book books", "child children", "car cars", "integer integers",
    "solution solutions", "egg eggs", "time times", "step steps", "item items", "digit digits",
):  # fmt: skip
    _first, *_ = _names.split()
    for _spelling in _names.split():
        UNITS[_spelling] = _first

_SHORT = {name for name in UNITS if len(name) <= 2}
_VALUE_END = r"[0-9}.)%]"
_UNIT_TEXT = re.compile(
    rf"(?<={_VALUE_END})\s*\\(?:text|textrm|textnormal|mathrm|mbox|rm)\s*\{{\s*([^{{}}]*)\}}"
    r"\s*(?:\^\{?[0-9]\}?)?\s*\.?$"
)
_UNIT_WORDS = re.compile(
    rf"(?<={_VALUE_END})\s*((?:(?:square|sq|cubic|cu)\.?\s+)?[a-zA-Z]+(?:/[a-zA-Z]+)?)"
    r"(?:\s*\^\{?[23]\}?)?\s*\.?$"
)
_DEGREES = re.compile(r"(?<=[0-9})a-zA-Z])\s*\^\\circ\s*([CFK]?)(?![a-zA-Z])")
_MONEY = re.compile(r"(?:\\?\$|[€£¥₹]|(?:US|USD|Rs\.?)\s*\$?\s*(?=[0-9]))")


def tidy(text: str) -> str:
    """``text`` in one spelling; the same string for the same writing of an answer."""
    text = text.strip()
    if text.isdigit() and text.isascii():
        return text
    text = _strip_wrappers(to_ascii(text))
    if "\\" in text or "{" in text:
        text = _tidy_latex(text)
    text = text.rstrip(" .;,").strip() if text[-1:] in " .;," else text
    return text


def to_ascii(text: str) -> str:
    """Unicode maths as LaTeX; other characters in their compatibility form."""
    if text.isascii():
        return text
    text = _ROOT.sub(lambda m: rf"\sqrt{{{m[1] or m[2]}}}", text)
    text = _SUPERSCRIPTS.sub(lambda m: "^{" + m.group().translate(_RAISED) + "}", text)
    for symbol, latex in _SYMBOLS.items():
        text = text.replace(symbol, latex)
    return unicodedata.normalize("NFKC", text).replace("⁄", "/")


def _strip_wrappers(text: str) -> str:
    for _ in range(4):
        before = text
        for left, right in _WRAPPED:
            inner = text[len(left) : -len(right)]
            if (
                len(text) > len(left) + len(right)
                and text.startswith(left)
                and text.endswith(right)
                and left not in inner
                and not inner.endswith("\\")
            ):
                text = inner.strip()
        if text == before:
            break
    return text


def _tidy_latex(text: str) -> str:
    text = _THOUSANDS.sub("", text)
    text = _SPACING.sub(" ", text.replace("\\\\", "\x00")).replace("\x00", "\\\\")
    for pattern, spelling in _REWRITES:
        text = pattern.sub(spelling, text)
    for command in (r"\boxed", r"\fbox", r"\framebox", r"\mathbf", r"\boldsymbol"):
        if text.startswith(command + "{") and text.endswith("}"):
            text = text[len(command) + 1 : -1]
    return text.replace("\\%", "%").strip()


def drop_units(text: str) -> tuple[str, str]:
    """``text`` without a trailing unit and money signs, and the unit's name ("" if none known)."""
    money = _MONEY.search(text)
    text = _MONEY.sub("", text).strip()
    found = "dollar" if money else ""
    bare = _DEGREES.sub("", text)
    if bare != text:
        text, found = bare.strip(), "degree"
    for pattern in (_UNIT_TEXT, _UNIT_WORDS):
        match = pattern.search(text[-80:])
        if match is None:
            continue
        words = match[1].strip().rstrip(".")
        if pattern is _UNIT_WORDS and not _is_unit(words):
            continue
        if not text[: len(text) - len(match.group())].strip():
            continue
        text = text[: len(text) - len(match.group())].strip()
        found = _unit_name(words, match.group()) or found
    return text, found


def _is_unit(words: str) -> bool:
    return all(word.rstrip(".") in UNITS or word in _AREA for word in words.split())


_AREA = {"square": "2", "sq": "2", "sq.": "2", "cubic": "3", "cu": "3", "cu.": "3"}


def _unit_name(words: str, written: str) -> str:
    power = next((power for word, power in _AREA.items() if word in words.split()), "")
    raised = re.search(r"\^\{?([23])\}?", written)
    names = [UNITS[word] for word in words.split() if word in UNITS]
    if not names:
        return ""
    return names[-1] + (power or (raised[1] if raised else ""))


def unwrap_text(text: str) -> str:
    r"""``text`` with ``\text{...}`` and its relatives replaced by their contents."""
    for _ in range(3):
        bare = _WRAPPER.sub(r"\1", text)
        if bare == text:
            break
        text = bare
    return text


def squeeze(text: str) -> str:
    """The spelling used to compare strings: no spaces, no optional braces, lower-case words."""
    text = "".join(unwrap_text(text).split())
    return _BRACED_DIGIT.sub(r"\1\2", text)


_BRACED_DIGIT = re.compile(r"([\^_])\{([0-9a-zA-Z])\}")
