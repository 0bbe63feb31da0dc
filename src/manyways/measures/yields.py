"""The yield of the pool under each heuristic: attempts, correct ones, kept ones."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from manyways.measures import Finding, Measure
from manyways.measures.difficulty import left_out_sentence
from manyways.records import PLAIN
from manyways.reporting import (
    Block,
    Chart,
    Charts,
    Entry,
    Heading,
    Link,
    Note,
    Table,
    charts,
    explorer_link,
    words,
)

if TYPE_CHECKING:
    from manyways.measures.seen import Seen


LOW_ADHERENCE = 0.5
ADAPTIVE = (
    " Sampling was adaptive: a heuristic was left at a problem once it had its solution, so that "
    "all attempts together lean towards hard cases. Shares and adherence are those of the first "
    "attempts in the first round alone, made before anything was known."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcomes:
    """How some attempts ended.

    correct, no_answer, undecided: attempts with this verdict; the rest are wrong.
    truncated: attempts that were cut off at the token limit.
    tokens:    sampled, of all attempts together.
    adherence: does the model follow the heuristic when asked to? Mean over the attempts that were
               scored (by a labeller: all of them); None where a reward model gave ranks.
    """

    attempts: int
    correct: int
    no_answer: int
    undecided: int
    truncated: int
    tokens: int
    adherence: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class YieldRow:
    """What the pool gave under one heuristic (``plain`` for plain prompts).

    name:      of the heuristic, in words.
    correct, no_answer, undecided: attempts with this verdict; the rest are wrong.
    truncated: attempts that were cut off at the token limit.
    kept:      solutions that were kept.
    problems:  number of problems with a correct attempt.
    tokens:    number of tokens sampled, of all attempts together.
    dropped:   reason -> number of correct attempts dropped for it.
    adherence: does the model follow the heuristic when asked to? Mean over the attempts that were
               scored (by a labeller: all of them); None where a reward model gave ranks.
    fair:      under adaptive sampling, the first attempts at the cells of the first round. Their
               shares are unbiased. Shares of all attempts are too low, because a cell that succeeds
               gets no more attempts.
    """

    heuristic: str
    name: str
    attempts: int
    correct: int
    no_answer: int
    undecided: int
    truncated: int
    kept: int
    problems: int
    tokens: int
    dropped: dict[str, int]
    adherence: float | None = None
    fair: Outcomes | None = None

    @property
    def rates(self) -> "Outcomes | YieldRow":
        """The counts whose shares say what to expect of an attempt."""
        return self.fair or self


def measured(seen: "Seen") -> list[YieldRow]:
    """The counts of selection."""
    return seen.material.stages.yields(seen.material.ctx)


def example() -> list[YieldRow]:
    """One heuristic that gives and one that does not."""
    return [
        YieldRow(
            heuristic="symmetry", name="Symmetry", attempts=48, correct=20, no_answer=2,
            undecided=1, truncated=3, kept=12, problems=9, tokens=3400,
            dropped={"near duplicate": 8}, adherence=0.7,
        ),
        YieldRow(
            heuristic="analogy", name="Analogy", attempts=48, correct=0, no_answer=5, undecided=0,
            truncated=0, kept=0, problems=0, tokens=3600, dropped={}, adherence=0.3,
        ),
    ]  # fmt: skip


def blocks(seen: "Seen") -> list[Block]:
    """Yield, and why correct attempts were dropped."""
    if not seen.rows(YIELD):
        return [Note(kind="empty", sentences=("No attempts were counted.",))]
    return [*_yield(seen), *_drops(seen)]


def _yield(seen: "Seen") -> list[Block]:
    rows = sorted(seen.rows(YIELD), key=lambda row: (row.heuristic == PLAIN, -row.kept))
    text = "How many attempts under each heuristic were correct, and how many became solutions."
    left_out = left_out_sentence(
        "generate.pass_rate", (s for s in seen.stamps if s.work == "generate")
    )
    heading = Heading(
        title="Yield",
        text=" ".join(filter(None, (text, left_out))),
    )
    stacks = _stacks(rows)
    chart = _yield_chart(seen, rows, stacks)
    figure = Charts(charts=(chart,), legend=charts.keys(stacks), wide=True)
    return [heading, figure, _yield_table(seen, rows)]


def _stacks(rows: list[YieldRow]) -> list[charts.Bar]:
    ours, grey = charts.hue(0), charts.MUTED[0]
    light, pale = charts.with_opacity(ours, charts.PALE), charts.with_opacity(grey, charts.PALE)
    wrong = [row.attempts - row.correct - row.no_answer - row.undecided for row in rows]
    unkept = [row.correct - row.kept for row in rows]

    def bar(
        name: str, values: list[int], colour: str, pattern: str = "", **only: str
    ) -> charts.Bar:
        links = [_texts(row, n, **only) for row, n in zip(rows, values, strict=True)]
        return charts.Bar(name=name, values=values, colour=colour, pattern=pattern, links=links)

    return [
        bar("kept", [row.kept for row in rows], ours, kept="yes"),
        bar("correct, not kept", unkept, light, "/", kept="no", status="correct"),
        bar("wrong", wrong, pale, status="wrong"),
        bar("no answer", [row.no_answer for row in rows], grey, status="no_answer"),
        bar("undecided", [row.undecided for row in rows], grey, "x", status="undecided"),
    ]


def _texts(row: YieldRow, count: int, **only: str) -> str:
    """A link to ``count`` attempts of the pool under one heuristic."""
    return explorer_link(heuristic=row.heuristic, how="asked", source="pool", of=count, **only)


def _yield_chart(seen: "Seen", rows: list[YieldRow], stacks: list[charts.Bar]) -> Chart:
    return Chart(
        id="yield",
        title="Attempts under each heuristic",
        alt="Stacked bars: " + "; ".join(
            f"{seen.heuristic_name(r.heuristic)}: {r.kept} kept of {r.attempts} attempts"
            for r in rows
        ),
        spec=charts.bars(
            [seen.heuristic_name(row.heuristic) for row in rows],
            stacks,
            axis="attempts",
        ),
        height=64 + 26 * len(rows),
    )  # fmt: skip


def _yield_table(seen: "Seen", rows: list[YieldRow]) -> Table:
    entries: list[tuple[Entry, ...]] = [
        (
            Link(
                text=seen.heuristic_name(row.heuristic),
                target=_texts(row, row.attempts),
            ),
            words.count(row.attempts),
            words.number(None if row.heuristic == PLAIN else row.rates.adherence),
            _share(row, row.rates.correct),
            Link(text=words.count(row.kept), target=_texts(row, row.kept, kept="yes")),
            words.count(row.problems),
            _share(row, row.rates.no_answer),
            _share(row, row.rates.undecided),
            _share(row, row.rates.truncated),
            words.count(row.tokens / row.attempts) if row.attempts else words.NONE,
        )
        for row in rows
    ]
    head = ("heuristic", "attempts", "follow it", "correct", "kept", "problems solved")
    return Table(
        caption="Yield per heuristic",
        head=(*head, "no answer", "undecided", "truncated", "tokens each"),
        rows=tuple(entries),
        folded=True,
        note=(
            "Follow it: mean adherence of all attempts to the heuristic they were asked for; a "
            "plain prompt asks for none."
            if seen.recipe.select.scorer == "labeller"
            else "Follow it: mean adherence to the heuristic asked for, of the attempts that could "
            "become solutions, by the judge; a reward model gives ranks, whose mean says nothing."
        )
        + (ADAPTIVE if any(row.fair for row in rows) else ""),
    )


def _share(row: YieldRow, count: int) -> str:
    return words.percent(count / row.rates.attempts if row.rates.attempts else None)


def _drops(seen: "Seen") -> list[Block]:
    reasons = list(dict.fromkeys(reason for row in seen.rows(YIELD) for reason in row.dropped))
    if not reasons:
        return []
    totals = {r: sum(row.dropped.get(r, 0) for row in seen.rows(YIELD)) for r in reasons}
    reasons.sort(key=lambda reason: -totals[reason])
    table = Table(
        caption="Why correct attempts were dropped",
        head=("heuristic", *reasons),
        rows=tuple(
            (
                seen.heuristic_name(row.heuristic),
                *(words.count(row.dropped.get(reason, 0)) for reason in reasons),
            )
            for row in seen.rows(YIELD)
        ),
        note=f"All together: {'; '.join(f'{r} {totals[r]:,}' for r in reasons)}.",
        folded=True,
    )
    return [table]


def says(seen: "Seen") -> Iterator[Finding]:
    """What the pool gave, and which heuristics gave nothing or are not followed."""
    for sentence in _said(seen):
        yield Finding(kind="data", sentence=sentence)


def _said(seen: "Seen") -> Iterator[str]:
    asked = [row for row in seen.rows(YIELD) if row.heuristic != PLAIN]
    attempts = sum(row.attempts for row in asked)
    if attempts:
        kept = sum(row.kept for row in asked)
        tried = sum(row.rates.attempts for row in asked)
        share = f"{sum(row.rates.correct for row in asked) / max(tried, 1):.0%}"
        which = "of them" if tried == attempts else f"of {tried} first ones (sampling was adaptive)"
        yield (
            f"The pool: {attempts} attempts under {len(asked)} heuristics, "
            f"{share} {which} correct, {kept} kept."
        )
    barren = [row.heuristic for row in asked if row.attempts and not row.kept]
    if barren:
        yield f"No solution was kept under {', '.join(barren)}: these add nothing to any arm."
    loose = [
        row.heuristic
        for row in asked
        if row.rates.adherence is not None and row.rates.adherence < LOW_ADHERENCE
    ]
    if loose:
        which = ", ".join(loose) if len(loose) < len(asked) else "all heuristics"
        yield (
            "Adherence is how far an attempt follows the heuristic that it was asked for, from 0 "
            f"to 1. Its mean is below {LOW_ADHERENCE} under {which}: the model does not follow "
            "these when asked, or they do not apply to many of the problems."
        )


YIELD = Measure(
    name="yield",
    row=YieldRow,
    measured=measured,
    example=example,
    shown={"data": blocks},
    says=says,
)
