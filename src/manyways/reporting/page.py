"""Sections into one self-contained HTML page: no network, nothing in it can run but our scripts.

Texts of models and users reach the page in two ways only: through Jinja's escaping, or inside JSON
whose every ``<``, ``>`` and ``&`` is written as an escape, so no text can end a script element. A
content security policy allows the page's own scripts by hash and no connection at all. The library
that draws the figures travels packed and is unpacked by the page; its hash stands in the policy.
"""

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files

import jinja2
from markupsafe import Markup

from manyways.recipe.tree import Recipe
from manyways.reporting import palette
from manyways.reporting.blocks import Chart, Charts, Explorer, Section

LONG = 11
"""Letters of a word that stay together."""
STYLES = ("report.css", "blocks.css", "print.css")
LIBRARY, LICENCE = "plotly-basic.min.js.gz", "plotly-LICENSE.txt"
"""plotly.js with the traces that figures use, renewed by ``.ci/plotly.py``."""


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
        built: the sections in order; their figures' ids must differ.
        scripts: assets that run in the page; the first one unpacks Plotly.
        values: what else the template names.
    """
    run = [Markup(_asset(script)) for script in scripts]
    packed = files("manyways.reporting").joinpath("assets", LIBRARY).read_bytes()
    environment = jinja2.Environment(
        autoescape=True,
        loader=jinja2.FunctionLoader(_asset),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    dark = palette.dark_of()
    environment.filters["both"] = lambda colour: f"light-dark({colour}, {dark[colour]})"
    environment.filters["ticks"] = _code
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
    """The sentence escaped, what stands between backticks as code."""
    parts = sentence.split("`")
    if len(parts) % 2 == 0:
        return Markup.escape(sentence)
    written = (Markup("<code>{}</code>").format(p) if i % 2 else Markup.escape(p)
               for i, p in enumerate(parts))  # fmt: skip
    return Markup("").join(written)


def _breakable(title: str) -> Markup:
    """A column's title whose long words may be broken, and no others."""
    long = Markup('<span class="long-word">{}</span>')
    return Markup(" ").join(long.format(w) if len(w) > LONG else w for w in title.split(" "))


def json_island(value: object) -> Markup:
    """JSON that is safe inside a script element whatever its strings hold, in plain ASCII."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _specs(built: Sequence[Section]) -> dict[str, object]:
    return {chart.id: chart.spec for chart in _charts(built)}


def _charts(built: Sequence[Section]) -> list[Chart]:
    groups = (block for section in built for block in section.every if isinstance(block, Charts))
    return [chart for group in groups for chart in group.charts]


def _asset(name: str) -> str:
    return files("manyways.reporting").joinpath("assets", name).read_text(encoding="utf-8")


def _policy(scripts: Sequence[str]) -> str:
    hashes = (hashlib.sha256(script.encode()).digest() for script in scripts)
    allowed = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
