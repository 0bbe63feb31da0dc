r"""Answers in one spelling, for both steps of the comparison.

It reads and writes only strings, in time linear in their length, so every text of a model is safe.
``tidy`` removes what has no meaning (dollar signs around formulas, ``\left``, thin spaces, a full
stop at the end) and writes each symbol in one way: ``\dfrac``, ``\tfrac`` and ``\cfrac`` as
``\frac``, ``≤`` as ``\le``, ``x**2`` as ``x^2``, ``np.arcsin`` as ``\arcsin``. ``1{,}008`` and
``10,\!080`` lose their separators.
"""

import re
import unicodedata

from manyways.verifiers.answers import END_MARK

_SYMBOLS = {
    "−": "-", "–": "-", "—": "-", "‒": "-", "‑": "-", "‐": "-", "℃": r"^\circ C", "℉": r"^\circ F",
    "⇒": r"\Rightarrow ", "→": r"\to ", "Ω": r"\Omega ", "µ": r"\mu ", "…": "...",
    "×": r"\times ", "·": r"\cdot ", "÷": "/", "∕": "/", "⁄": "/",
    "π": r"\pi ", "∞": r"\infty ", "∪": r"\cup ", "∩": r"\cap ", "±": r"\pm ", "∅": r"\emptyset ",
    "≤": r"\le ", "≥": r"\ge ", "⩽": r"\le ", "⩾": r"\ge ", "≠": r"\ne ", "≈": r"\approx ",
    "∈": r"\in ", "°": r"^\circ ", "θ": r"\theta ", "α": r"\alpha ", "β": r"\beta ",
    "λ": r"\lambda ", "ω": r"\omega ", "½": r"\frac{1}{2}", "⅓": r"\frac{1}{3}",
    "⅔": r"\frac{2}{3}", "¼": r"\frac{1}{4}", "¾": r"\frac{3}{4}", "′": "'", "’": "'",
    "“": '"', "”": '"', "，": ",", "、": ",", "。": ".", "％": "%", "ℝ": r"\mathbb{R}",
}  # fmt: skip
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_LOWERED = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_SUPERSCRIPTS = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+")
_SUBSCRIPTS = re.compile("[₀₁₂₃₄₅₆₇₈₉]+")
_INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe0e\ufe0f\ufeff]")
"""Invisible characters: marks of byte order, of direction and of line breaks."""
_PICTURES = ("So", "Sk")
"""Unicode categories of ticks, emoji and their modifiers, which have no meaning in an answer."""
_OVERLINED = re.compile("(?:[0-9][\u0304\u0305])+")
_OTHER_DIGIT = re.compile(r"(?![0-9])\d")
_ROOTS = {"√": "", "∛": "[3]", "∜": "[4]"}
_ROOT = re.compile(r"([√∛∜])\s*(?:\(([^()]*)\)|([0-9]+(?:\.[0-9]+)?|[a-zA-Z]))")

