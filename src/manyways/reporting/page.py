r"""Write sections as one self-contained HTML page, or as Markdown.

Texts of models and users enter the page in two ways. Jinja escapes them, or they stand in JSON
where each ``<``, ``>`` and ``&`` is an escape sequence, so that no text can end a script element.
In both, a character that is invisible or changes the reading direction is written as its number. A
content security policy allows the scripts of the page by hash, and no connection. The page holds
the library that draws the charts in compressed form, and unpacks it; the policy has its hash.

So the page needs no network, and only our scripts run in it. Markdown has the sentences and tables
but no charts.
"""

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import singledispatch
from importlib.resources import files

import jinja2
from markupsafe import Markup

from manyways.progress import visible
from manyways.recipe.tree import Recipe
from manyways.reporting import (
    Charts,
    Code,
    Entry,
    Explorer,
    Fold,
    Heading,
    Link,
    Note,
    Pipeline,
    Section,
    Table,
    Ways,
    charts,
)

LONG = 11
"""The longest word that a column title never breaks, in letters."""
STYLES = ("report.css", "blocks.css", "print.css")
LIBRARY, LICENCE = "plotly-basic.min.js.gz", "plotly-LICENSE.txt"
"""plotly.js with the traces that charts use. ``.ci/plotly.py`` writes it anew."""


def render_html(name: str, recipe: Recipe, sections: Sequence[Section]) -> str:
    """The whole report of the run ``name``."""
    blocks = (block for section in sections for block in section.blocks)
    data = next((block.data for block in blocks if isinstance(block, Explorer)), {})
    values = {"name": name, "recipe": recipe, "explorer_data": json_island(data)}
    scripts = ("report.js", "tables.js", "explorer.js")
    return render_page("report.html.j2", sections, scripts=scripts, values=values)


def render_page(
    template: str,
    built: Sequence[Section],
    *,
    scripts: Sequence[str] = ("report.js", "tables.js"),
    values: Mapping[str, object],
) -> str:
    """A page of sections.

    Args:
        template: one of the assets.
        built: the sections in order. The ids of their charts must differ.
        scripts: assets that run in the page. The first one unpacks Plotly.
        values: other names that the template uses.
    """
    run = [Markup(_asset(script)) for script in scripts]
    packed = files("manyways.reporting").joinpath("assets", LIBRARY).read_bytes()
    environment = jinja2.Environment(
        autoescape=True,
        loader=jinja2.FunctionLoader(_asset),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_seen,
    )
    dark = charts.dark_colours()
    environment.filters["both"] = lambda colour: f"light-dark({colour}, {dark[colour]})"
    environment.filters["ticks"] = _code
    environment.filters["whole"] = lambda text: _unbroken(visible(str(text)))
    environment.filters["breakable"] = _breakable
    environment.filters["kind"] = lambda block: type(block).__name__
    page = environment.get_template(template).render(
        sections=built,
        scripts=run,
        styles=[Markup(_asset(name)) for name in STYLES],
        policy=_policy([*run, gzip.decompress(packed).decode()]),
        library=base64.b64encode(packed).decode(),
        licence=_asset(LICENCE),
        page_data=json_island({"charts": _specs(built), "dark": dark}),
        **values,
    )
    return page.encode("utf-8", "replace").decode("utf-8")


def _code(sentence: str) -> Markup:
    """The sentence, escaped; text between backticks is code."""
    parts = visible(sentence).split("`")
    if len(parts) % 2 == 0:
        return Markup.escape(visible(sentence))
    return Markup("").join(_command(p) if i % 2 else _unbroken(p) for i, p in enumerate(parts))


def _command(code: str) -> Markup:
    """Code that breaks at spaces only, unless a word is too long for a phone."""
    return Markup("<code>{}</code>").format(_unbroken(code, r"\S{1,36}(?=\s|$)"))


HYPHENED = r"(?<![\w/-])[a-z]+-\d+(?![\w/-])"
"""The name of an arm such as heuristics-8, which browsers would break at its hyphen."""


def _unbroken(text: str, pieces: str = HYPHENED) -> Markup:
    """The text, escaped; a piece with a hyphen is never broken."""
    kept = Markup('<span class="whole">{}</span>')
    found, at = Markup(""), 0
    for piece in re.finditer(pieces, text):
        if "-" in piece[0] and not text[: piece.start()].endswith("-"):
            found += Markup.escape(text[at : piece.start()]) + kept.format(piece[0])
            at = piece.end()
    return found + Markup.escape(text[at:])


