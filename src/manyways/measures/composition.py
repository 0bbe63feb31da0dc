"""How solutions use heuristics: which ones, combined or not, and how often they change."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from manyways.arms import RL_ALONE
from manyways.measures import DIRECT, Finding, Measure, example_score
from manyways.measures.benchmarks import SEED_DATA, benchmark_words, prefer_pooled
from manyways.records import Phase, Score, pooled
from manyways.reporting import (
    Block,
    Chart,
    Charts,
    Heading,
    Key,
    Note,
    Table,
    charts,
    explorer_link,
    words,
)

if TYPE_CHECKING:
    from manyways.heuristics.labelling import LabellerError
    from manyways.measures.seen import Seen
    from manyways.measures.solutions import Array, Solutions
    from manyways.metrics.composition import Ways
    from manyways.metrics.intervals import Resampling


MOST = 12
"""Heuristics in a figure at most."""
SWITCHES = 24
"""Kinds of switches in a figure at most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CompositionRow:
    """How a checkpoint's attempts use heuristics, right and wrong ones alike.

    benchmark: ``all`` for the attempts on every benchmark together, ``seed data`` for the
               solutions that the arm's mid-training was given (``checkpoint`` is ``<arm>/mid``).
    solutions: how many texts were labelled.
    composed:  share of solutions with two or more different heuristics (Wilson interval on the
               effective number of solutions, attempts at one problem being alike; ``n`` problems).
    switch:    share of boundaries between labelled steps where the heuristic changes, direct
               steps skipped; None without boundaries.
    effective: exp of the entropy of the steps' shares, ``direct`` counted as one way.
    shares:    heuristic id (``direct`` for none) -> share of steps.
    pairs:     ``first > second`` -> number of switches.
    drift:     mean within-problem covariance of composed and correct (theory D2).
    """

    checkpoint: str
    arm: str
    phase: Phase
    benchmark: str
    composed: Score
    switch: Score | None
    effective: float
    shares: dict[str, float]
    pairs: dict[str, int]
    drift: Score | None
    solutions: int = 0
    composed_correct: Score | None = None
    """As ``composed``, among correct solutions."""
    corrected: Score | None = None
    """``composed`` corrected for the labeller's error (theory M3) where that was measured."""
    combined: int | None = None
    """How many of the solutions are composed."""
    showing: dict[str, int] | None = None
    """Heuristic id -> how many of the solutions have a step that shows it."""


def measured(seen: "Seen") -> Iterator[CompositionRow]:
    """Rows for the attempts, per benchmark and together, and for the training data of arms."""
    from manyways.measures.solutions import label_training_data, with_pooled

    material = seen.material
    for one in (
        *with_pooled(material.solutions),
        *label_training_data(material.data, material.reader),
    ):
        yield composition_row(one, material.settings, material.labeller_error)


def composition_row(
    solutions: "Solutions", settings: "Resampling", error: "LabellerError | None" = None
) -> CompositionRow:
    """The rates of one set of solutions; intervals count problems, not attempts.

    error: the labeller's, where it was measured.
    """
    import numpy as np

    from manyways.measures.score_curves import share_score
    from manyways.metrics.composition import effective_number

    names, problem_S = solutions.numbered
    composed_S, correct_S = solutions.composed_S, solutions.correct_S
    trials = np.bincount(problem_S, minlength=len(names))
    steps = solutions.steps
    total = sum(steps.values())
    return CompositionRow(
        checkpoint=solutions.checkpoint.name,
        arm=solutions.checkpoint.arm,
        phase=solutions.checkpoint.phase,
        benchmark=solutions.benchmark,
        composed=share_score("composition rate", np.bincount(problem_S, composed_S), trials),
        switch=_switch(solutions.ways, problem_S),
        effective=effective_number(list(steps.values())),
        shares={name: count / total for name, count in steps.items()},
        pairs=dict(solutions.pairs),
        drift=_drift(solutions, problem_S, settings),
        solutions=len(solutions.ways),
        composed_correct=share_score(
            "composition rate of correct solutions",
            np.bincount(problem_S, composed_S * correct_S),
            np.bincount(problem_S, correct_S),
        )
        if correct_S.any()
        else None,
        corrected=_corrected(np.bincount(problem_S, composed_S), trials, error),
        combined=int(composed_S.sum()),
        showing=dict(Counter(h for way in solutions.ways for h in way.steps if h != DIRECT)),
    )


