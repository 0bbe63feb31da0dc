"""The problems and texts that the page's explorer holds, within a size."""

import json

from manyways.reporting.blocks import Explorer, Section
from manyways.reporting.source import Source
from manyways.results.tables import ExplorerRow

MAX_BYTES = 7_000_000
"""Size of the explorer's texts at most: the page stays below 15 MB with the chart library."""

INTRO = (
    "Read for yourself: each problem with many solutions side by side. A coloured edge and a tag "
    "say which heuristic a step shows; steps without one are direct."
)


def section(source: Source) -> Section:
    """The explorer, and what it is a sample of."""
    shown = len(fitting(source.explorer, MAX_BYTES))
    note = (
        f"A sample: {shown} problems, not all attempts of the run."
        if shown == len(source.explorer)
        else f"A sample: {shown} of {len(source.explorer)} problems, to keep this file small."
    )
    return Section(
        id="explorer", title="Explorer", intro=INTRO, blocks=(Explorer(note=note if shown else ""),)
    )


def fitting(rows: list[ExplorerRow], limit: int) -> list[ExplorerRow]:
    """The first rows whose texts fit in ``limit`` bytes."""
    used, chosen = 0, []
    for row in rows:
        used += len(json.dumps(_problem(row)))
        if used > limit:
            break
        chosen.append(row)
    return chosen


def payload(source: Source) -> dict[str, object]:
    """What the page's script reads: problems, names and colours of heuristics."""
    return {
        "problems": [_problem(row) for row in fitting(source.explorer, MAX_BYTES)],
        "heuristics": {
            heuristic: {
                "name": source.heuristic_name(heuristic),
                "colour": source.heuristic_colour(heuristic),
            }
            for heuristic in [*source.heuristics, "direct", "plain"]
        },
    }


def _problem(row: ExplorerRow) -> dict[str, object]:
    return {
        "id": row.problem_id,
        "question": row.question,
        "answer": row.answer,
        "texts": [
            {
                "source": text.source,
                "heuristic": text.heuristic,
                "status": text.status,
                "answer": text.answer,
                "kept": text.kept,
                "note": text.note,
                "steps": text.steps,
            }
            for text in row.texts
        ],
    }