def _breakable(title: str) -> Markup:
    """The title of a column. Only its long words may be broken."""
    long = Markup('<span class="long-word">{}</span>')
    words = visible(title).split(" ")
    return Markup(" ").join(long.format(w) if len(w) > LONG else w for w in words)


def _seen(value: object) -> object:
    """The value for the page; control and direction characters in texts are made visible."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value)
    if isinstance(value, Mapping):
        return {_seen(key): _seen(inner) for key, inner in value.items()}
    return [_seen(inner) for inner in value] if isinstance(value, list | tuple) else value


def json_island(value: object) -> Markup:
    """JSON in ASCII that is safe inside a script element, whatever its strings hold."""
    text = json.dumps(_seen(value), ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _specs(built: Sequence[Section]) -> dict[str, object]:
    groups = (block for section in built for block in section.every if isinstance(block, Charts))
    return {chart.id: chart.spec for group in groups for chart in group.charts}


def _asset(name: str) -> str:
    return files("manyways.reporting").joinpath("assets", name).read_text(encoding="utf-8")


def _policy(scripts: Sequence[str]) -> str:
    hashes = (hashlib.sha256(script.encode()).digest() for script in scripts)
    allowed = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


SIGNS = {"stop": "**Stopped.** "}
SPECIAL = str.maketrans({c: f"\\{c}" for c in "\\`*_[]<>|#"} | {"\n": " ", "\r": " "})


def render_markdown(name: str, sections: Sequence[Section]) -> str:
    """The report as text: each sentence and table of the page, but no chart."""
    parts = [f"Run `{name}`. The figures and the explorer are in report.html."]
    for number, section in enumerate(sections):
        parts += _section(section, level=1 if number == 0 else 2)
    first, *rest = parts
    title, *others = rest
    return "\n\n".join([title, first, *others]) + "\n"


def _section(section: Section, *, level: int) -> list[str]:
    intro = f"**{_text(section.intro)}**" if level == 1 else _text(section.intro)
    asked = [_sentence(section.warning), _text(" · ".join(section.tags)), _text(section.question)]
    blocks = [text for block in section.blocks if (text := _block(block))]
    return [f"{'#' * level} {_text(section.title)}", *filter(None, asked), intro, *blocks]


def _text(text: str) -> str:
    return visible(text).translate(SPECIAL)


@singledispatch
def _block(block: object) -> str:
    raise TypeError(f"no Markdown for {type(block).__name__}")


@_block.register
def _(block: Table) -> str:
    rules = ("---:" if numeric else "---" for numeric in block.numeric)
    lines = [_row(block.head), f"| {' | '.join(rules)} |", *(_row(row) for row in block.rows)]
    note = f"\n\n{_text(block.note)}" if block.note else ""
    return f"**{_text(block.caption)}**\n\n" + "\n".join(lines) + note


def _row(entries: tuple[Entry, ...]) -> str:
    texts = (entry.text if isinstance(entry, Link) else str(entry) for entry in entries)
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
    """The sentence as Markdown; text between backticks is code."""
    parts = visible(sentence).split("`")
    if len(parts) % 2 == 0:
        return _text(sentence)
    return "".join(f"`{p}`" if i % 2 else _text(p) for i, p in enumerate(parts))


@_block.register
def _(block: Code) -> str:
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", block.text)), default=0))
    body = f"{fence}toml\n{visible(block.text)}{fence}"
    return f"<details><summary>{_text(block.caption)}</summary>\n\n{body}\n\n</details>"


@_block.register
def _(block: Pipeline) -> str:
    steps = (f"{step.title} {step.count} ({step.text})" for step in block.steps)
    return _text(" → ".join(steps))


@_block.register
def _(block: Ways) -> str:
    """Only the names: the texts are in the page."""
    return f"{_text(block.caption)}: {_text(', '.join(way.name for way in block.ways))}."


@_block.register
def _(block: Fold) -> str:
    return "\n\n".join(text for inner in block.blocks if (text := _block(inner)))


@_block.register
def _(block: Explorer) -> str:
    return _sentence(block.note)
