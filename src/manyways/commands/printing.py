"""Tables that are the result of a command, on standard output."""

from rich.console import Console
from rich.table import Table


def open_table(*columns: str) -> Table:
    """A table without a frame whose cells fold instead of being cut."""
    table = Table(show_edge=False, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def print_result(table: Table) -> None:
    """To standard output: these tables are the result of the command."""
    Console(markup=False, highlight=False).print(table)
