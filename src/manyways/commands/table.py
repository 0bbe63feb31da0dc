"""``manyways table``: the comparison table of a run, for a paper, a README or a spreadsheet."""

from pathlib import Path

from manyways import foreign
from manyways.commands.printing import print_text
from manyways.errors import UserError
from manyways.measures.comparison import build
from manyways.measures.pass_at_k import PASS_AT_K
from manyways.measures.seen import load
from manyways.progress import say
from manyways.reporting.arms_table import FORMATS
from manyways.tables import write_text


def write_table(run: Path, *, style: str, out: Path | None, intervals: bool) -> None:
    """Write the table as ``style`` (a key of ``FORMATS``) to ``out``, or to standard output.

    Raises RunDirError when ``run`` is no run folder, UserError when nothing was analysed yet.
    """
    seen = load(run)
    foreign.say_unused(seen.recipe)
    if not seen.rows(PASS_AT_K):
        raise UserError(f"'{run}' has no scores yet: run `manyways evaluate` and `analyse` on it.")
    text = FORMATS[style](build(seen), intervals=intervals)
    if out is None:
        print_text(text.removesuffix("\n"))
    else:
        write_text(out, text)
        say(f"table: {out}")
