"""Every measurable quantity of the theory beside what it expects; see ``expectation`` for the rule.

The main contrast is the arm of most heuristics against the one taught a single solution per problem
(``star``, or the base where there is none). Rows exist only for what the run has data for.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from manyways.arms import Line, parse_arm
from manyways.metrics.resampling import Resampling
from manyways.results.scores import headline
from manyways.results.tables import CurveRow, PairedRow
from manyways.results.theory import OpeningRow, PredictionRow, ProbeRow
from manyways.stages.analysis.apart import Apart
from manyways.stages.analysis.change import (
    change_rows,
    direction,
    drift_rows,
    logged_rows,
    swap_row,
)
from manyways.stages.analysis.contrasts import Policy, policies
from manyways.stages.analysis.designs import (
    budget_row,
    crossover_row,
    growth_row,
    random_rows,
    side_by_side,
    wrong_rows,
)
from manyways.stages.analysis.evaluated import BASE
from manyways.stages.analysis.flow import flow_rows
from manyways.stages.analysis.openings import replicator_rows
from manyways.stages.analysis.passes import Curve, Curves
from manyways.stages.analysis.start import Pair, gate_rows, start_rows
from manyways.stages.analysis.token_modes import Seen, token_rows
from manyways.stages.analysis.transfer import Trained, transfer_rows
from manyways.stages.analysis.ways import Reader, Solutions
from manyways.stages.arm_data import TrainingRow
from manyways.stages.context import Context
from manyways.tables import read_attempts

GATE = "problems of RL"


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What predictions are compared with.

    main: the arm of the question.  solutions: labelled attempts, per seed and benchmark.
    gate: labelled attempts at RL's problems just before RL, per line.  group: RL's group size.
    tokens: next-token distributions where solutions part.  apart: problems for D4.
    """

    main: str
    arms: tuple[str, ...]
    group: int
    solutions: Sequence[Solutions]
    gate: Sequence[Solutions]
    passes: Curves
    pairs: Sequence[PairedRow]
    curves: Sequence[CurveRow]
    data: Mapping[Line, Sequence[TrainingRow]]
    swaps: Sequence[ProbeRow] = ()
    openings: Sequence[OpeningRow] = ()
    tokens: Seen = field(default_factory=dict)
    why_no_tokens: str = ""
    apart: Apart = field(default_factory=Apart)

    @property
    def benchmark(self) -> str:
        """The benchmark that the answer is about."""
        return headline(benchmark for _, benchmark in self.passes)

    def curve(self, checkpoint: str) -> Curve | None:
        """pass@k of a pooled checkpoint."""
        return self.passes.get((checkpoint, self.benchmark))


def prediction_rows(seen: Observed, settings: Resampling) -> list[PredictionRow]:
    """All rows, from the start of RL to the comparison of arms."""
    policy = policies(seen.solutions)
    gate = policies(seen.gate)
    return [
        *_start(seen, policy, gate, settings),
        *_through(seen, policy, gate, settings),
        *_between(seen, policy, settings),
    ]


def gate_solutions(ctx: Context, reader: Reader) -> list[Solutions]:
    """The gate's attempts, labelled; of vanilla they are those of the base."""
    found = []
    for line in ctx.lines:
        folder = ctx.run.arm_path(line.arm, line.seed, "4-gate")
        attempts = [a for a in read_attempts(folder) if a.sample < ctx.recipe.rl.group_size]
        if attempts:
            found.append(
                Solutions(
                    checkpoint=line.mid,
                    benchmark=GATE,
                    problem=[attempt.problem_id for attempt in attempts],
                    ways=[reader.ways(attempt.text) for attempt in attempts],
                    correct=[attempt.verdict.status == "correct" for attempt in attempts],
                )
            )
    return found


def _few(seen: Observed) -> str:
    """The arm that many ways are compared with."""
    return next((arm for arm in ("star", "vanilla") if arm in seen.arms and arm != seen.main), "")


def _before(arm: str) -> str:
    """The checkpoint that RL of ``arm`` starts from."""
    return BASE if arm == "vanilla" else f"{arm}/mid"


def _start(
    seen: Observed, policy: Mapping[str, Policy], gate: Mapping[str, Policy], settings: Resampling
) -> Iterator[PredictionRow]:
    many, few = policy.get(f"{seen.main}/mid"), policy.get(_before(_few(seen)))
    if many and few:
        yield from start_rows(Pair(many=many, few=few, settings=settings))
        yield from token_rows(seen.tokens, seen.main, few.name, settings, why=seen.why_no_tokens)
    many, few = gate.get(f"{seen.main}/mid"), gate.get(f"{_few(seen)}/mid")
    if many and few:
        yield from gate_rows(Pair(many=many, few=few, settings=settings), seen.group)


