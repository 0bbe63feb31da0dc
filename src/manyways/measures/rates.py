"""How attempts ended: correct, wrong, without an answer, undecided, cut off."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from manyways.measures import Finding, Measure
from manyways.measures.benchmarks import MEANS, summarise
from manyways.records import BASE, Checkpoint
from manyways.reporting import Block, Heading, Table, words

if TYPE_CHECKING:
    from manyways.measures.material import Evaluation
    from manyways.measures.seen import Seen


SHARES = ("correct", "wrong", "no_answer", "undecided", "truncated", "mean_tokens")
QUALIFYING = ("truncated", "no_answer", "undecided")
"""The shares that stand beside a score."""
TRUNCATED = 0.05
UNDECIDED = 0.01
"""Larger shares are mentioned in the findings."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RateRow:
    """Shares of attempts of one checkpoint on one benchmark, each in [0, 1].

    Pooled over seeds: of all attempts. Mean over benchmarks: the average of their shares.

    correct, wrong, no_answer, undecided: share with this verdict.
    truncated:   share that was cut off at the token limit.
    mean_tokens: of an attempt, no share.
    """

    checkpoint: str
    benchmark: str
    attempts: int
    correct: float
    wrong: float
    no_answer: float
    undecided: float
    truncated: float
    mean_tokens: float

    @property
    def measured(self) -> bool:
        """Whether this is one checkpoint on one benchmark, not a summary of several."""
        checkpoint = Checkpoint.parse(self.checkpoint)
        single = checkpoint == BASE or checkpoint.seed is not None
        return single and self.benchmark not in MEANS


def measured(seen: "Seen") -> list[RateRow]:
    """One row per checkpoint and benchmark, then pooled over seeds, then means over benchmarks."""
    single = ((e.checkpoint, e.benchmark, _row(e)) for e in seen.material.evaluations)
    return list(summarise(single, seen.material.means, merge=_merge, mean=_mean).values())


def _row(evaluation: "Evaluation") -> RateRow:
    import pyarrow.compute as pc

    table = evaluation.summary
    shares = {
        status: float(pc.mean(pc.equal(table["status"], status)).as_py())
        for status in ("correct", "wrong", "no_answer", "undecided")
    }
    return RateRow(
        checkpoint=evaluation.checkpoint.name,
        benchmark=evaluation.benchmark,
        attempts=table.num_rows,
        **shares,
        truncated=float(pc.mean(pc.equal(table["finish"], "length")).as_py()),
        mean_tokens=float(pc.mean(table["tokens"]).as_py()),
    )


def _merge(rows: Sequence[RateRow], checkpoint: str) -> RateRow:
    total = sum(row.attempts for row in rows)
    shares = {s: sum(getattr(r, s) * r.attempts for r in rows) / total for s in SHARES}
    return replace(rows[0], checkpoint=checkpoint, attempts=total, **shares)


def _mean(rows: Sequence[RateRow], label: str) -> RateRow:
    total = sum(row.attempts for row in rows)
    shares = {s: sum(getattr(r, s) for r in rows) / len(rows) for s in SHARES}
    return replace(rows[0], benchmark=label, attempts=total, **shares)


def example() -> list[RateRow]:
    """One checkpoint, a tenth of its attempts cut off."""
    return [
        RateRow(
            checkpoint="base", benchmark="pocket/test", attempts=96, correct=0.25, wrong=0.6,
            no_answer=0.1, undecided=0.05, truncated=0.1, mean_tokens=71.5,
        )
    ]  # fmt: skip


def says(seen: "Seen") -> Iterator[Finding]:
    """Which attempts were cut off or are undecided."""
    rows = [row for row in seen.rows(RATES) if row.measured]
    long = max(rows, key=lambda row: row.truncated, default=None)
    if long and long.truncated > TRUNCATED:
        yield Finding(
            kind="training",
            sentence=f"{long.truncated:.0%} of the attempts of {long.checkpoint} on "
            f"{long.benchmark} were cut off at evaluate.max_tokens.",
        )
    worst = max(rows, key=lambda row: row.undecided, default=None)
    if worst and worst.undecided > UNDECIDED:
        yield Finding(
            kind="caution",
            sentence=f"{worst.undecided:.1%} of the answers of {worst.checkpoint} on "
            f"{worst.benchmark} could not be verified; they count as not correct.",
        )


def _at_most(worst: RateRow, share: float) -> str:
    """``at most 1.0% (base model on pocket/test)``."""
    if not share:
        return "none"
    where = f"{words.checkpoint_label(worst.checkpoint)} on {worst.benchmark}"
    return f"at most {words.percent(share)} ({where})"


def blocks(seen: "Seen") -> list[Block]:
    """The worst ones in words, and every row."""
    if not seen.rows(RATES):
        return []
    measured = [row for row in seen.rows(RATES) if row.measured]
    cut = max(measured, key=lambda row: row.truncated)
    lost = max(measured, key=lambda row: row.undecided)
    heading = Heading(
        title="How the attempts ended",
        text=f"Truncated: {_at_most(cut, cut.truncated)}. "
        f"Undecided: {_at_most(lost, lost.undecided)}.",
    )
    shares = ("correct", "wrong", "no_answer", "undecided", "truncated")
    table = Table(
        caption="How the attempts behind the scores ended",
        head=(
            "checkpoint",
            "benchmark",
            *(s.replace("_", " ") for s in shares),
            "tokens each",
            "attempts",
        ),
        rows=tuple(
            (
                words.checkpoint_label(row.checkpoint),
                row.benchmark,
                *(words.percent(getattr(row, share)) for share in shares),
                words.count(row.mean_tokens),
                words.count(row.attempts),
            )
            for row in measured
        ),
        note="Undecided (the verifier ran out of time or failed) is counted apart from wrong.",
        folded=True,
    )
    return [heading, table]


def ending(row: RateRow | None) -> tuple[str, ...]:
    """The shares of attempts behind a score that were cut off, had no answer, were undecided."""
    return tuple(words.percent(getattr(row, name) if row else None) for name in QUALIFYING)


RATES = Measure(
    name="rates",
    row=RateRow,
    measured=measured,
    example=example,
    shown={"evaluation": blocks},
    says=says,
)
