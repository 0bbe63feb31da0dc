"""What a command answers, on standard output. Every text of the commands goes through here."""

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from manyways.progress import PLAIN, open_table, visible

__all__ = ["open_table", "print_panel", "print_result", "print_sentence", "print_text"]


def print_text(text: str) -> None:
    """A text as it is; what would act on the terminal is shown by its escape."""
    print(visible(text))


def print_sentence(text: str) -> None:
    """A sentence: broken between words on a terminal, in one line elsewhere."""
    console = Console(**PLAIN)  # type: ignore[arg-type]
    console.print(visible(text), soft_wrap=not console.is_terminal)


def print_result(table: Table, *, width: int | None = None) -> None:
    """A table of ``open_table``, as wide as the terminal or ``width``."""
    Console(width=width, **PLAIN).print(table)  # type: ignore[arg-type]


def print_panel(text: str, *, title: str) -> None:
    """A text in a frame as wide as the terminal."""
    panel = Panel(Text(visible(text)), title=Text(visible(title)))
    Console(**PLAIN).print(panel)  # type: ignore[arg-type]
