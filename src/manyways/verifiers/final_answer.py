r"""Extraction of the final answer from a text. No other module decides where the answer is.

Policy ``strict`` takes only the form that the prompt asks for, so that RL does not reward a stray
last number. Policy ``lenient`` tries these rules in order, and keeps the name of the one that
decided:

=========  ======================================================================================
later      a formula after "final answer is" that comes after the last box
boxed      ``\boxed{...}``, ``\fbox{...}``, ``\framebox{...}``; braces may nest
tag        what the last ``<answer>...</answer>`` holds
hashes     the rest of the line after the last ``####`` (GSM8K style)
phrase     what follows the last "answer is", "Answer:", "answer =" up to the end of its sentence,
           also in Chinese, French, German, Italian, Portuguese, Russian and Spanish
unclosed   a box that is never closed, to the end of its line
whole      the text itself, when it is one short line without prose
last       the last formula between dollar signs or the last number, whichever comes later
letter     an option letter that the text begins with (``D. For ...``), else the last that stands
           alone; tried before ``whole`` and ``last`` when the problem is multiple choice
=========  ======================================================================================

Several boxes: the last one counts. Boxes with nothing but "and", "or", commas or spaces between
them are one answer with several parts, joined by commas; a box that repeats its neighbour counts
once, and a box that holds nothing but a box is that box. Empty boxes are ignored (a model that
echoes the prompt writes one). A box that is never closed is no answer under ``strict``.

The text before the last ``</think>`` is not read. Under ``strict``, a text with a ``<think>`` that
does not end has no answer.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Literal

from manyways.verifiers.answers import END_MARK

Policy = Literal["strict", "lenient"]
Form = Literal["boxed", "hashes", "phrase"]

_PHRASE = re.compile(  # begins with a set of characters, which the engine skips to
    r"[AaRr答Оо](?:(?<=\b[Aa])(?i:nswers?\b(?:\s+(?:to\s+(?:the|this)\s+\w+\s+)?"
    r"(?:is|are|was|will\s+be|must\s+be|should\s+be|would\s+be|=)(?![a-zA-Z])\s*:?|\s*[:=]"
    r"|\**\s*:\**|\s+(?=\$|\\[\[(]|[0-9])))"
    r"|(?<=答)案\s*(?:是|为|[:：])"
    r"|(?i:(?:(?<=\br)(?:[ée]ponse|espuesta|esposta|isposta)|(?<=\ba)ntwort|(?<=\bо)твет)"
    r"(?:\s+final[ea]?)?\s*(?:[:：]|(?:est|es|é|è|ist|lautet)\b\s*:?)))"
)
_FINAL = re.compile(r"(?i:\bfinal\s+answer\s+is)\s*:?\s*(?=\$|\\[\[(])")
_TAG = re.compile(r"<answer>((?:(?!<answer>).){1,2000}?)(?:</answer>|\Z)", re.S | re.I)
_LABEL = re.compile(r"[^\W\d_]{2,}(?:\s[^\W\d_]{2,}){0,3}\s*[:：]\s*(?=[-$\\0-9(])")
_EMPHASIS = re.compile(r"(?<![\w)}\]*])\*\*(?=[^\s*])([^*\n]+?)(?<=\S)\*\*(?![\w(*])")
_SENTENCE_END = re.compile(
    r"\.(?=\s|$)|[?](?=\s|$)|\n|。|<\||(?i:\bI hope it is correct\b)"
    r"|,?\s(?:because|since|which|and\s+not|but)\s"
    r"|\s\((?:that|i\.e\.|since|because|which|as|for|from|e\.g\.)\s"
    r"|,\s(?:as|so|for|when|if|where|with|after|then|thus|hence|giving|making|meaning|that|while)\s"
    r"|\s(?:when|if|whenever|provided|as\s+(?:wanted|desired|required|claimed|expected|above)"
    r"|and\s+(?:that|this|we|so|it|thus|hence)|so\s+(?:we|that)|(?:for|with)\s+[a-zA-Z]\s*=|for\s+(?:all|every|any|each)"
    r"|given)(?![a-z])|\s[-–—]\s+(?=as\s|[a-z]{3,}\s)"
)
_REASONED = re.compile(r"(?<=[0-9}$])\s+\((?!\s*mod)(?=[^()]{0,80}[0-9])")
_FILLER = re.compile(
    r"(?:(?:therefore|thus|then|hence|so|indeed|simply|just|exactly|precisely|obviously|clearly|"
    r"equal\s+to|given\s+by|found\s+to\s+be|always|again|now)\s*[,:]?\s+)+(?=\S)",
    re.I,
)
_CONCLUDES = re.compile(r"\A(?:therefore|thus|then|hence|so)\s*[,:]?\s+(?=\S{1,20}\s*=)", re.I)
_HEADING = re.compile(
    r"(?:[0-9]+[.)]\s+[^\W\d_]|(?:step|part|case|method|check|verif|explan|solution|reason|summary|"
    r"conclusion|note|answer|final|result|approach|analysis|problem|given|setup|calculat|comput|"
    r"understand)\w*\b)", re.I,
)  # fmt: skip
_ANSWER_LABEL = re.compile(
    r"(?:\*\*)?(?:the\s+)?(?:final\s+)?(?:answer|ans|result)(?:\s+is)?\s*:?\s*(?:\*\*)?\s*:?\s*",
    re.I,
)
_WORKED_OUT = re.compile(
    r"(?<![\w.,*/+-])(?:\$?[0-9][0-9.,]{0,20}%?\s?[-+*/×÷x]\s?){1,8}\$?[0-9][0-9.,]{0,20}%?"
    r"\s?=\s?\$?[0-9][^=]*$"
)
"""A sum that a sentence ends with: ``90 - 36 = 54 left``. The comparison asks if it is true."""
_CALCULATED = re.compile(r"<<[^<>\n]{0,100}>>")
"""What GSM8K's solutions note for a calculator."""
_COPULA = re.compile(
    r"(?<![a-zA-Z])(?:is|are|equals|be|was)(?![a-zA-Z])(?:\s+(?:exactly|simply)\b)?:?"
)
_SAYS = re.compile(
    r"(?:[\w',-]+\s+){1,9}(?:is|are|was|be)\s+((?!not\b|no\b|what\b|that\b)[^\W\d_]+(?:\s+[^\W\d_]+){0,2})\s*[.!]?"
)
"""A sentence that ends in what something is: ``So the winner is Alice.``"""
_MATH_SPANS = re.compile(  # a dollar before a digit may be money: the rule is pandoc's
    r"\$\$((?:[^$]|\$(?!\$)){1,4000}?)\$\$|\\\[((?:(?!\\\[).){1,4000}?)\\\]|\\\(((?:(?!\\\().){1,4000}?)\\\)"
    r"|(?<!\\)\$((?! )(?:\\.|[^$\\\n])+(?<! )|\s(?:\\.|[^$\\\n])+\s)\$(?![0-9])",
    re.S,
)
_NUMBER = re.compile(
    r"(?<![A-Za-z0-9_.])[-−+]?\$?(?:[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
    r"(?:/[0-9]+(?:\.[0-9]+)?)?(?:[eE][-+]?[0-9]+)?(?:\s?%)?"
    r"(?:[ -](?:hundred|thousand|million|billion|trillion|dozen|lakh|crore)s?(?![a-z])"
    r"|[ -](?:squared|cubed)(?![a-z])"
    r"|\s+(?:or\s+(?:more|less|fewer|so)|below\s+zero)(?![a-z])|[kKM](?![\w])|[十百千万萬亿億백천만억]|以[上下])*"
)
_PROSE_WORD = re.compile(r"(?<![\\a-zA-Z{])[a-zA-Z]{2,}")
_OPTION = re.compile(r"(?<![\w'])\(?([A-E])\)?(?![\w'])(?!\s+[a-z])")
_CHANGED = re.compile("[或不未非以超负半万萬亿億千百十천백만억]")
_OTHER_DIGIT = re.compile(r"(?![0-9])\d")
_IDEOGRAPH = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_CONNECTIVE = re.compile(r"(?<![a-zA-Z])(?:and|or)(?![a-zA-Z])")
_TEXT_COMMAND = re.compile(r"\\(?:text|mbox|mathrm)[a-z]*\{[^{}]*\}|\\[a-zA-Z]+(?:\{[a-z]*\})?")
_SECTIONS = 50
"""Headings that are looked through for the one that is an answer."""
_SHORT = 30
_USUAL_OPTIONS = 5
_SEARCHED = 20_000  # characters from the end in which "last ..." is looked for


