"""Figures of the paper, as secondary summaries give them: shown beside ours, never as ours."""

from dataclasses import dataclass

from manyways.measures.benchmarks import MATH_MEAN

SOURCE = (
    "Published figures, not measured here: RRV et al., Mid-Training with Self-Generated Data "
    "Improves Reinforcement Learning in Language Models, arXiv 2605.08472, quoted from secondary "
    "summaries; Llama-3.2-3B-Instruct, in %, no intervals given."
)
MEAN64, AIME25, AMC23, MATH500 = (
    (name, "pass@64") for name in (MATH_MEAN, "aime25/test", "amc23/test", "math500/test")
)
CODE, MURDER, TEAM = (
    (name, "k not stated") for name in ("humaneval/test", "musr/murder", "musr/team")
)
COLUMNS = (MEAN64, AIME25, AMC23, MATH500, CODE, MURDER, TEAM)
"""(benchmark, measure), in the order of the table."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedRow:
    """One line of the paper's results, in %. Example: ``PublishedRow(label="RL only", ...)``."""

    label: str
    values: dict[tuple[str, str], float]


ROWS = (
    PublishedRow(label="base (zero-shot)", values={MEAN64: 46.30}),
    PublishedRow(label="STaR, mid-trained", values={MEAN64: 46.32}),
    PublishedRow(label="Polya n=64, mid-trained", values={MEAN64: 48.17}),
    PublishedRow(
        label="RL only",
        values={
            MEAN64: 44.21, AIME25: 16.91, AMC23: 78.18, MATH500: 83.42, CODE: 51.14,
            MURDER: 53.15, TEAM: 23.46,
        },
    ),
    PublishedRow(label="STaR + RL", values={MEAN64: 45.69}),
    PublishedRow(label="Polya n=16 + RL", values={MEAN64: 48.09}),
    PublishedRow(label="Polya n=64 + RL", values={MEAN64: 47.62}),
    PublishedRow(label="Polya n=32 + RL", values={TEAM: 39.07}),
    PublishedRow(
        label="Polya + RL, n not stated",
        values={AIME25: 23.34, AMC23: 84.52, MATH500: 86.27, CODE: 52.82, MURDER: 57.36},
    ),
)  # fmt: skip
