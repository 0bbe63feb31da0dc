"""``manyways table``: the comparison table of a run, for a paper, a README or a spreadsheet."""

import sys
from pathlib import Path

from manyways.errors import UserError
from manyways.progress import say
from manyways.reporting.arms_formats import FORMATS
from manyways.reporting.arms_table import build
from manyways.reporting.source import load_source
from manyways.tables import write_text


def write_table(run: Path, *, style: str, out: Path | None, intervals: bool) -> None:
    """Write the table as ``style`` (a key of ``FORMATS``) to ``out``, or to standard output.

    Raises RunDirError when ``run`` is no run folder, UserError when nothing was analysed yet.
    """
    source = load_source(run)
    if not source.pass_at_k:
        raise UserError(f"'{run}' has no scores yet: run `manyways evaluate` and `analyse` on it.")
    text = FORMATS[style](build(source), intervals=intervals)
    if out is None:
        sys.stdout.write(text)
    else:
        write_text(out, text)
        say(f"table: {out}")