@dataclass(frozen=True, kw_only=True, slots=True)
class Extraction:
    """An answer cut out of a text. Example: ``Extraction(answer="12", rule="boxed")``."""

    answer: str
    rule: str


def extract(
    text: str, *, policy: Policy, form: Form = "boxed", choices: Sequence[str] = ()
) -> Extraction | None:
    """The final answer of ``text``, or None when the policy finds none.

    form:    what the prompt asked for; all that ``strict`` accepts.
    choices: option texts of a multiple choice problem, A first.
    """
    if policy == "strict":
        return _asked_for(text, form)
    return next(candidates(text, policy=policy, form=form, choices=choices), None)


def candidates(
    text: str, *, policy: Policy, form: Form = "boxed", choices: Sequence[str] = ()
) -> Iterator[Extraction]:
    """What each rule finds, in the order of the rules; ``strict`` has one rule."""
    if policy == "strict":
        found = _asked_for(text, form)
        if found:
            yield found
        return
    said = text.rpartition("</think>")[2]
    said = _CALCULATED.sub("", said) if "<<" in said else said
    text = said if said.isascii() else _OTHER_DIGIT.sub(_ascii_digit, said)
    letter = partial(_letter, options=len(choices) or _USUAL_OPTIONS)
    marked = (_later, _boxed, _tag, _hashes, _phrase, _unclosed_box)
    unmarked = (letter, _whole, _last) if choices else (_whole, _last, letter)
    for rule in (*marked, *unmarked):
        found = rule(text)
        if found:
            yield found


