"""The gate: can RL learn from what mid-training made?"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from manyways.arms import Line
from manyways.measures import Finding, Measure, read_rows
from manyways.records import line_name
from manyways.reporting import Block, Entry, Heading, Link, Note, Table, words

if TYPE_CHECKING:
    from manyways.measures.seen import Seen


MOST = 12
"""A table with more rows than this is folded at first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GateRow:
    """Measurements of the gate on one checkpoint, and what it decided.

    stop:      share of attempts that end by themselves.
    no_answer, undecided: share of attempts with this verdict.
    passed:    share of correct attempts.
    all_right: share of groups whose attempts are all correct.
    all_wrong: share of groups without a correct one.
    mixed:     share of groups with both.
    switch:    how often the heuristic changes between labelled steps; None without any.
    effective: effective number of heuristics.
    decision:  whether RL may begin.
    sentence:  the same with its reason.
    """

    checkpoint: str
    arm: str
    seed: int
    attempts: int
    stop: float
    no_answer: float
    undecided: float
    passed: float
    all_right: float
    all_wrong: float
    mixed: float
    switch: float | None
    effective: float
    decision: Literal["fit", "refused", "overridden"]
    sentence: str

    @property
    def told(self) -> str:
        """The sentence without the name of the line."""
        return self.sentence.removeprefix(f"gate {line_name(self.arm, self.seed)}: ")


def measured(seen: "Seen") -> list[GateRow]:
    """The gate's measurements on every line that reached it."""
    ctx = seen.material.ctx
    return [
        row
        for line in ctx.lines
        for row in read_rows(ctx.run.arm_path(line.arm, line.seed, "4-gate.json"), GateRow)
    ]


def example() -> list[GateRow]:
    """One that was refused."""
    return [
        GateRow(
            checkpoint=Line(arm="heuristics-8", seed=0).mid.name,
            arm="heuristics-8", seed=0, attempts=64,
            stop=0.99, no_answer=0.02, undecided=0.0, passed=0.0, all_right=0.0, all_wrong=1.0,
            mixed=0.0, switch=None, effective=3.2, decision="refused",
            sentence="heuristics-8/seed-0 is not fit for RL: no attempt is right.",
        )
    ]  # fmt: skip


def before_rl(seen: "Seen") -> list[Block]:
    """What RL started from."""
    if not seen.rows(GATE):
        return []
    rows: list[tuple[Entry, ...]] = [
        (
            Link(text=f"{row.arm} · seed {row.seed}", target="#training"),
            words.number(row.passed),
            words.number(row.mixed),
            words.number(row.switch),
            words.number(row.effective),
            words.count(row.attempts),
        )
        for row in seen.rows(GATE)
    ]
    heading = Heading(
        title="What RL started from",
        text="Attempts at RL problems just before RL, one group at each problem. Only mixed groups "
        "(some right, some wrong) give a gradient, and only switches that already happen can be "
        "rewarded.",
    )
    table = Table(
        caption="Just before RL",
        head=("", "correct", "mixed groups", "switch rate", "effective heuristics", "attempts"),
        rows=tuple(rows),
        folded=len(rows) > MOST,
    )
    return [heading, table]


def decisions(seen: "Seen") -> list[Block]:
    """What the gate decided, in words, and what it measured."""
    if not seen.rows(GATE):
        return []
    refused = tuple(
        f"{row.arm}, seed {row.seed}: {row.decision}. {row.told}"
        for row in seen.rows(GATE)
        if row.decision != "fit"
    )
    fit = sum(row.decision == "fit" for row in seen.rows(GATE))
    heading = Heading(
        title="The gate",
        text=f"Before RL each checkpoint is tried on RL problems: {fit} of "
        f"{len(seen.rows(GATE))} were found fit.",
    )
    said: dict[tuple[str, str, str], list[str]] = {}
    for row in seen.rows(GATE):
        said.setdefault((row.arm, row.decision, row.told), []).append(str(row.seed))
    table = Table(
        caption="What the gate decided",
        head=("arm", "decision", "in words", "seeds"),
        rows=tuple((*entries, ", ".join(seeds)) for entries, seeds in said.items()),
    )
    notes = [Note(kind="stop", sentences=refused)] if refused else []
    return [heading, *notes, table, _gate_table(seen)]


def _gate_table(seen: "Seen") -> Table:
    head = ("", "stops", "no answer", "undecided", "correct", "all right", "mixed", "all wrong")
    return Table(
        caption="What the gate measured",
        head=(*head, "attempts"),
        rows=tuple(
            (
                f"{row.arm} · seed {row.seed}",
                *(
                    words.percent(share)
                    for share in (row.stop, row.no_answer, row.undecided, row.passed)
                ),
                *(words.percent(share) for share in (row.all_right, row.mixed, row.all_wrong)),
                words.count(row.attempts),
            )
            for row in seen.rows(GATE)
        ),
        note="All right, mixed, all wrong: shares of groups of attempts at one problem.",
        folded=True,
    )


def says(seen: "Seen") -> Iterator[Finding]:
    """Mixed groups at the start of RL: without them GRPO has no gradient."""
    import numpy as np

    mixed = {
        arm.name: float(np.mean([row.mixed for row in seen.gate(arm.name)]))
        for arm in seen.arms
        if seen.gate(arm.name)
    }
    if mixed:
        listed = seen.of_arms({name: f"{value:.2f}" for name, value in mixed.items()})
        sentence = f"Share of problems with right and wrong attempts when RL starts: {listed}."
        yield Finding(kind="mechanism", sentence=sentence)


GATE = Measure(
    name="gate",
    row=GateRow,
    measured=measured,
    example=example,
    shown={"why": before_rl, "training": decisions},
    says=says,
)
