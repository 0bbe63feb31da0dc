"""Scores over the steps of a training, and the best step beside the last one."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING, Literal, NamedTuple

from manyways.arms import Line
from manyways.measures import Finding, Measure, example_score
from manyways.measures.curves import CURVES, arm_keys
from manyways.measures.difficulty import left_out_sentence
from manyways.records import Score, line_name
from manyways.reporting import Block, Chart, Fold, Heading, Table, charts, first_row, words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from manyways.measures.seen import Seen
    from manyways.measures.step_scores import StepScores
    from manyways.metrics.composition import Ways

TrainedPhase = Literal["mid", "rl"]
PHASES: tuple[TrainedPhase, ...] = ("mid", "rl")
LISTED = 6
"""Trainings that a sentence names, each; of more it counts."""
LABELLED = 8
"""Attempts at a problem that are labelled, at most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StepRow:
    """One step of a training on the problem sets of ``rl.evaluate``, few attempts at each problem.

    seed:      None for an arm of several seeds: means over those, at the steps that all have.
    one:       pass@1, mean over problem sets.
    many:      pass@k of the largest k, mean over problem sets.
    composed:  share of the attempts that combine heuristics.
    opening:   the heuristic that most of them begin with (``direct`` for none).
    opening_share: the share that does.
    entropy:   of the policy while it took the step, in nats a token; None at the start.
    last:      whether it is the last step of its training.
    peak:      of its training the step of the highest pass@k that ``rl.stop`` looks at.
    test_one:  as ``one``, of the best and the last step on the benchmarks, where they were sampled.
    test_many: as ``many``, there.
    """

    arm: str
    seed: int | None
    phase: TrainedPhase
    step: int
    one: Score
    many: Score
    composed: Score
    opening: str
    opening_share: Score
    entropy: float | None = None
    peak: bool = False
    last: bool = False
    test_one: Score | None = None
    test_many: Score | None = None


class Read(NamedTuple):
    """One step of one training, its texts read and labelled.

    ways: (problem, what the text shows) of the first attempts at every problem.
    """

    scores: "StepScores"
    ways: "list[tuple[str, Ways]]"
    entropy: float | None


class Drawn(NamedTuple):
    """A curve over steps: its id, its title, its value in a row, and what it tells."""

    id: str
    title: Callable[[StepRow], str]
    value: Callable[[StepRow], Score | float | None]
    note: str


DRAWN = (
    Drawn("one", lambda r: r.one.name, lambda r: r.one, "One attempt at a problem."),
    Drawn("many", lambda r: r.many.name, lambda r: r.many, "What the checkpoint can reach."),
    Drawn(
        "composed", lambda _: "Composition rate", lambda r: r.composed,
        "Attempts that use two or more heuristics.",
    ),
    Drawn(
        "opening", lambda _: "Most common opening", lambda r: r.opening_share,
        "Share of attempts with the same first heuristic, or with none; near 1 one way is left.",
    ),
    Drawn(
        "entropy", lambda _: "Entropy", lambda r: r.entropy,
        "Of the policy at that step, in nats a token.",
    ),
)  # fmt: skip


def measured(seen: "Seen") -> Iterator[StepRow]:
    """Every step that was evaluated during training, mid-training first; then means over seeds."""
    from manyways.measures.step_scores import STAGE_OF, best_step, evaluated_steps

    ctx = seen.material.ctx
    entropies = {(r.arm, r.seed, r.stage, r.step): r.entropy for r in seen.rows(CURVES)}
    found: dict[tuple[str, TrainedPhase], list[dict[int, Read]]] = {}
    for line in ctx.lines:
        for phase in PHASES:
            steps = evaluated_steps(ctx, line, phase)
            best = best_step(steps, ctx.of(line).recipe.rl.watched)
            by_step: dict[int, Read] = {}
            for one in steps:
                logged = entropies.get((line.arm, line.seed, STAGE_OF[phase], one.step))
                by_step[one.step] = Read(one, _ways(seen, one), logged)
                row = _row(seen, [by_step[one.step]])
                ends = replace(row, peak=one.step == best, last=one is steps[-1])
                yield _with_tests(seen, line, ends)
            found.setdefault((line.arm, phase), []).append(by_step)
    for of_seeds in found.values():
        if len(of_seeds) > 1:
            yield from _over_seeds(seen, of_seeds)


