r"""The boxes of a text: ``\boxed{...}``, ``\fbox{...}``, ``\framebox{...}``; braces may nest.

One pass over the braces, so it is safe on anything a model wrote.
"""

import re

_BOX = re.compile(r"\\{1,2}(?:boxed|fbox|framebox)(?![a-zA-Z])\s*(\{)?|\\.|[{}]", re.S)
_OPENED = re.compile(r"\\{1,2}(?:boxed|fbox|framebox)(?![a-zA-Z])")
_BETWEEN = re.compile(
    r"(?:[\s$,;*&]|\\[\[\]();,! ]|\\q?quad|\\(?:text|mbox|textrm)\{[^{}]{0,30}\}|\band\b|\bor\b"
    r"|[a-zA-Z](?:_\{?\w\}?)?\s*=|(?!(?:and|or)\b)[a-zA-Z]{3,15}\s+(?=(?:and|or)\b))*"
)
_BARE_BOX = re.compile(r"[^\s$,;{}]+")

MAX_PARTS = 64
"""So many boxes that stand together are one answer, of those that stand there the last."""


def boxed_parts(text: str) -> list[str]:
    """What the last box holds, after what those hold that stand together with it; may be empty."""
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
    r"""``5 m`` of ``\boxed{5 m}``: what a box holds that holds nothing but a box."""
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