def _corrected(hits: "Array", trials: "Array", error: "LabellerError | None") -> Score | None:
    from manyways.measures.score_curves import score
    from manyways.metrics.agreement import corrected_share

    found = error and corrected_share(
        hits,
        trials,
        sensitivity=(error.found, error.composed),
        specificity=(error.passed, error.single),
    )
    return score("composition rate, corrected", found, len(trials)) if found else None


def _switch(ways: "Sequence[Ways]", problem_S: "Array") -> Score | None:
    import numpy as np

    from manyways.measures.score_curves import share_score

    switches = np.bincount(problem_S, [way.switches for way in ways])
    boundaries = np.bincount(problem_S, [way.boundaries for way in ways])
    return share_score("switch rate", switches, boundaries) if boundaries.any() else None


def _drift(solutions: "Solutions", problem_S: "Array", settings: "Resampling") -> Score | None:
    """The covariance of composed and correct; None without problems that have several solutions."""
    from manyways.measures.score_curves import mean_score
    from manyways.metrics.modes import within_covariance

    cov_P = within_covariance(problem_S, solutions.composed_S, solutions.correct_S)
    if solutions.benchmark == SEED_DATA or not len(cov_P):
        return None
    return mean_score("Cov(composed, correct) within problems", cov_P, settings)


def example() -> list[CompositionRow]:
    """One arm before and after RL."""

    def row(phase: Phase, composed: float) -> CompositionRow:
        return CompositionRow(
            checkpoint=f"heuristics-8/{phase}", arm="heuristics-8", phase=phase,
            benchmark="pocket/test", composed=example_score("composition rate", composed),
            switch=example_score("switch rate", 0.4), effective=2.9,
            shares={"direct": 0.5, "symmetry": 0.3, "analogy": 0.2},
            pairs={"symmetry > analogy": 12}, drift=example_score("drift", 0.1), solutions=96,
            combined=round(96 * composed), showing={"symmetry": 40, "analogy": 25},
        )  # fmt: skip

    return [row("mid", 0.2), row("rl", 0.45)]


def blocks(seen: "Seen") -> list[Block]:
    """Figures of composition, of the heuristics used, and of switches between them."""
    rows = _drawn(seen)
    if not rows:
        return [Note(kind="empty", sentences=("No labelled solutions to look at.",))]
    return [*_combined(seen, rows), *_use(seen, rows), *_pairs(seen, rows)]


def _drawn(seen: "Seen") -> list[CompositionRow]:
    """Composition rows of the mechanism benchmark in the order arm, phase; base once."""
    rows = [row for row in seen.rows(COMPOSITION) if row.benchmark == seen.mechanism]
    rows = prefer_pooled(rows, key=lambda row: (row.arm, row.phase))
    place = {arm: i for i, arm in enumerate(seen.arm_order)}
    order = list(words.PHASES)
    return sorted(
        rows,
        key=lambda row: (row.phase != "base", place.get(row.arm, 99), order.index(row.phase)),
    )