_THOUSANDS = re.compile(
    r"(?<=[0-9])(?:\{,\}\s?|,?\\[,!;: ]\s?|,?\\ |\\!\s?,\s?|,\\!\s?)(?=[0-9]{3}(?![0-9]))"
)
_SPACING = re.compile(
    r"\\(?:left|right|[bB]ig{1,2}[lr]?|displaystyle|textstyle|limits|nolimits|quad|qquad|tiny|small|"
    r"normalsize|large|Large|LARGE|huge|Huge|bfseries|therefore|hfill|noindent|centering)(?![a-zA-Z])"
    r"|(?<!\{)\\(?:bf|rm|it)(?![a-zA-Z])|\\(?:text)?color(?:box)?\s*\{[a-zA-Z]*\}|\\phantom(?:\{[^{}]*\}|\s*\S)"
    r"|\\[!,;: >]|~|\\$|(?<!\\)#"
)
_REWRITES = tuple(
    (hints, re.compile(pattern), spelling)
    for hints, pattern, spelling in (
        (("and", "or"), r"\\(?:text|mbox|textrm|mathrm)\{\s*,?\s*(?:and|or)\s*\}", " , "),
        (("frac",), r"\\(?:[dtcs]|nice|x)frac(?![a-zA-Z])", r"\\frac"),
        (("row", "implies"), r"\\(?:implies|Longrightarrow|Rightarrow)(?![a-zA-Z])",
         r"\\Rightarrow "),
        (("ge", ">"), r"\\geqslant(?![a-zA-Z])|\\geq(?![a-zA-Z])|>=|=>", r"\\ge "),
        (("le", "<"), r"\\leqslant(?![a-zA-Z])|\\leq(?![a-zA-Z])|<=|=<", r"\\le "),
        (("neq", "not", "!="), r"\\neq(?![a-zA-Z])|\\not\s*=|!=", r"\\ne "),
        (("lt",), r"\\lt(?![a-zA-Z])", "<"),
        (("gt",), r"\\gt(?![a-zA-Z])", ">"),
        (("varnothing",), r"\\varnothing(?![a-zA-Z])", r"\\emptyset"),
        (("langle",), r"\\langle(?![a-zA-Z])", "("),
        (("rangle",), r"\\rangle(?![a-zA-Z])", ")"),
        (("lbrace",), r"\\lbrace(?![a-zA-Z])", r"\\{"),
        (("rbrace",), r"\\rbrace(?![a-zA-Z])", r"\\}"),
        (("circ", "degree"),
         r"\^\s*\{?\s*(?:\\circ|\\degree)(?![a-zA-Z])\s*\}?|\\degree(?![a-zA-Z])", r"^\\circ "),
        (("{\\", "{ \\"), r"\{\s*\\(?:rm|bf|it)\s+([^{}]*)\}", r"\\text{\1}"),
        (("mathrm{", "text{"), r"\\(?:mathrm|text)\{(e|i|d|T)\}", r"\1"),
        (("cdot",), r"\\cdotp?(?![a-zA-Z])", r"\\cdot "),
        (("choose",), r"\{([^{}]*)\\choose(?![a-zA-Z])([^{}]*)\}", r"\\binom{\1}{\2}"),
        (("pmod",), r"\\pmod", r"\\bmod"),
    )
)  # fmt: skip
"""(hints, pattern, spelling): the pattern is tried only if the text has one of the hints."""
_REWRITTEN = re.compile(
    r"[<>=]|and|or|\\(?:[a-z]*frac|g[et]|l[et]|n[eo]|v|[lr]a|[lr]b|L|R|imp|circ|deg|cdot|choose|pm)"
    r"|\{ ?\\|(?:mathrm|text)\{[eidT]\}"
)
"""A quick test, because most answers have nothing to rewrite."""
_BOXES = re.compile(r"\\(?:boxed|fbox|framebox|mathbf|boldsymbol|bm|textbf|underline)\{([^{}]*)\}$")
_CODE = re.compile(
    r"\*\*|(?<![a-zA-Z\\])(?:np|numpy|math|sympy|sp)\.(?=[a-z])|(?<=[0-9a-zA-Z)}])\*"
)
_FUNCTION = re.compile(
    r"(?<![a-zA-Z\\])(arcsin|arccos|arctan|asin|acos|atan|sinh|cosh|tanh|sin|cos|tan|cot|sec|csc|"
    r"log|ln|exp|sqrt|pi|infinity|inf|oo|theta)(?![a-zA-Z])"
)
_SHORT_NAMES = {
    "asin": r"\arcsin", "acos": r"\arccos", "atan": r"\arctan", "inf": r"\infty",
    "infinity": r"\infty", "oo": r"\infty",
}  # fmt: skip
_ROOT_CALL = re.compile(r"\\sqrt\s*\(([^()]*)\)")
_POWER_CALL = re.compile(r"\^\s*\(([^()]*)\)")
_EXP_CALL = re.compile(r"\\exp\s*(?:\{([^{}]*)\}|\(([^()]*)\))")
_BARE_ROOT = re.compile(r"\\sqrt\s*(\[[^\[\]]*\])?\s*([0-9a-zA-Z])")
_FLOAT_DOT = re.compile(r"(?<=[0-9])\.(?=\s*(?:/|$|[-+)]))")
_ONE = r"(\\[a-zA-Z]+|[0-9a-zA-Z])"
_LOOSE_FRACTION = re.compile(
    rf"(\\frac|\\[dt]?binom)\s*(?:\{{([^{{}}]*)\}}|{_ONE})\s*(?:\{{([^{{}}]*)\}}|{_ONE})"
)
_ALIGNED = re.compile(r"\\(?:begin|end)\{(?:aligned|align\*?|gathered|equation\*?|center|split)\}")
_PERIOD = re.compile(r"([-+]?[0-9]*\.[0-9]{0,20})\(([0-9]{1,20})\)")
_REPEATS = re.compile(r"([-+]?[0-9]*\.[0-9]{0,20}?)([0-9])\s+(?:repeating|recurring)")
_GOES_ON = re.compile(
    r"([-+]?[0-9]*\.[0-9]{0,12}?)(([0-9])\3\3|([0-9]{2,6})\4)(?:\3|\4)*\s*(?:\.{2,}|\\l?dots|\\cdots)"
)
_TIMES_TEN = re.compile(r"(?<=[0-9.])\s*[xX]\s*(?=10\s*\^)")
_LABEL = re.compile(
    r"(?:\\(?:text|textbf|mathrm|mbox|textrm|textit)\s*\{\s*)?"
    r"(?:so\s+|thus,?\s+|therefore,?\s+|hence,?\s+)?(?:the\s+)?(?:final\s+|correct\s+)?"
    r"(?:answers?|ans|result|solution|output)\s*(?::|=|\bis\b:?|\bare\b:?)\s*"
    r"(?P<closed>\})?\s*(?=.)", re.I,
)  # fmt: skip
_WRAPPED = (
    ("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), ("**", "**"), ("__", "__"),
    ("*", "*"), ("_", "_"), ("`", "`"), ('"', '"'),
)  # fmt: skip
_WRAPPER = re.compile(
    r"\\(?:text|textrm|textbf|textit|textnormal|texttt|mathrm|mathbf|mathit|mathsf|mathtt|boldsymbol|"
    r"mbox|hbox|operatorname\*?|mathop|rm|bf)(?![a-zA-Z])\s*\{([^{}]*)\}"
)
_APART = re.compile(r"(?<=[0-9.])\s+(?=[0-9.])")
_BRACED = re.compile(r"([\^_])\{([0-9a-zA-Z])\}")


_TEXT_NUMBER = re.compile(r"\\(?:text|mbox|textrm|textbf|mathrm)\{\s*(-?\\?\$?[0-9][^{}]*)\}")


def tidy(text: str) -> str:
    """``text`` in one spelling; the same string for the same writing of an answer."""
    text = text.strip()
    if text.isdigit() and text.isascii():
        return text
    text = to_ascii(text).lstrip("•▪◦● ")
    if "<" in text or "checkmark" in text:
        text = END_MARK.sub(" ", text).strip()
    if text.endswith(("..", "dots", "ing")) or "(" in text:
        text = _tidy_period(text)
    text = _without_label(_unwrap(text))
    if any(mark in text for mark in "\\{<>!#"):
        text = _tidy_latex(text)
    numeral = _TEXT_NUMBER.fullmatch(text)
    text = _tidy_code(numeral[1] if numeral else text).lstrip("= ")
    text = _TIMES_TEN.sub(r"\\times ", text)
    return " ".join(text.split()).rstrip(" .;,\\")


def _without_label(text: str) -> str:
    r"""``42`` for ``ans: 42`` and for ``\text{The answer is } 42``."""
    found = _LABEL.match(text)
    if found is None:
        return text
    rest = text[found.end() :].strip()
    if "{" in found.group() and not found["closed"]:
        rest = rest.removesuffix("}") if rest.count("}") > rest.count("{") else rest
    return _unwrap(rest)


def _tidy_period(text: str) -> str:
    r"""``0.(3)`` and ``0.333...`` written as ``0.\overline{3}``."""
    found = _PERIOD.fullmatch(text)
    if found:
        return rf"{found[1]}\overline{{{found[2]}}}"
    found = _REPEATS.fullmatch(text)
    if found:
        return rf"{found[1]}\overline{{{found[2]}}}"
    found = _GOES_ON.fullmatch(text) if text.endswith("dots") or text.endswith(".") else None
    return rf"{found[1]}\overline{{{found[3] or found[4]}}}" if found else text


def to_ascii(text: str) -> str:
    """Unicode maths as LaTeX; other characters in their compatibility form."""
    if text.isascii():
        return text
    text = _OTHER_DIGIT.sub(lambda m: str(unicodedata.decimal(m.group())), text)
    text = _OVERLINED.sub(lambda m: rf"\overline{{{m.group()[::2]}}}", text)
    text = _ROOT.sub(lambda m: rf"\sqrt{_ROOTS[m[1]]}{{{m[2] or m[3]}}}", text)
    text = _SUPERSCRIPTS.sub(lambda m: "^{" + m.group().translate(_RAISED) + "}", text)
    text = _SUBSCRIPTS.sub(lambda m: "_{" + m.group().translate(_LOWERED) + "}", text)
    for symbol, latex in _SYMBOLS.items():
        text = text.replace(symbol, latex)
    text = "".join(c for c in text if c.isascii() or unicodedata.category(c) not in _PICTURES)
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text).replace("⁄", "/")).strip()


