"""The report as a list of sections, in reading order."""

from manyways.reporting import explorer
from manyways.reporting.blocks import Section
from manyways.reporting.sections import (
    answer,
    background,
    data,
    evaluation,
    expectations,
    training,
    why,
)
from manyways.reporting.source import Source


def sections(source: Source) -> list[Section]:
    """Answer first, then why, then everything behind it."""
    return [
        answer.section(source),
        why.section(source),
        expectations.section(source),
        data.section(source),
        training.section(source),
        evaluation.section(source),
        explorer.section(source),
        background.costs(source),
        background.cautions(source),
        background.provenance(source),
    ]