def _asked_for(text: str, form: Form) -> Extraction | None:
    """The answer in the form that the prompt asks for, outside of thoughts."""
    _, thought, said = text.rpartition("</think>")
    return _FORMS[form](said) if thought or "<think>" not in text else None


def _ascii_digit(digit: re.Match[str]) -> str:
    return str(unicodedata.decimal(digit.group()))


@lru_cache(maxsize=4096)
def reference(text: str) -> str:
    """The answer in a reference, which may be a whole solution with a box, ``####`` or phrase."""
    rules = {"boxed": (_later, _boxed, _unclosed_box), "####": (_hashes,), "nswer": (_phrase,)}
    for mark, tried in rules.items():
        found = next(filter(None, (rule(text) for rule in tried)), None) if mark in text else None
        if found:
            return found.answer
    return text


def form_of(instruction: str) -> Form:
    """The form that a prompt's instruction asks for, ``boxed`` when it names none."""
    if "boxed" in instruction:
        return "boxed"
    if "####" in instruction:
        return "hashes"
    return "phrase" if "answer is" in instruction.lower() else "boxed"


def _boxed(text: str) -> Extraction | None:
    parts = boxed_parts(text)
    if not parts:
        return None
    return Extraction(answer=",".join(parts), rule="boxed" if len(parts) == 1 else "boxes")