def _over_seeds(seen: "Seen", of_seeds: Sequence[dict[int, Read]]) -> Iterator[StepRow]:
    """One arm at the steps that every seed was evaluated at."""
    for step in sorted(set.intersection(*map(set, of_seeds))):
        yield replace(_row(seen, [by_step[step] for by_step in of_seeds]), seed=None)


def _row(seen: "Seen", of_seeds: Sequence[Read]) -> StepRow:
    """One step of one arm: per problem the mean over its seeds."""
    one = of_seeds[0].scores
    found = [way for read in of_seeds for way in read.ways]
    opening = Counter(way.opening for _, way in found).most_common(1)
    first = opening[0][0] if opening else ""
    many = one.attempts
    entropies = [read.entropy for read in of_seeds if read.entropy is not None]
    return StepRow(
        arm=one.checkpoint.arm,
        seed=one.checkpoint.seed or 0,
        phase="mid" if one.checkpoint.phase == "mid" else "rl",
        step=one.step,
        one=_score(seen, "pass@1", _passes(of_seeds, 1)),
        many=_score(seen, f"pass@{many}", _passes(of_seeds, many)),
        composed=_share(seen, "composed", [(name, way.composed) for name, way in found]),
        opening=first,
        opening_share=_share(seen, "opening", [(n, way.opening == first) for n, way in found]),
        entropy=fmean(entropies) if entropies else None,
    )


def _passes(of_seeds: Sequence[Read], k: int) -> "list[NDArray[np.float64]]":
    """pass@k of each problem, the mean over seeds; a vector for each problem set."""
    import numpy as np

    sets = zip(*(read.scores.passes(k) for read in of_seeds), strict=True)
    return [np.mean(values, axis=0) for values in sets]


def _with_tests(seen: "Seen", line: Line, row: StepRow) -> StepRow:
    """With test scores, of the last step of RL and of the best one."""
    from manyways.measures.step_scores import benchmark_scores, checkpoint_at

    if row.phase != "rl" or not (row.last or row.peak):
        return row
    of = line.rl if row.last else checkpoint_at(line, "rl", row.step)
    found = benchmark_scores(seen.material.ctx, of)
    if found is None:
        return row
    return replace(
        row,
        test_one=_score(seen, "pass@1", found.passes(1)),
        test_many=_score(seen, f"pass@{found.attempts}", found.passes(found.attempts)),
    )


def _ways(seen: "Seen", one: "StepScores") -> "list[tuple[str, Ways]]":
    """(problem, what the text shows) of the first attempts at every problem."""
    from manyways.tables import read_attempts_table

    found = []
    for name, folder in zip(one.sets, one.folders, strict=True):
        wanted = one.problems.get(name)
        table = read_attempts_table(folder, ["problem_id", "sample", "text"])
        for problem, sample, text in zip(*(c.to_pylist() for c in table.columns), strict=True):
            counts = wanted is None or problem in wanted
            if counts and sample < min(LABELLED, one.attempts):
                found.append((problem, seen.material.reader.ways(text)))
    return found


def _score(seen: "Seen", name: str, passes: Sequence[object]) -> Score:
    """The mean over problem sets of means over problems, with its interval."""
    import numpy as np

    from manyways.measures.score_curves import score
    from manyways.metrics.intervals import score_intervals

    values = [np.asarray(one) for one in passes]
    strata = np.repeat(np.arange(len(values)), [len(one) for one in values])
    mean, low, high = score_intervals(np.concatenate(values), seen.material.settings, strata)
    return score(name, (mean[0], low[0], high[0]), len(strata))


