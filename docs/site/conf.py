"""The site of docs/, by `make docs`: Sphinx, pages in Markdown, nothing loaded from elsewhere."""

import re
from collections.abc import Iterator

from pygments.lexers.data import JsonLexer
from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

import manyways

project = "manyways"
version = release = manyways.__version__
copyright = f"{project} contributors, Apache-2.0"  # noqa: A001 - Sphinx's own name
extensions = ["myst_parser"]
exclude_patterns = ["site", "results/*/*.md"]
html_theme = "furo"
html_title = f"{project} {version}"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_theme_options = {"top_of_page_buttons": []}
html_copy_source = html_show_sourcelink = False
html_use_index = smartquotes = False
myst_heading_anchors = 4
LONG = re.compile(r"\]\(([\w./-]+/(?:report|comparison)\.md)\)")
"""A link to the report of a run, as long as a book."""


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.add_lexer("jsonl", JsonLexer)
    app.add_lexer("csv", TextLexer)
    app.connect("source-read", prepare)


def prepare(_: Sphinx, page: str, source: list[str]) -> None:
    """Long reports are files to download, and the first page's lists are the site's navigation."""
    source[0] = LONG.sub(r"](path:\1)", source[0])
    if page == "index":
        source[0] += "".join(navigation(source[0]))


def navigation(page: str) -> Iterator[str]:
    """A hidden ``toctree`` for each heading with the pages in its list."""
    for part in page.split("\n## ")[1:]:
        caption, _, text = part.partition("\n")
        pages = "\n".join(re.findall(r"^- \[.+?\]\((\S+)\.md\)", text, re.MULTILINE))
        yield f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{pages}\n```\n"