def _later(text: str) -> Extraction | None:
    """An answer after "final answer is" behind the last box: the box may hold an earlier step."""
    start = end_of_boxes(text) if "inal answer is" in text else -1
    found = _phrase(text[start:]) if start >= 0 and _FINAL.search(text, start) else None
    return Extraction(answer=found.answer, rule="later") if found else None


def _tag(text: str) -> Extraction | None:
    tags = _TAG.findall(text[-_SEARCHED:]) if "<answer>" in text or "<ANSWER>" in text else []
    answer = _clip(tags[-1].strip()) if tags else ""
    return Extraction(answer=answer, rule="tag") if answer else None


def _unclosed_box(text: str) -> Extraction | None:
    start = text.rfind("\\boxed{")
    if start < 0:
        return None
    rest = text[start + 7 :].split("\n", 1)[0].strip().rstrip("$").strip()
    return Extraction(answer=rest, rule="unclosed box") if rest else None


def _hashes(text: str) -> Extraction | None:
    """The line after the last ``####`` that is no heading of a section."""
    end = len(text)
    for _ in range(_SECTIONS):
        start = text.rfind("####", 0, end)
        if start < 0:
            return None
        line = text[start + 4 : end].split("\n", 1)[0].strip().lstrip("#: ")
        line = line.strip("*") if line.startswith("**") and line.endswith("**") else line
        end = start
        label = None if line[:1].isdigit() else _ANSWER_LABEL.match(line)
        answer = line[label.end() :] if label else line
        if label and not answer:
            answer = next(
                filter(None, map(str.strip, text[start + 4 : start + 500].split("\n")[1:])), ""
            )
        if answer and (label or not _HEADING.match(line)):
            answer = _EMPHASIS.sub(r"\1", answer) if "**" in answer else answer
            return Extraction(answer=answer, rule="hashes")
    return None


def _phrase(text: str) -> Extraction | None:
    tail = text[-_SEARCHED:]
    for found in reversed(list(_PHRASE.finditer(tail))):
        answer = _clip(tail[found.end() :])
        if answer:
            return Extraction(answer=answer, rule="phrase")
    return None


def _clip(rest: str) -> str:
    """The answer at the start of ``rest``: one formula, or up to the end of the sentence."""
    rest = END_MARK.sub(" ", rest[:_SEARCHED]) if "<" in rest else rest
    rest = rest.lstrip(" \t\n*:：")
    filler = _FILLER.match(rest)
    rest = rest[filler.end() :] if filler else rest
    formula = _MATH_SPANS.match(rest)
    if formula and not _continues(rest[formula.end() :]):
        return _content(formula)
    for pattern in (_SENTENCE_END, _REASONED):
        end = pattern.search(rest)
        rest = rest[: end.start()] if end else rest
    answer = _EMPHASIS.sub(r"\1", rest)
    return _condense(_among_ideographs(answer.strip(" \t*`\"'")))


def _among_ideographs(answer: str) -> str:
    """The last piece with a number: Chinese, Japanese and Korean have no spaces around numbers."""
    if not _IDEOGRAPH.search(answer):
        return answer
    if _CHANGED.search(answer) and len(_NUMBER.findall(answer)) == 1:
        return answer
    pieces = [p.strip(" ，、,：:") for p in _IDEOGRAPH.split(answer) if any(map(str.isdigit, p))]
    return pieces[-1] if pieces else answer


def _condense(answer: str) -> str:
    """The answer in a sentence: ``34`` of "the largest n is 34"."""
    if len(_PROSE_WORD.findall(_MATH_SPANS.sub(" ", answer))) < 2:
        return answer
    worked = _WORKED_OUT.search(answer) if "=" in answer else None
    if worked:
        return worked.group()
    option = _OPTION.search(answer)
    if option and not any(c.isdigit() or c in "$\\" for c in answer):
        return option[1]
    for copula in reversed(list(_COPULA.finditer(answer))):
        rest = answer[copula.end() :].strip()
        if rest:
            answer = rest
            break
    many = len(_PROSE_WORD.findall(_MATH_SPANS.sub(" ", answer))) > 3
    if many and len(_MATH_SPANS.findall(answer)) + len(_NUMBER.findall(answer)) != 1:
        found = _last(answer)
        return found.answer if found else answer
    return answer