def _share(seen: "Seen", name: str, found: Sequence[tuple[str, bool]]) -> Score:
    """A share of texts, its interval over problems."""
    of: dict[str, list[bool]] = {}
    for problem, yes in found:
        of.setdefault(problem, []).append(yes)
    return _score(seen, name, [[sum(one) / len(one) for one in of.values()]])


def example() -> list[StepRow]:
    """Three steps of one training, the second one the best."""
    rows = [
        StepRow(
            arm="heuristics-8", seed=0, phase="rl", step=step, one=example_score("pass@1", one),
            many=example_score("pass@8", many), composed=example_score("composed", 0.2),
            opening="symmetry", opening_share=example_score("opening", share), entropy=entropy,
        )
        for step, one, many, share, entropy in (
            (0, 0.2, 0.5, 0.3, None), (10, 0.3, 0.6, 0.4, 0.5), (20, 0.35, 0.55, 0.6, 0.3),
        )
    ]  # fmt: skip
    one, many = example_score("pass@1", 0.25), example_score("pass@16", 0.5)
    return [
        rows[0],
        replace(rows[1], peak=True, test_one=one, test_many=many),
        replace(rows[2], last=True, test_one=one, test_many=many),
    ]


def blocks(seen: "Seen") -> list[Block]:
    """Curves over the steps of RL, then of mid-training; the best step beside the last."""
    drawn: list[Block] = []
    for phase, title in (
        ("rl", "RL, evaluated during training"),
        ("mid", "Mid-training, likewise"),
    ):
        rows = [row for row in seen.rows(STEPS) if row.phase == phase]
        if rows:
            made = (_chart(seen, rows, one, phase) for one in DRAWN)
            figures = tuple(chart for chart in made if chart)
            curves = first_row(figures, arm_keys(seen), "other figure")
            shown = (_heading(seen, title, rows), *curves)
            drawn += [*shown, _table(rows)] if phase == "rl" else [Fold(title=title, blocks=shown)]
    return drawn


def _heading(seen: "Seen", title: str, rows: list[StepRow]) -> Heading:
    sets = words.listing(seen.recipe.rl.watched_sets)
    rated = (s for s in seen.stamps if s.work.startswith("generate/base/"))
    sentences = (
        f"{seen.recipe.rl.evaluate_attempts} attempts at each of {rows[0].one.n} problems of "
        f"{sets}, which no training sees, with the seeds, the prompt and the verifier of the final "
        "evaluation.",
        left_out_sentence("rl.evaluate_pass_rate", rated),
        _bands(seen),
        "The checkpoints of one line are sampled with the same noise, so a curve moves less than "
        "its interval is wide.",
    )
    return Heading(title=title, text=" ".join(filter(None, sentences)))


def _bands(seen: "Seen") -> str:
    many = len(seen.recipe.seeds) > 1
    lines = "Lines are means over seeds (each seed stands in 7-tables/steps.json). " if many else ""
    return f"{lines}Bands are 95% intervals over problems."


def _chart(seen: "Seen", rows: list[StepRow], drawn: Drawn, phase: str) -> Chart | None:
    found = [_line(seen, mine, drawn) for mine in _lines(rows)]
    curves = [line for line in found if line]
    if not curves:
        return None
    title = drawn.title(rows[0])
    ends = "; ".join(
        f"{line.label} from {line.y[0]:.3g} to {line.y[-1]:.3g}, highest {max(line.y):.3g}"
        for line in curves
    )
    return Chart(
        id=f"steps-{phase}-{drawn.id}",
        title=title,
        alt=f"{title} over steps: {ends}.",
        spec=charts.curves(curves, share=drawn.id != "entropy", axes=("step", "")),
        height=215,
        note=drawn.note,
    )


