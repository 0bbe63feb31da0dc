"""Why a run cannot answer the main question: one sentence, the deepest reason first."""

from collections.abc import Sequence

from manyways.records import PLAIN
from manyways.results.tables import ArmRow, GateRow
from manyways.stages.analysis.evidence import Evidence


def why_unanswered(evidence: Evidence) -> str:
    """What is missing for the comparison of the main arm with vanilla after RL."""
    names = [arm.name for arm in evidence.arms]
    if evidence.main is None or "vanilla" not in names:
        return _nothing_beside(names, evidence.main)
    stopped = [
        row
        for row in evidence.outcomes
        if row.arm in (evidence.main, "vanilla") and row.outcome != "complete"
    ]
    refused = [row for row in evidence.gates if row.decision == "refused"]
    attempts = sum(row.attempts for row in evidence.yields)
    if stopped and attempts and not sum(row.correct for row in evidence.yields):
        return _nothing_correct(evidence, attempts)
    if stopped and refused and len(refused) == len(evidence.gates):
        return _all_refused(refused)
    return _listed(stopped) or f"{evidence.main} or vanilla has not been evaluated after RL."


def _nothing_beside(names: Sequence[str], main: str | None) -> str:
    if main is None:
        return (
            f"the run has one arm, {names[0]}, and none that learns before RL to compare it with."
        )
    arms = f"one arm, {names[0]}," if len(names) == 1 else f"{len(names)} arms"
    return f"the run has {arms} but no vanilla arm (RL alone) to compare {main} with."


def _nothing_correct(evidence: Evidence, attempts: int) -> str:
    heuristics = sum(row.heuristic != PLAIN for row in evidence.yields)
    return (
        f"none of the {attempts:,} attempts of the pool (under {heuristics} heuristics and plain) "
        "was correct, so there was nothing to learn from. Choose easier problems, a stronger base "
        "model or more samples, or look at the attempts: the answers may only be written in a form "
        "that the verifier does not read."
    )


def _all_refused(refused: Sequence[GateRow]) -> str:
    """The gate's own words for the first checkpoint; the others stand below the first screen."""
    reason = refused[0].sentence.rpartition("not fit for RL: ")[2]
    which = "the one checkpoint" if len(refused) == 1 else f"all {len(refused)} checkpoints"
    first = "" if len(refused) == 1 else f" The first, {refused[0].arm}, seed {refused[0].seed}:"
    return f"the gate refused {which}, so RL never ran.{first or ' Its reason:'} {reason}"


def _listed(stopped: Sequence[ArmRow]) -> str:
    """Each outcome once, with the lines that it is of."""
    lines: dict[str, list[str]] = {}
    for row in stopped:
        lines.setdefault(row.outcome, []).append(f"{row.arm}/seed-{row.seed}")
    return "; ".join(f"{', '.join(names)}: {outcome}" for outcome, names in lines.items())
