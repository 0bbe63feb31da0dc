"""The shipped recipes: what there is, and a copy to change."""

from pathlib import Path

from manyways.commands.printing import open_table, print_result, print_text
from manyways.recipe import shipped


def list_recipes() -> None:
    """Print the name of each shipped recipe and what it is for."""
    table = open_table("recipe", "what it is for", title="`manyways run NAME` runs one")
    for name in shipped.names():
        table.add_row(name, shipped.purpose(name))
    print_result(table)


def copy_recipe(name: str, to: Path) -> None:
    """Copy a shipped recipe into the folder ``to`` and say how to run it."""
    copied = shipped.copy(name, to)
    print_text(f"{copied}\nNext: change it, then `manyways run {copied} --dry-run`.")