def _combined(seen: "Seen", rows: list[CompositionRow]) -> list[Block]:
    rows_drawn = [row for row in rows if row.phase == "base" or seen.at_first(row.arm)]
    lines = seen.checkpoint_lines(
        (
            (
                row,
                row.composed,
                f"composed: {words.quantity(row.composed)}, n = {row.composed.n} problems",
                explorer_link(source=row.checkpoint, composed="yes", of=row.combined),
            )
            for row in rows_drawn
        ),
    )
    chart = Chart(
        id="composition",
        title=f"Composition rate on {benchmark_words(seen.mechanism)}",
        alt=f"Share of solutions that combine heuristics: {charts.in_text(lines)}",
        spec=charts.intervals(lines, axis="share of solutions with two or more heuristics"),
        height=charts.height_of(lines),
        note="95% intervals; attempts at one problem are counted as alike.",
    )
    heading = Heading(
        title="Does one solution combine ways?",
        text="Labelled steps are those that show a heuristic.",
    )
    return [heading, Charts(charts=(chart,)), _table(seen, rows)]


def _table(seen: "Seen", rows: list[CompositionRow]) -> Table:
    data = [row for row in seen.rows(COMPOSITION) if row.benchmark == SEED_DATA]
    corrected = any(row.corrected for row in [*data, *rows])
    heads = ("composed, if correct", "switch rate", "effective", "drift", "solutions", "n")
    return Table(
        caption="Composition, switching and variety",
        head=("", "composed", *(["corrected"] if corrected else []), *heads),
        rows=tuple(
            (
                f"data of {row.arm}" if row in data else words.checkpoint_label(row.checkpoint),
                words.quantity(row.composed),
                *([words.quantity(row.corrected)] if corrected else []),
                words.quantity(row.composed_correct),
                words.quantity(row.switch),
                words.number(row.effective, 1),
                words.quantity(row.drift, 3),
                words.count(row.solutions),
                words.count(row.composed.n),
            )
            for row in [*data, *rows]
        ),
        folded=True,
        note="n: problems. Effective: how many equally used ways, direct included, would be as "
        "varied. Drift: within-problem covariance of being composed and being correct; above zero, "
        "RL is pushed towards composing."
        + (" Corrected: for the errors of the labeller, see below." if corrected else ""),
    )


def _use(seen: "Seen", rows: list[CompositionRow]) -> list[Block]:
    base = next((row for row in rows if row.phase == "base"), None)
    top = max((s for row in rows for h, s in row.shares.items() if h != DIRECT), default=0.0)
    if not top:
        return [Note(kind="empty", sentences=(_unlabelled(rows),))]
    figures: dict[str, Chart] = {}
    for arm in seen.arm_order:
        mine = [row for row in rows if row.arm == arm and row.phase != "base"]
        of_arm = [*([base] if base else []), *mine]
        if mine and any(_used(row) for row in of_arm):
            figures[arm] = _use_chart(seen, of_arm, top)
    keys = tuple(
        Key(group="phase", name=p, label=words.PHASES[p], colour=charts.INK[0], symbol=marker)
        for p, marker in charts.PHASE_SYMBOLS.items()
        if any(row.phase == p for row in rows)
    )
    heading = Heading(
        title="Which heuristics are used?",
        text="Share of all steps that show each heuristic, on "
        f"{benchmark_words(seen.mechanism)}. Steps that show none are left out.",
    )
    return [heading, *seen.first_charts(figures, keys)] if figures else []


def _unlabelled(rows: list[CompositionRow]) -> str:
    if any(row.shares for row in rows):
        return "No solution shows a heuristic: every step is direct."
    return "Solutions hold nothing but their answer: there is no step to label."


def _used(row: CompositionRow) -> set[str]:
    """The heuristics that its steps show."""
    return {h for h, share in row.shares.items() if share > 0 and h != DIRECT}


