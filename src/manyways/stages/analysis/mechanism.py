"""Sentences about how: what the pool gave, what training did, how ways are used before and after.

Two rates are said to differ when their intervals do not overlap, which is cautious.
"""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from manyways.records import PLAIN
from manyways.results.tables import CompositionRow
from manyways.stages.analysis.evidence import Evidence, apart, rate

LOW_ADHERENCE = 0.5
TRUNCATED = 0.05
WINDOW = 0.2
"""Share of the steps that "first" and "last" of a curve average over."""
DIRECT = "direct"


def mechanism(evidence: Evidence) -> Iterator[str]:
    """Composition before and after RL, switch rate, reason to combine, learning signal."""
    arm = evidence.main
    before, after = evidence.use(f"{arm}/mid"), evidence.use(f"{arm}/rl")
    if before and after:
        yield _composition(str(arm), before, after, evidence)
        if before.shares or after.shares:
            yield _shares(str(arm), before, after)
    if before:
        yield from _before_rl(str(arm), before)
    yield from _signal(evidence)
    yield from _theory(evidence)


def data(evidence: Evidence) -> Iterator[str]:
    """What the pool gave and how diverse the arms' data are."""
    asked = [row for row in evidence.yields if row.heuristic != PLAIN]
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
        yield (
            f"Mean adherence is below {LOW_ADHERENCE} under {', '.join(loose)}: the model does not "
            "follow these when asked, or they do not apply to many of the problems."
        )
    sets = [
        row for row in evidence.diversity if row.what.startswith("data of ") and row.vendi.n > 1
    ]
    if sets:
        listed = ", ".join(f"{row.what.removeprefix('data of ')} {rate(row.vendi)}" for row in sets)
        yield f"Vendi score of the mid-training data: {listed}."


def training(evidence: Evidence) -> Iterator[str]:
    """Who stopped early, what RL's reward did, how often data were repeated, truncation."""
    stopped: dict[tuple[str, str], list[str]] = {}
    for row in evidence.outcomes:
        if row.outcome != "complete":
            stopped.setdefault((row.arm, row.outcome), []).append(str(row.seed))
    for (arm, outcome), seeds in stopped.items():
        yield f"{arm} (seed {', '.join(seeds)}) did not go all the way: {outcome}"
    yield from _rewards(evidence)
    yield from _lengths(evidence)
    long = [row for row in evidence.rates if row.truncated > TRUNCATED]
    if long:
        worst = max(long, key=lambda row: row.truncated)
        yield (
            f"{worst.truncated:.0%} of the attempts of {worst.checkpoint} on {worst.benchmark} "
            "were cut off at evaluate.max_tokens."
        )


def _lengths(evidence: Evidence) -> Iterator[str]:
    """How long each arm mid-trained, in steps and in passes over its data."""
    trained = {row.arm: row for row in evidence.outcomes if row.epochs is not None}
    if len({row.midtrain_steps for row in trained.values()}) == 1:
        listed = ", ".join(f"{arm} {row.epochs:.1f} times" for arm, row in trained.items())
        yield f"Every arm mid-trains for the same number of steps, so it sees its data: {listed}."
    elif trained:
        listed = ", ".join(
            f"{arm} {row.midtrain_steps} steps, {row.epochs:.1f} times"
            for arm, row in trained.items()
        )
        yield f"Arms mid-train for different lengths; each sees its data: {listed}."


def _composition(
    arm: str, before: CompositionRow, after: CompositionRow, evidence: Evidence
) -> str:
    change = "no change found"
    if apart(before.composed, after.composed):
        change = "rose" if after.composed.value > before.composed.value else "fell"
    corrected = ""
    if before.corrected and after.corrected:
        corrected = (
            " Corrected for the labeller's measured errors: "
            f"{rate(before.corrected)}, {rate(after.corrected)}."
        )
    others = [(name, evidence.use(name)) for name in ("base", "vanilla/rl", "star/rl")]
    beside = ", ".join(f"{name} {rate(row.composed)}" for name, row in others if row)
    return (
        f"Composition rate of {arm}, before and after RL: {rate(before.composed)}, "
        f"{rate(after.composed)}: {change}"
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
        for _, name in moved[:4]
    )
    direct = f"{before.shares.get(DIRECT, 0):.2f} to {after.shares.get(DIRECT, 0):.2f}"
    return (
        f"Share of steps of {arm} through RL: direct {direct}"
        + (f"; most moved: {listed}" if listed else "")
        + f". Effective number of ways {before.effective:.1f} to {after.effective:.1f}."
    )


def _before_rl(arm: str, before: CompositionRow) -> Iterator[str]:
    if before.switch:
        rare = before.switch.high < 0.01
        note = ": RL has next to no combination to reinforce" if rare else ""
        yield f"Switch rate of {arm} before RL: {rate(before.switch)}{note}."
    if before.drift:
        drift = before.drift
        reason = "says neither that combining pays nor that it does not"
        if drift.low > 0:
            reason = (
                "attempts that combine ways are right more often, so RL had a reason to combine"
            )
        elif drift.high < 0:
            reason = "attempts that combine ways are right less often: RL had a reason not to"
        yield (
            f"Before RL, the covariance of composed and correct within problems of {arm} is "
            f"{drift.value:+.3f} [{drift.low:+.3f}, {drift.high:+.3f}]: {reason}."
        )


def _signal(evidence: Evidence) -> Iterator[str]:
    """Mixed groups at the start of RL: without them GRPO has no gradient."""
    mixed = {
        arm.name: float(np.mean([row.mixed for row in evidence.gate(arm.name)]))
        for arm in evidence.arms
        if evidence.gate(arm.name)
    }
    if mixed:
        listed = ", ".join(f"{name} {value:.2f}" for name, value in mixed.items())
        yield f"Share of groups with right and wrong attempts when RL starts: {listed}."


def _theory(evidence: Evidence) -> Iterator[str]:
    """How what was measured compares with what the theory expects."""
    counts = Counter(row.outcome for row in evidence.predictions)
    if not counts:
        return
    against = [f"{r.quantity} of {r.of}" for r in evidence.predictions if r.outcome == "disagrees"]
    yield (
        f"Of the signs that the theory expects, {counts['agrees']} agree with what was measured, "
        f"{counts['disagrees']} disagree and {counts['cannot tell']} cannot be told"
        + (f". Against the theory: {'; '.join(against)}." if against else ".")
    )


def _rewards(evidence: Evidence) -> Iterator[str]:
    moves = []
    for arm in evidence.arms:
        curves = [c for c in evidence.curves if c.arm == arm.name and c.stage == "rl"]
        points = [(c.step, c.reward) for c in curves if c.reward is not None]
        if len({step for step, _ in points}) > 1:
            start, last = min(points)[0], max(points)[0]
            first = [reward for step, reward in points if step <= max(start, WINDOW * last)]
            final = [reward for step, reward in points if step > (1 - WINDOW) * last]
            moves.append(f"{arm.name} {np.mean(first):.2f} to {np.mean(final):.2f}")
    if moves:
        yield f"Mean reward in the first and the last fifth of the RL steps: {', '.join(moves)}."