def _trainings(rows: Sequence[StepRow]) -> list[list[StepRow]]:
    """The rows of each training, in the order of steps."""
    return _sorted([row for row in rows if row.seed is not None])


def _lines(rows: Sequence[StepRow]) -> list[list[StepRow]]:
    """The rows of each line of a figure: an arm's mean over seeds, or its only seed."""
    several = {row.arm for row in rows if row.seed is None}
    return _sorted([row for row in rows if row.seed is None or row.arm not in several])


def _sorted(rows: Sequence[StepRow]) -> list[list[StepRow]]:
    of: dict[tuple[str, int | None], list[StepRow]] = {}
    for row in rows:
        of.setdefault((row.arm, row.seed), []).append(row)
    return [sorted(mine, key=lambda row: row.step) for mine in of.values()]


def _line(seen: "Seen", rows: list[StepRow], drawn: Drawn) -> charts.Curve | None:
    pairs = [(row.step, drawn.value(row)) for row in rows]
    known = [(step, value) for step, value in pairs if value is not None]
    if not known:
        return None
    scores = [value for _, value in known if isinstance(value, Score)]
    arm, seed = rows[0].arm, rows[0].seed
    return charts.Curve(
        label=f"{arm}, {'mean of seeds' if seed is None else f'seed {seed}'}",
        x=[step for step, _ in known],
        y=[round(v.value if isinstance(v, Score) else v, 4) for _, v in known],
        low=[score.low for score in scores],
        high=[score.high for score in scores],
        colour=seen.arm_colour(arm),
        dash=seen.arm_dash(arm),
        symbol=seen.arm_symbol(arm),
        meta={"arm": arm},
    )


def _table(rows: Sequence[StepRow]) -> Table:
    """Of each RL training its best step and its last, on validation and tested."""
    k, tests = rows[0].many.name, [row.test_many.name for row in rows if row.test_many]
    shown = []
    for mine in _trainings(rows):
        name = line_name(mine[0].arm, mine[0].seed or 0)
        for row in (row for row in mine if row.peak or row.last):
            which = " and ".join(["best"] * row.peak + ["last"] * row.last)
            scores = (row.one, row.many, row.test_one, row.test_many)
            shown.append((name, which, str(row.step), *(words.quantity(one) for one in scores)))
    many = f"test {tests[0] if tests else 'pass@k'}"
    return Table(
        caption="The best step during training beside the last",
        head=("", "", "step", "validation pass@1", f"validation {k}", "test pass@1", many),
        rows=tuple(shown),
        note="The best step is the first of the highest score that rl.stop looks at, on validation "
        "problems. A maximum of several looks flatters itself there; the test scores, means over "
        "the benchmarks, do not. They are missing for a step whose checkpoint was not kept "
        "(rl.keep).",
    )


def says(seen: "Seen") -> Iterator[Finding]:
    """Where each arm was best, and whether that step tests better than the last."""
    found, at_last = [], 0
    for mine in _trainings([row for row in seen.rows(STEPS) if row.phase == "rl"]):
        [best], last = [row for row in mine if row.peak], mine[-1]
        at_last += best is last
        said = f"{line_name(best.arm, best.seed or 0)} at step {best.step} of {last.step}"
        if best.test_many and last.test_many and best is not last:
            a, b = best.test_many, last.test_many
            said += f" ({a.name} on the benchmarks {a.value:.2f} there, {b.value:.2f} at the end)"
        found.append(said)
    if found:
        name = f"by pass@{seen.recipe.rl.watched} on validation problems"
        sentence = f"The best step during training, {name}: {'; '.join(found)}."
        if len(found) > LISTED:
            sentence = (
                f"The last step was the best one during training, {name}, in {at_last} of "
                f"{len(found)} trainings; the table below has the others."
            )
        yield Finding(kind="training", sentence=sentence)


STEPS = Measure(
    name="steps",
    row=StepRow,
    measured=measured,
    example=example,
    shown={"training": blocks},
    says=says,
)