def _through(
    seen: Observed, policy: Mapping[str, Policy], gate: Mapping[str, Policy], settings: Resampling
) -> Iterator[PredictionRow]:
    changes: dict[str, PredictionRow] = {}
    for arm in sorted(seen.arms, key=lambda arm: arm != seen.main):
        before, after = policy.get(_before(arm)), policy.get(f"{arm}/rl")
        at_gate = gate.get(f"{arm}/mid")
        expected = direction(at_gate, None, None)
        if before and after:
            yield from change_rows(before, after, settings)
            if at_gate:
                push, change = drift_rows((at_gate, before, after), seen.group, settings)
                expected = direction(at_gate, push.measured, push.seeds)
                changes[arm] = change
                yield from (push, change)
        if any(row.arm == arm and row.stage == "rl" for row in seen.curves):
            yield from logged_rows(arm, seen.curves, expected)
            openings = [row for row in seen.openings if row.arm == arm]
            if openings or arm == seen.main:
                yield from replicator_rows(arm, seen.curves, openings)
        if arm == seen.main and before and after:
            if at_gate:
                yield from flow_rows((at_gate, before, after), seen.apart.by_part, settings)
            yield from transfer_rows(_trained(seen, policy, before, after), seen.apart, settings)
    for swap in seen.swaps:
        yield swap_row(swap, changes.get(seen.main))


def _trained(
    seen: Observed, policy: Mapping[str, Policy], before: Policy, after: Policy
) -> Trained:
    few = _few(seen)
    ends = policy.get(_before(few)), policy.get(f"{few}/rl")
    return Trained(
        before=before,
        after=after,
        base=policy.get(BASE),
        few=(ends[0], ends[1]) if few and ends[0] and ends[1] else None,
    )


def _between(
    seen: Observed, policy: Mapping[str, Policy], settings: Resampling
) -> Iterator[PredictionRow]:
    yield from random_rows(seen.pairs, seen.main, seen.benchmark)
    yield from _pass_at_k(seen, settings)
    wrong_arm = seen.main.replace("heuristics", "wrong")
    wrong, right = seen.curve(f"{wrong_arm}/mid"), seen.curve(f"{seen.main}/mid")
    if wrong and right and wrong_arm != seen.main:
        yield from wrong_rows(wrong, right, settings)
    yield from _budget(seen, policy, settings)


def _pass_at_k(seen: Observed, settings: Resampling) -> Iterator[PredictionRow]:
    for phase in ("mid", "rl"):
        wide, narrow = seen.curve(f"{seen.main}/{phase}"), seen.curve(f"{_few(seen)}/{phase}")
        yield from _race(wide, narrow, settings, ("E2", "a mixture gains with k"))
    words = "RL narrows, as far as logits are shared by problems"
    yield from _race(seen.curve(BASE), seen.curve("vanilla/rl"), settings, ("E5", words))


def _race(
    wide: Curve | None, narrow: Curve | None, settings: Resampling, why: tuple[str, str]
) -> Iterator[PredictionRow]:
    """How the lead of the wider policy grows with k, and where it overtakes."""
    both = side_by_side(wide, narrow) if wide and narrow else None
    if both:
        yield growth_row(*both, settings, proposition=why[0], words=why[1])
        yield crossover_row(*both, settings)


def _budget(
    seen: Observed, policy: Mapping[str, Policy], settings: Resampling
) -> Iterator[PredictionRow]:
    every_arm = (parse_arm(name) for name in seen.arms)
    arms = sorted((a.ways, a.name) for a in every_arm if a.kind.name == "budget" and not a.suffix)
    if len(arms) < 2:
        return
    (_, one), (ways, many) = arms[0], arms[-1]
    used = Counter(row.heuristic for line, rows in seen.data.items() if line.arm == one
                   for row in rows)  # fmt: skip
    total = used.total()
    natural = {heuristic: count / total for heuristic, count in used.most_common()}
    every = {row.heuristic for line, rows in seen.data.items() if line.arm == many for row in rows}
    natural |= dict.fromkeys(sorted(every - set(natural)), 0.0)
    for phase in ("mid", "rl"):
        a, b = policy.get(f"{many}/{phase}"), policy.get(f"{one}/{phase}")
        if a and b and natural:
            yield budget_row(a, b, natural, settings, ways=ways)