def _content(formula: re.Match[str]) -> str:
    return next(group for group in formula.groups() if group).strip()


def _continues(rest: str) -> bool:
    end = _SENTENCE_END.match(rest)
    return not end and bool(re.match(r"\s*(?:,|and\b|or\b|\\?%|/|\^)\s*\S", rest))


def _letter(text: str, options: int) -> Extraction | None:
    """The letter that the text begins with, unless it discusses all options; else the last one."""
    last = chr(ord("A") + options - 1)
    tail = text[-_SEARCHED:]
    first = re.match(
        rf"[\s*(\[]*([A-{last}])(?:[\])*]*\s*(?:[.:,;)。，、\n]|[-–—]\s|$)|{_IDEOGRAPH.pattern}"
        r"|\s+(?:because|since|as|for|is(?!\s+(?:wrong|not|false|incorrect|out|ruled|no))|was)\b)",
        text,
    )
    listed = set(re.findall(rf"(?m)^[\s*(]{{0,8}}([A-{last}])[).:]", tail))
    letters = re.findall(
        rf"(?<![\w'])(?<!not )(?<!n't )\(?([A-{last}])\)?(?![\w'])"
        r"(?!(?<=A)\s+(?!is\b|because\b|since\b|and\b|or\b|as\b|was\b)[a-z])"
        r"(?!\s+(?:is|was|are)(?:n't|\s+(?:wrong|not|false|incorrect|out|ruled|no))\b)",
        tail,
    )
    if first and len(listed) < 2:
        letters.append(first[1])
    elif len(text.strip(" ().")) == 1 and text.strip(" ().").upper() <= last:
        letters = [text.strip(" ().").upper()]
    return Extraction(answer=letters[-1], rule="letter") if letters else None


def _whole(text: str) -> Extraction | None:
    answer = _CONCLUDES.sub("", text.strip(), count=1)
    if not answer or len(answer) > 1000 or answer.count("$$") > 2:
        return None
    if "\n" in answer and "\\begin" not in answer:
        return None
    if _IDEOGRAPH.search(answer) and any(c.isdigit() for c in answer):
        short = len(answer) <= _SHORT and len(_NUMBER.findall(answer)) == 1
        return Extraction(answer=answer, rule="whole") if short else None
    return _line(answer)


def _line(answer: str) -> Extraction | None:
    """One line: a formula, a few words, or a short sentence that says what something is."""
    outside = _CONNECTIVE.sub(" ", _MATH_SPANS.sub(" \x00 ", answer))
    words = len(_PROSE_WORD.findall(_TEXT_COMMAND.sub(" ", outside)))
    said = _SAYS.fullmatch(_EMPHASIS.sub(r"\1", answer)) if words > 4 else None
    if said and "\x00" not in outside:
        return Extraction(answer=said[1], rule="is")
    if words > (0 if "\x00" in outside else 4) or _SENTENCE_END.search(answer.rstrip(" .\n")):
        return None
    answer = _EMPHASIS.sub(r"\1", _LABEL.sub("", answer) if _LABEL.match(answer) else answer)
    if words > 1 and any(c.isdigit() for c in answer) and _condense(answer) != answer:
        return Extraction(answer=_condense(answer), rule="is")
    return Extraction(answer=answer, rule="whole")


