"""Which heuristic RL's own attempts open with, step by step, beside where the theory sends it (B1).

Under the replicator the mass of a heuristic moves at the speed Cov(opens with it, correct) within
problems; GRPO multiplies it by c_G(p). The covariance is taken from the gate's attempts, made just
before RL, so that noise in RL's own attempts does not enter the prediction.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from manyways.measures import Measure, example_score, sign_of
from manyways.measures.curves import CURVES, ENDS, CurveRow
from manyways.measures.predictions import SIGNS, Expectation, Outcome, decide
from manyways.records import Score, pooled
from manyways.reporting import Block, Chart, Charts, Heading, Key, Table, charts, words

if TYPE_CHECKING:
    from manyways.measures.seen import Seen
    from manyways.measures.solutions import ByProblem, Policy, Solutions
    from manyways.metrics.intervals import Resampling


TEXT = (
    "The share of RL's own attempts whose first heuristic is this one; bands are 95% intervals. "
    "The theory expects a share to rise when attempts that open with it are right more often than "
    "others at the same problem (proposition B1), as measured just before RL."
)
MOST = 8
"""Heuristics in a figure."""
STRETCHES = 10
"""Points of a drawn course at most."""
STEPS = 3
"""Steps in a point at least: one step has few problems, too few for an interval."""
SELDOM = 0.01
"""Heuristics that open fewer of all attempts than this have no row."""

Step = Mapping[str, tuple[int, int]]
BySeed = Mapping[int, Mapping[int, Step]]
"""Seed -> step -> heuristic -> (attempts that open with it, correct ones)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """A share at one moment of RL.

    step:  the last one of the stretch that it is over.
    share: of the labelled attempts of the stretch.
    """

    step: int
    share: Score


@dataclass(frozen=True, kw_only=True, slots=True)
class OpeningRow:
    """The share of RL's own attempts that open with one heuristic: its course and its prediction.

    heuristic: ``direct`` for attempts that show none.
    course:    the share over stretches of RL steps, all seeds together; attempts of one step are
               counted as alike, ``n`` counts labelled attempts.
    change:    last fifth of the steps minus the first.
    seeds:     its interval over seeds.
    expected:  the sign that the theory gives, in words.
    outcome:   whether the measured change has it.
    first:     the share over the first fifth of the steps.
    last:      over the last fifth.
    push:      Cov(opens with it, correct) within RL's problems just before RL, times c_G(p): the
               speed of its mass under the replicator (B1); None without attempts to take it from.
    """

    arm: str
    heuristic: str
    course: list[Point]
    change: Score
    seeds: Score | None
    push: Score | None
    expected: str
    outcome: Outcome
    first: Score | None = None
    last: Score | None = None


def measured(seen: "Seen") -> list[OpeningRow]:
    """Rows for each arm whose RL logged opening heuristics."""
    material = seen.material
    return [
        row
        for arm in seen.recipe.arms
        for row in opening_rows(
            arm,
            seen.rows(CURVES),
            material.gate.get(pooled(arm, "mid")),
            group=seen.recipe.of(arm).rl.group_size,
            settings=material.settings,
        )
    ]


def logged_openings(arm: str, curves: Sequence[CurveRow]) -> BySeed:
    """What RL of ``arm`` logged; empty for runs made before it did, and for other backends."""
    found: dict[int, dict[int, Step]] = {}
    for row in curves:
        if row.arm == arm and row.stage == "rl" and row.openings:
            found.setdefault(row.seed, {})[row.step] = row.openings
    return found


def opening_rows(
    arm: str,
    curves: Sequence[CurveRow],
    gate: "Policy | None",
    *,
    group: int,
    settings: "Resampling",
) -> list[OpeningRow]:
    """One row for each heuristic that opens attempts, the most frequent first.

    gate: the arm's attempts just before RL.  group: RL's group size.
    """
    logged = logged_openings(arm, curves)
    total: Counter[str] = Counter()
    if len({step for steps in logged.values() for step in steps}) < 2:
        return []
    for steps in logged.values():
        for step in steps.values():
            total.update({name: tried for name, (tried, _) in step.items()})
    return [
        _opening(name, arm, logged, _push(name, gate, group, settings))
        for name, count in total.most_common()
        if count >= SELDOM * total.total()
    ]


