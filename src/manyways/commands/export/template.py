"""Cards: YAML front matter and Markdown from a template."""

from pathlib import Path
from typing import Any

from huggingface_hub import CardData
from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parent / "cards"


def front_matter(header: dict[str, Any]) -> str:
    """The YAML block that opens a card on the Hugging Face Hub."""
    return f"---\n{CardData(**header).to_yaml()}\n---\n\n"


def render(name: str, **values: object) -> str:
    """A template of this package as Markdown; a name that it lacks is an error."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["cell"] = cell
    return environment.get_template(name).render(**values)


def cell(value: object) -> str:
    r"""A value inside a Markdown table: one line, bars escaped."""
    return " ".join(str(value).split()).replace("|", "\\|") or "-"