def _last(text: str) -> Extraction | None:
    from manyways.verifiers.answers.words import number_word  # for lenient readings alone

    tail = text[-_SEARCHED:]
    line = tail.rstrip().rpartition("\n")[2].strip(" .*。")
    if number_word(line) is not None:
        return Extraction(answer=line, rule="last number")
    formula = max(_MATH_SPANS.finditer(tail), key=re.Match.end, default=None)
    number = max(_NUMBER.finditer(tail), key=re.Match.end, default=None)
    if formula and (number is None or number.start() < formula.end()):
        return Extraction(answer=_content(formula), rule="last formula")
    return Extraction(answer=number.group().strip(), rule="last number") if number else None


_FORMS = {"boxed": _boxed, "hashes": _hashes, "phrase": _phrase}

_BOX = re.compile(r"\\{1,2}(?:boxed|fbox|framebox)(?![a-zA-Z])\s*(\{)?|\\.|[{}]", re.S)
_OPENED = re.compile(r"\\{1,2}(?:boxed|fbox|framebox)(?![a-zA-Z])")
_BETWEEN = re.compile(
    r"(?:[\s$,;*&]|\\[\[\]();,! ]|\\q?quad|\\(?:text|mbox|textrm)\{[^{}]{0,30}\}|\band\b|\bor\b"
    r"|[a-zA-Z](?:_\{?\w\}?)?\s*=|(?!(?:and|or)\b)[a-zA-Z]{3,15}\s+(?=(?:and|or)\b))*"
)
_BARE_BOX = re.compile(r"[^\s$,;{}]+")

MAX_PARTS = 64
"""The most boxes that stand together and are one answer; the last ones count."""


def boxed_parts(text: str) -> list[str]:
    """The contents of the last box and of the boxes that stand together with it; may be empty."""
    start = text.rfind("\\boxed{")
    if start >= 0 and text.find("\\boxed") == start and "box{" not in text[start + 7 :]:
        end = text.find("}", start)
        inside = text[start + 7 : end]
        if end > 0 and "{" not in inside and "\\" not in inside and "framebox" not in text:
            return [inside.strip()] if inside.strip() else []
    boxes = [box for box in _boxes(text) if box[2]]
    if not boxes:
        return []
    first, _, content = boxes.pop()
    parts = [_innermost(content)]
    while boxes and first - boxes[-1][1] <= 60 and len(parts) < MAX_PARTS:
        earlier, end, content = boxes.pop()
        if not _BETWEEN.fullmatch(text, end, first):
            break
        if _innermost(content) != parts[0]:
            parts.insert(0, _innermost(content))
        first = earlier
    return parts


def end_of_boxes(text: str) -> int:
    """Where the last closed box ends, -1 when there is none."""
    return max((end for _, end, _ in _boxes(text)), default=-1) if "box" in text else -1


def _innermost(content: str) -> str:
    r"""``5 m`` of ``\boxed{5 m}``: the content of a box that contains only a box."""
    for _ in range(3):
        inner = _boxes(content)
        if len(inner) != 1 or inner[0][:2] != (0, len(content)) or not inner[0][2]:
            break
        content = inner[0][2]
    return content


def _boxes(text: str) -> list[tuple[int, int, str]]:
    """(start, end, content) of the closed outermost boxes, in one pass over braces."""
    boxes: list[tuple[int, int, str]] = []
    stack: list[tuple[int, int]] = []  # (start of the box or -1, start of the content)
    outer = 0  # how many boxes are open
    first = _OPENED.search(text)
    for token in _BOX.finditer(text, first.start()) if first else ():
        word = token.group()
        if word == "{" or token.group(1):
            is_box = word != "{"
            stack.append((token.start() if is_box else -1, token.end()))
            outer += is_box
        elif word == "}":
            if not stack:
                continue
            start, content = stack.pop()
            if start >= 0:
                outer -= 1
                if outer == 0:
                    boxes.append((start, token.end(), text[content : token.start()].strip()))
        elif len(word) > 2 and outer == 0:
            bare = _BARE_BOX.match(text, token.end())
            if bare:
                boxes.append((token.start(), bare.end(), bare.group().rstrip(".")))
    return boxes