def unwrap_text(text: str) -> str:
    r"""``text`` with ``\text{...}`` and its relatives replaced by their contents."""
    for _ in range(3):
        bare = _WRAPPER.sub(r"\1", text)
        if bare == text:
            break
        text = bare
    return text


def squeeze(text: str) -> str:
    """A spelling without spaces and braces of scripts: equal for identical answers."""
    text = unwrap_text(text)
    if " " in text:
        text = _APART.sub("\x00", text)  # a blank between two numerals means something
    return _BRACED.sub(r"\1\2", "".join(text.split()))


def _unwrap(text: str) -> str:
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
        text = text.rstrip(" .")
        if text == before:
            break
    return text


def _tidy_latex(text: str) -> str:
    rows = "matrix" in text or "array" in text or "cases" in text
    if "\\\\" in text and not rows:
        text = re.sub(r"\\\\(?=[a-zA-Z])", r"\\", text)  # a doubly escaped command
    text = _THOUSANDS.sub("", text)
    if "\\begin{" in text and _ALIGNED.search(text):
        text = _ALIGNED.sub(" ", text).replace("&", " ").replace("\\\\", " ")
    text = _SPACING.sub(" ", text.replace("\\\\", "\x00")).replace("\x00", "\\\\")
    if _REWRITTEN.search(text):
        for hints, pattern, spelling in _REWRITES:
            if any(hint in text for hint in hints):
                text = pattern.sub(spelling, text)
    if "\\frac" in text or "binom" in text:
        text = _brace_fractions(text)
    text = text.replace("\\%", "%").replace("\\&", "&").strip()
    while text.startswith("\\") and (box := _BOXES.match(text)):
        text = box[1].strip()
    return text


