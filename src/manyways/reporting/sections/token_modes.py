"""How many tokens each checkpoint could well go on with where solutions part, from its logits."""

from manyways.reporting import charts, words
from manyways.reporting.blocks import Block, Chart, Charts, Heading, Table
from manyways.reporting.sections import by_checkpoint
from manyways.reporting.source import Source

TEXT = (
    "Kept solutions of one problem under different heuristics are laid side by side. Each "
    "checkpoint is given what they have in common, and says with which tokens it could go on: the "
    "effective number is exp of the entropy, exact from its logits at temperature 1. Tokens are "
    "not heuristics: several heuristics may share one, and a heuristic may have several (A3)."
)


def blocks(source: Source) -> list[Block]:
    """A figure and a table; nothing where no logits were read."""
    rows = source.token_modes
    if not rows:
        return []
    lines = by_checkpoint.lines(
        source,
        (
            (row, row.modes, f"{words.quantity(row.modes)} tokens, n = {row.modes.n} problems", "")
            for row in rows
        ),
    )
    chart = Chart(
        id="token-modes",
        title="Token modes where solutions part",
        alt=f"Effective number of next tokens: {by_checkpoint.listed(lines)}",
        spec=charts.intervals(lines, axis="effective number of next tokens"),
        height=charts.height_of(lines),
        note="95% bootstrap intervals over problems.",
    )
    heading = Heading(title="How many ways could it go on?", text=TEXT)
    return [heading, Charts(charts=(chart,)), _table(source)]


def _table(source: Source) -> Table:
    return Table(
        caption="Next tokens where solutions part",
        head=("", "effective number", "over seeds", "likely tokens", "known", "n"),
        rows=tuple(
            (
                words.checkpoint_label(row.checkpoint),
                words.quantity(row.modes),
                words.quantity(row.seeds),
                words.quantity(row.above),
                words.rate(row.known),
                words.count(row.modes.n),
            )
            for row in source.token_modes
        ),
        note="Likely tokens: those with a probability above 0.05. Known: the probability of the "
        "tokens that the kept solutions go on with. Solutions part after "
        f"{words.number(source.token_modes[0].shared, 1)} tokens of their own on average. n: "
        "problems.",
        folded=len(source.token_modes) > 8,
    )
