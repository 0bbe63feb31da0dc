"""Every measure. To add one: its file, and its line here."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, get_args

from manyways.measures import Finding, Kind, Measure
from manyways.measures.arms import ARMS
from manyways.measures.averages import AVERAGES
from manyways.measures.chapters import CHAPTERS
from manyways.measures.composition import COMPOSITION
from manyways.measures.costs import COSTS
from manyways.measures.curves import CURVES
from manyways.measures.diversity import DIVERSITY
from manyways.measures.explorer import EXPLORER
from manyways.measures.four_cells import FOUR_CELLS
from manyways.measures.gate import GATE
from manyways.measures.labeller import LABELLER
from manyways.measures.majority import MAJORITY
from manyways.measures.openings import OPENINGS
from manyways.measures.paired import PAIRED
from manyways.measures.pass_at_k import PASS_AT_K
from manyways.measures.predictions import PREDICTIONS
from manyways.measures.probe import PROBE
from manyways.measures.rates import RATES
from manyways.measures.seen import FINDINGS
from manyways.measures.steps import STEPS
from manyways.measures.token_modes import TOKEN_MODES
from manyways.measures.yields import YIELD
from manyways.reporting import Section

if TYPE_CHECKING:
    from manyways.measures.seen import Seen

MEASURES: tuple[Measure[Any], ...] = (
    EXPLORER,
    YIELD,
    ARMS,
    DIVERSITY,
    PASS_AT_K,
    AVERAGES,
    MAJORITY,
    FOUR_CELLS,
    PAIRED,
    COMPOSITION,
    LABELLER,
    GATE,
    PREDICTIONS,
    OPENINGS,
    TOKEN_MODES,
    PROBE,
    STEPS,
    CURVES,
    RATES,
    COSTS,
)
"""In the order in which a section shows them and their sentences are read."""

TABLES: dict[str, type] = {measure.name: measure.row for measure in MEASURES} | {FINDINGS: Finding}
"""File stem in ``7-tables`` -> class of its rows."""


def sections(seen: "Seen") -> list[Section]:
    """The report."""
    return [chapter.section(seen, MEASURES) for chapter in CHAPTERS]


def findings(seen: "Seen") -> Iterator[Finding]:
    """What all measures say, by kind."""
    said = [finding for measure in MEASURES for finding in measure.says(seen)]
    for kind in get_args(Kind):
        yield from (finding for finding in said if finding.kind == kind)