def _brace_fractions(text: str) -> str:
    r"""``\frac12``, ``\frac{1}2``, ``\frac\pi 2`` as ``\frac{1}{2}``, ...; likewise ``\binom``."""
    return _LOOSE_FRACTION.sub(
        lambda m: rf"{m[1]}{{{m[2] or m[3]}}}{{{m[4] or m[5]}}}" if not (m[2] and m[4]) else m[0],
        text,
    )


def _tidy_code(text: str) -> str:
    """Calculator and Python spellings as LaTeX."""
    if "*" in text or "." in text:
        text = _CODE.sub(lambda m: {"**": "^", "*": r"\cdot "}.get(m.group(), ""), text)
        text = _FLOAT_DOT.sub("", text) if text.isascii() else text
    if text.isascii() and not text.isdigit():
        text = _FUNCTION.sub(lambda m: _SHORT_NAMES.get(m[1], "\\" + m[1]) + " ", text)
        if "exp" in text:
            text = _EXP_CALL.sub(lambda m: f"e^{{{m[1] or m[2]}}}", text)
        if "sqrt" in text:
            text = _BARE_ROOT.sub(r"\\sqrt\1{\2}", _ROOT_CALL.sub(r"\\sqrt{\1}", text))
        if "^" in text:
            text = _POWER_CALL.sub(r"^{\1}", text)
    return text