def _opening(
    name: str, arm: str, logged: BySeed, push: tuple[Score | None, Score | None]
) -> OpeningRow:
    from manyways.measures.score_curves import over_seeds

    first, last = _fifths(name, logged)
    change = _change(name, first, last)
    seeds = over_seeds(
        f"change of {name}", [share_change(name, steps) for steps in logged.values()]
    )
    expected = _towards(push)
    return OpeningRow(
        arm=arm,
        heuristic=name,
        course=list(_course(name, logged)),
        change=change,
        seeds=seeds,
        push=push[0],
        expected=expected.words,
        outcome=decide(expected, change, seeds),
        first=first,
        last=last,
    )


def _push(
    name: str, gate: "Policy | None", group: int, settings: "Resampling"
) -> tuple[Score | None, Score | None]:
    from manyways.measures.solutions import contrast
    from manyways.measures.theory.training import weighted_covariance

    if gate is None:
        return None, None

    def speed(solutions: "Solutions") -> "ByProblem":
        opens = [way.opening == name for way in solutions.ways]
        return weighted_covariance(solutions, group, opens)

    return contrast(f"Cov(opens with {name}, correct)", gate.values(speed), None, settings)


def _towards(push: tuple[Score | None, Score | None]) -> Expectation:
    sign = sign_of(*push)
    if sign > 0:
        return Expectation(words="rises, as its covariance with success is above 0", side="above")
    if sign < 0:
        return Expectation(words="falls, as its covariance with success is below 0", side="below")
    why = "cannot be told" if any(push) else "was not measured"
    return Expectation(
        words=f"the sign of its covariance with success, which {why}", side="unknown"
    )