def _use_chart(seen: "Seen", rows: list[CompositionRow], top: float) -> Chart:
    arm, last = rows[-1].arm, rows[-1].shares
    used = {heuristic for row in rows for heuristic in _used(row)}
    order = sorted(sorted(used), key=lambda h: -max(row.shares.get(h, 0.0) for row in rows))[:MOST]
    order.sort(key=lambda h: -last.get(h, 0.0))
    lines = [
        charts.Movement(
            label=seen.heuristic_name(h),
            colour=seen.heuristic_colour(h),
            values={
                words.checkpoint_label(row.checkpoint): (
                    charts.PHASE_SYMBOLS[row.phase],
                    row.shares.get(h, 0.0),
                )
                for row in rows
            },
            link=_texts_showing(rows[-1], h),
        )
        for h in order
    ]
    direct = "; ".join(
        f"{words.checkpoint_label(row.checkpoint)} {words.number(row.shares.get(DIRECT, 0.0))}"
        for row in rows
    )
    return Chart(
        id=f"use-{arm}",
        title=arm,
        alt=f"Share of steps under each heuristic in arm {arm}: "
        + "; ".join(f"{seen.heuristic_name(h)} {words.number(last.get(h, 0.0))}" for h in order),
        spec=charts.movements(lines, top=top, axis="share of steps"),
        height=62 + 38 * max(len(lines), 1),
        note=f"Without any heuristic: {direct}.",
    )


def _texts_showing(row: CompositionRow, heuristic: str) -> str:
    """A link to the attempts of a checkpoint that show a heuristic."""
    count = (row.showing or {}).get(heuristic)
    return explorer_link(heuristic=heuristic, how="shown", source=row.checkpoint, of=count)


def _pairs(seen: "Seen", rows: list[CompositionRow]) -> list[Block]:
    """The switches of the main arm before and after RL, as figures and as a table."""
    mine = [row for row in rows if row.arm == seen.lead and row.phase != "base" and row.pairs]
    if not mine:
        return []
    heading = Heading(
        title="Which heuristics are combined?",
        text=f"In solutions of {seen.lead}: each bar is a heuristic, its parts are the ones that "
        "the next labelled step goes on with. Length is the number of switches.",
    )
    seconds = dict.fromkeys(second for row in mine for _, second, _ in _switches(row))
    keys = charts.keys([_then(seen, second) for second in seconds])
    figures = Charts(charts=tuple(_switched(seen, row) for row in mine), legend=keys)
    return [heading, figures, _pairs_table(seen, mine)]


def _switches(row: CompositionRow) -> list[tuple[str, str, int]]:
    """(first, second, how often), the most frequent ones first."""
    split = [(*pair.partition(" > "), amount) for pair, amount in row.pairs.items()]
    found = [(first, second, amount) for first, _, second, amount in split if second]
    return sorted(found, key=lambda switch: -switch[2])[:SWITCHES]


def _switched(seen: "Seen", row: CompositionRow) -> Chart:
    found = {(first, second): amount for first, second, amount in _switches(row)}
    firsts = list(dict.fromkeys(first for first, _ in found))
    links = [_texts_showing(row, first) for first in firsts]
    return Chart(
        id=f"pairs-{row.phase}",
        title=words.checkpoint_label(row.checkpoint),
        alt=f"Switches between heuristics, {words.checkpoint_label(row.checkpoint)}: "
        + "; ".join(f"{a} then {b}, {n}" for (a, b), n in list(found.items())[:6]),
        spec=charts.bars(
            [seen.heuristic_name(first) for first in firsts],
            [
                _then(seen, second, [found.get((first, second), 0) for first in firsts], links)
                for second in dict.fromkeys(second for _, second in found)
            ],
            axis="switches",
        ),
        height=64 + 30 * max(2, len(firsts)),
        note=f"{sum(row.pairs.values()):,} switches in {row.solutions:,} solutions.",
    )


def _then(
    seen: "Seen", second: str, values: Sequence[int] = (), links: Sequence[str] = ()
) -> charts.Bar:
    return charts.Bar(
        name=second,
        label=f"then {seen.heuristic_name(second)}",
        values=values,
        colour=seen.heuristic_colour(second),
        links=links,
    )


