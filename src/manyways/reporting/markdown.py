"""The same sections as Markdown: sentences and tables, figures in words."""

from collections.abc import Sequence
from functools import singledispatch

from manyways.reporting.blocks import (
    Cell,
    Charts,
    Code,
    Explorer,
    Fold,
    Heading,
    Link,
    Note,
    Pipeline,
    Section,
    Table,
    Ways,
)

SIGNS = {"stop": "**Stopped.** "}
SPECIAL = str.maketrans({c: f"\\{c}" for c in "\\`*_[]<>|#"} | {"\n": " ", "\r": " "})


def render_markdown(name: str, sections: Sequence[Section]) -> str:
    """A summary for reading as text: every sentence and table of the page, not its figures."""
    parts = [f"Run `{name}`. The figures and the explorer are in report.html."]
    for number, section in enumerate(sections):
        parts += _section(section, level=1 if number == 0 else 2)
    first, *rest = parts
    title, *others = rest
    return "\n\n".join([title, first, *others]) + "\n"


def _section(section: Section, *, level: int) -> list[str]:
    intro = f"**{_text(section.intro)}**" if level == 1 else _text(section.intro)
    asked = [_text(" · ".join(section.tags)), _text(section.question)]
    blocks = [text for block in section.blocks if (text := _block(block))]
    return [f"{'#' * level} {_text(section.title)}", *filter(None, asked), intro, *blocks]


def _text(text: str) -> str:
    return text.translate(SPECIAL)


@singledispatch
def _block(block: object) -> str:
    raise TypeError(f"no Markdown for {type(block).__name__}")


@_block.register
def _(block: Table) -> str:
    rules = ("---:" if numeric else "---" for numeric in block.numeric)
    lines = [_line(block.head), f"| {' | '.join(rules)} |", *(_line(row) for row in block.rows)]
    note = f"\n\n{_text(block.note)}" if block.note else ""
    return f"**{_text(block.caption)}**\n\n" + "\n".join(lines) + note


def _line(cells: tuple[Cell, ...]) -> str:
    texts = (cell.text if isinstance(cell, Link) else str(cell) for cell in cells)
    return f"| {' | '.join(_text(text) for text in texts)} |"


@_block.register
def _(block: Charts) -> str:
    return ""


@_block.register
def _(block: Heading) -> str:
    return f"### {_text(block.title)}" + (f"\n\n{_text(block.text)}" if block.text else "")


@_block.register
def _(block: Note) -> str:
    return "\n".join(
        f"- {SIGNS.get(block.kind, '')}{_sentence(sentence)}" for sentence in block.sentences
    )


def _sentence(sentence: str) -> str:
    """As text, what stands between backticks as code."""
    parts = sentence.split("`")
    if len(parts) % 2 == 0:
        return _text(sentence)
    return "".join(f"`{p}`" if i % 2 else _text(p) for i, p in enumerate(parts))


@_block.register
def _(block: Code) -> str:
    fence = "`" * max(3, 1 + max((len(run) for run in _backticks(block.text)), default=0))
    body = f"{fence}toml\n{block.text}{fence}"
    return f"<details><summary>{_text(block.caption)}</summary>\n\n{body}\n\n</details>"


def _backticks(text: str) -> list[str]:
    return "".join(c if c == "`" else " " for c in text).split()


@_block.register
def _(block: Pipeline) -> str:
    steps = (f"{step.title} {step.count} ({step.text})" for step in block.steps)
    return _text(" → ".join(steps))


@_block.register
def _(block: Ways) -> str:
    """The names alone: the texts are in the page."""
    return f"{_text(block.caption)}: {_text(', '.join(way.name for way in block.ways))}."


@_block.register
def _(block: Fold) -> str:
    return "\n\n".join(text for inner in block.blocks if (text := _block(inner)))


@_block.register
def _(block: Explorer) -> str:
    return _text(block.note)