def _course(name: str, logged: BySeed) -> Iterator[Point]:
    import numpy as np

    steps = sorted({step for of_seed in logged.values() for step in of_seed})
    for stretch in np.array_split(steps, max(2, min(STRETCHES, len(steps) // STEPS))):
        yield Point(
            step=int(stretch[-1]), share=_between(name, logged, int(stretch[0]), int(stretch[-1]))
        )


def _between(name: str, logged: BySeed, first: int, last: int) -> Score:
    """Of the attempts of the steps from ``first`` to ``last``, each step of a seed a cluster."""
    from manyways.measures.score_curves import score
    from manyways.metrics.intervals import clustered_share

    inside = [
        counts
        for steps in logged.values()
        for step, counts in steps.items()
        if first <= step <= last
    ]
    hits = [counts.get(name, (0, 0))[0] for counts in inside]
    trials = [sum(tried for tried, _ in counts.values()) for counts in inside]
    return score(f"opens with {name}", clustered_share(hits, trials), sum(trials))


def _ends(steps: Sequence[int]) -> tuple[int, int]:
    """The last step of the first fifth, and the first of the last fifth."""
    return max(min(steps), int(ENDS * max(steps))), int((1 - ENDS) * max(steps)) + 1


def _fifths(name: str, logged: BySeed) -> tuple[Score, Score]:
    """The share over the first and over the last fifth of the steps."""
    steps = [step for of_seed in logged.values() for step in of_seed]
    early, late = _ends(steps)
    return _between(name, logged, min(steps), early), _between(name, logged, late, max(steps))


def _change(name: str, first: Score, last: Score) -> Score:
    """Newcombe's interval of a difference of two shares (1998, method 10)."""
    import numpy as np

    from manyways.measures.score_curves import score

    value = last.value - first.value
    down = float(np.hypot(last.value - last.low, first.high - first.value))
    up = float(np.hypot(last.high - last.value, first.value - first.low))
    return score(f"change of {name}", (value, value - down, value + up), first.n + last.n)


def share_change(name: str, steps: Mapping[int, Step]) -> float:
    """The change of the share of one heuristic in one training."""
    first, last = _fifths(name, {0: steps})
    return last.value - first.value


def example() -> list[OpeningRow]:
    """One heuristic that rises."""
    first, last, change, push = (example_score("share", x) for x in (0.2, 0.3, 0.1, 0.06))
    return [
        OpeningRow(
            arm="heuristics-8", heuristic="symmetry",
            course=[Point(step=10, share=first), Point(step=20, share=last)],
            change=change, seeds=None, push=push, expected="rises", outcome="agrees",
        )
    ]  # fmt: skip


def blocks(seen: "Seen") -> list[Block]:
    """A figure and a table for each arm; nothing where RL logged no openings."""
    by_arm = {
        arm: rows
        for arm in seen.arm_order
        if (rows := [row for row in seen.rows(OPENINGS) if row.arm == arm])
    }
    if not by_arm:
        return []
    drawn = list(dict.fromkeys(row.heuristic for rows in by_arm.values() for row in rows[:MOST]))
    legend = tuple(
        Key(
            group="line",
            name=heuristic,
            label=seen.heuristic_name(heuristic),
            colour=seen.heuristic_colour(heuristic),
            dash=charts.line_style(drawn.index(heuristic)),
        )
        for heuristic in drawn
    )
    # The bands of eight curves hide one another, so they wait for a click.
    bands = Key(
        group="band",
        name="yes",
        label="intervals",
        colour=charts.MUTED[0],
        symbol="band",
        on=False,
    )
    figures = tuple(_chart(seen, arm, rows[:MOST], drawn) for arm, rows in by_arm.items())
    tables = [_table(seen, arm, rows) for arm, rows in by_arm.items()]
    return [
        Heading(title="What do RL's attempts open with?", text=TEXT),
        Charts(charts=figures, legend=(*legend, bands)),
        *tables,
    ]


def _chart(seen: "Seen", arm: str, rows: Sequence[OpeningRow], drawn: Sequence[str]) -> Chart:
    lines = [
        charts.Curve(
            label=seen.heuristic_name(row.heuristic),
            x=[point.step for point in row.course],
            y=[point.share.value for point in row.course],
            low=[point.share.low for point in row.course],
            high=[point.share.high for point in row.course],
            colour=seen.heuristic_colour(row.heuristic),
            dash=charts.line_style(drawn.index(row.heuristic)),
            meta={"line": row.heuristic},
        )
        for row in rows
    ]
    ends = "; ".join(
        f"{line.label} {words.number(line.y[0])} to {words.number(line.y[-1])}" for line in lines
    )
    attempts = [point.share.n for point in rows[0].course]
    return Chart(
        id=f"openings-{arm}",
        title=arm,
        alt=f"Share of RL's attempts that open with each heuristic, arm {arm}: {ends}.",
        spec=charts.curves(lines, share=True, axes=("RL step", "share of attempts")),
        height=300,
        note=f"{_expected(seen, rows)} n = {min(attempts):,} to {max(attempts):,} attempts a "
        "point.",
    )


def _expected(seen: "Seen", rows: Sequence[OpeningRow]) -> str:
    """In which direction: ``Expected to rise: Symmetry.``, for example."""
    named = {
        verb: [seen.heuristic_name(row.heuristic) for row in rows if row.expected.startswith(sign)]
        for verb, sign in (("rise", "rises"), ("fall", "falls"))
    }
    said = [
        f"Expected to {verb}: {words.listing(names)}." for verb, names in named.items() if names
    ]
    return " ".join(said) or "No sign is expected: no covariance leaves out 0."


def _table(seen: "Seen", arm: str, rows: Sequence[OpeningRow]) -> Table:
    return Table(
        caption=f"First heuristics of RL's attempts, {arm}",
        head=(
            "", "outcome", "at first", "at last", "change", "over seeds", "Cov before RL", "n",
        ),
        rows=tuple(
            (
                seen.heuristic_name(row.heuristic),
                SIGNS.get(row.outcome, "–"),
                words.quantity(row.first or row.course[0].share),
                words.quantity(row.last or row.course[-1].share),
                words.difference(row.change),
                words.difference(row.seeds),
                words.quantity(row.push, 4),
                words.count(row.change.n),
            )
            for row in rows
        ),
        note="At first, at last: over the first and the last fifth of the steps. Change: the "
        "second minus the first; n: attempts labelled in these. Cov before RL: of opening "
        "with it and being correct, within RL's problems, times c_G(p): the sign that is expected.",
        folded=arm != seen.lead,
    )  # fmt: skip


OPENINGS = Measure(
    name="openings",
    row=OpeningRow,
    measured=measured,
    example=example,
    shown={"theory": blocks},
)