def _pairs_table(seen: "Seen", rows: list[CompositionRow]) -> Table:
    pairs = {pair for row in rows for pair in row.pairs}
    order = sorted(sorted(pairs), key=lambda pair: -rows[-1].pairs.get(pair, 0))[:MOST]
    return Table(
        caption=f"The {len(order)} most frequent pairs after the last phase",
        head=("first, then", *(words.checkpoint_label(row.checkpoint) for row in rows)),
        rows=tuple(
            (
                ", then ".join(seen.heuristic_name(h) for h in pair.split(" > ", 1)),
                *(words.count(row.pairs.get(pair, 0)) for row in rows),
            )
            for pair in order
        ),
        folded=True,
    )


def says(seen: "Seen") -> Iterator[Finding]:
    """Composition before and after RL, the share of each heuristic, the reason to combine."""
    main = str(seen.main)
    before, after = seen.use(pooled(main, "mid")), seen.use(pooled(main, "rl"))
    sentences = []
    if before and after:
        sentences.append(_composed(main, before, after, seen))
        if before.shares or after.shares:
            sentences.append(_shares(main, before, after))
    if before:
        sentences += _before_rl(main, before)
    for sentence in sentences:
        yield Finding(kind="mechanism", sentence=sentence)


def _composed(arm: str, before: CompositionRow, after: CompositionRow, seen: "Seen") -> str:
    change = "no change found"
    was, now = before.composed, after.composed
    # Intervals without a common value: a cautious sign of a difference.
    if was.high < now.low or now.high < was.low:
        change = "rose" if now.value > was.value else "fell"
    corrected = ""
    if before.corrected and after.corrected:
        corrected = (
            " Corrected for the labeller's measured errors: "
            f"{words.quantity(before.corrected)}, {words.quantity(after.corrected)}."
        )
    others = [(name, seen.use(name)) for name in ("base", RL_ALONE, pooled("star", "rl"))]
    beside = ", ".join(
        f"{words.checkpoint_label(name)} {words.quantity(row.composed)}"
        for name, row in others
        if row
    )
    return (
        f"Composition rate of {arm}, before and after RL: {words.quantity(before.composed)}, "
        f"{words.quantity(after.composed)}: {change}"
        + (f" (beside it: {beside})." if beside else ".")
        + corrected
    )


def _shares(arm: str, before: CompositionRow, after: CompositionRow) -> str:
    names = [name for name in {**before.shares, **after.shares} if name != DIRECT]
    moved = sorted(
        ((after.shares.get(name, 0.0) - before.shares.get(name, 0.0), name) for name in names),
        key=lambda item: (-abs(item[0]), item[1]),
    )
    listed = ", ".join(
        f"{name} {before.shares.get(name, 0):.2f} to {after.shares.get(name, 0):.2f}"
        for change, name in moved[:4]
        if abs(change) >= 0.005  # less is not seen in two digits
    )
    direct = f"{before.shares.get(DIRECT, 0):.2f} to {after.shares.get(DIRECT, 0):.2f}"
    return (
        f"Share of steps of {arm} through RL: without a heuristic {direct}"
        + (f"; most moved: {listed}" if listed else "; no other moved")
        + f". As varied as {before.effective:.1f} equally used ways before RL and "
        f"{after.effective:.1f} after it."
    )


def _before_rl(arm: str, before: CompositionRow) -> Iterator[str]:
    if before.switch:
        rare = before.switch.high < 0.01
        note = ": RL has next to no combination to reinforce" if rare else ""
        yield f"Switch rate of {arm} before RL: {words.quantity(before.switch)}{note}."
    if before.drift:
        drift = before.drift
        reason = "says neither that combining pays nor that it does not"
        if drift.low > 0:
            reason = "attempts that combine ways are right more often: RL had a reason to combine"
        elif drift.high < 0:
            reason = "attempts that combine ways are right less often: RL had a reason not to"
        yield (
            f"Before RL, being composed and being correct go together in attempts of {arm} at one "
            f"problem by {words.signed(drift)} (a covariance): {reason}."
        )


COMPOSITION = Measure(
    name="composition",
    row=CompositionRow,
    measured=measured,
    example=example,
    shown={"why": blocks},
    says=says,
)
