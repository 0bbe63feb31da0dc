"""The main question and its controls, answered in sentences made by rule from intervals.

The first sentence says Yes or No only of a difference that holds (see ``verdict``). The others say
"higher" or "lower" where the intervals leave out 0, and "no difference found" of all else.
"""

import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from manyways.arms import RL_ALONE, VANILLA
from manyways.arms.kinds import Kind as ArmKind
from manyways.measures import verdict
from manyways.measures.arms import ARMS, UNFINISHED, in_lines
from manyways.measures.benchmarks import MEANS, SEEDS_FOR_T, in_words, prefer_pooled
from manyways.measures.gate import GATE, GateRow
from manyways.measures.measure import Finding
from manyways.measures.pass_at_k import PASS_AT_K
from manyways.measures.verdict import sign_of
from manyways.measures.yields import YIELD
from manyways.records import PLAIN, Checkpoint, pooled
from manyways.reporting.words import signed

if TYPE_CHECKING:
    from manyways.measures.paired import PairedRow
    from manyways.measures.seen import Seen

FEW_PROBLEMS = 50


def says(seen: "Seen") -> Iterator[Finding]:
    """The answer to the main question first."""
    for sentence in _main(seen):
        yield Finding(kind="main", sentence=sentence)
    for sentence in _contrasts(seen):
        yield Finding(kind="mechanism", sentence=sentence)
    for sentence in _cautions(seen):
        yield Finding(kind="caution", sentence=sentence)


def _main(seen: "Seen") -> Iterator[str]:
    arm = seen.main
    if not seen.rows(PASS_AT_K):
        yield "Nothing has been evaluated yet: there is nothing to compare."
        return
    rows = seen.differences(pooled(arm, "rl"), RL_ALONE) if arm else []
    if rows:
        yield _answer(str(arm), rows, seen)
        yield from verdict.against_controls(seen)
        yield _what_it_is(rows[0], seen)
    else:
        yield f"Not answered: {why_unanswered(seen)}"
    yield from _by_benchmark(rows, seen)
    for name in [VANILLA, *([arm] if arm else [])]:
        yield from _against_base(name, seen)
    for row in seen.differences(pooled(str(arm), "mid"), "base")[-1:]:
        yield f"Mid-training alone ({arm}, before RL) against the base: {_worded(row, seen)}."


def _answer(arm: str, rows: "Sequence[PairedRow]", seen: "Seen") -> str:
    what = f"RL after learning many ways ({arm})"
    lead = verdict.lead(what, "RL alone (vanilla)", rows, seen)
    clauses = "; ".join(clause(row, seen) for row in rows)
    return f"{lead}: {clauses} ({_units(rows[0], seen)})."


def _what_it_is(row: "PairedRow", seen: "Seen") -> str:
    """How far the answer may reach: of which model, how many seeds and problems."""
    seeds = ", ".join(str(seed) for seed in seen.recipe.seeds)
    many = len(seen.recipe.seeds) > 1
    names = ", ".join(seen.answered_on)
    return (
        f"What this run is: base model {seen.recipe.model.path}, training "
        f"seed{'s' if many else ''} {seeds}, {row.difference.n} problems of {names}. "
        "It says nothing of other models or problems."
    )


def _by_benchmark(rows: "Sequence[PairedRow]", seen: "Seen") -> Iterator[str]:
    """The main difference on each benchmark, where there are several."""
    if not rows or seen.headline not in MEANS:
        return
    first = rows[0]
    parts = [
        f"{row.benchmark} {signed(row.difference)}"
        for name in seen.single_benchmarks
        for row in seen.pairs
        if (row.a, row.b, row.benchmark, row.k) == (first.a, first.b, name, first.k)
    ]
    yield f"The same difference at pass@{first.k} by benchmark: {'; '.join(parts)}."


def _units(row: "PairedRow", seen: "Seen") -> str:
    over = f", mean over {len(seen.answered_on)} benchmarks" if seen.headline in MEANS else ""
    count = min(seen.seeds_of(row.a), seen.seeds_of(row.b))
    seeds = f"{count} seed{'s' if count > 1 else ''}"
    return f"n = {row.difference.n} problems{over}, {seeds}; brackets are 95% intervals"


def _against_base(arm: str, seen: "Seen") -> Iterator[str]:
    """What RL did to the untouched model at k = 1 and at the largest k: it may lower the latter."""
    from manyways.metrics.pass_at_k import crossover

    rows = seen.differences(pooled(arm, "rl"), "base")
    if not rows:
        return
    what = "RL alone" if arm == VANILLA else f"Mid-training on {arm} and then RL"
    words = "; ".join(_worded(row, seen) for row in rows)
    text = f"{what} against the untouched base: {words}"
    base, trained = seen.curve("base"), seen.curve(pooled(arm, "rl"))
    ks = sorted(set(base) & set(trained))
    k = crossover(ks, [trained[k].value for k in ks], [base[k].value for k in ks])
    yield text + (f". The base catches up at about k = {k:.1f}." if k else ".")


def _worded(row: "PairedRow", seen: "Seen") -> str:
    word = {1: "higher", -1: "lower", 0: "no difference found"}[sign_of(row)]
    return f"{word} {clause(row, seen)}"


def _contrasts(seen: "Seen") -> Iterator[str]:
    """The comparisons that say which part of the method matters."""
    main = seen.main
    kinds = {arm.name: arm.kind for arm in seen.arms}
    rounds = {arm.name: arm.parent for arm in seen.arms if arm.round > 1}
    for a, b in dict.fromkeys((row.a, row.b) for row in seen.pairs):
        arm_a, arm_b = Checkpoint.parse(a).arm, Checkpoint.parse(b).arm
        question = _question(kinds.get(arm_a), kinds.get(arm_b))
        if rounds.get(arm_a) == arm_b:
            question = "One more round of writing a pool and mid-training on it"
        elif arm_a in rounds and question:
            question = "A later round against longer mid-training on the first pool"
        rows = seen.differences(a, b)
        ours = "budget" in arm_a or arm_a.partition("@")[0] == main
        if question and rows and Checkpoint.parse(a).phase == "rl" and ours:
            words = "; ".join(_worded(row, seen) for row in rows)
            yield f"{question}, both after RL ({arm_a} against {arm_b}): {words}."


def _question(of: ArmKind | None, with_: ArmKind | None) -> str:
    """What the comparison of two kinds of arms is about; empty where they are not compared."""
    if of is None or with_ is None or of.name not in ("heuristics", with_.name):
        return ""
    if of.name == with_.name == "heuristics":
        return "The same data in mid-training of another length"
    return with_.contrast if (of is with_) == (with_.against == "fewest") else ""


def _cautions(seen: "Seen") -> Iterator[str]:
    if len(seen.recipe.seeds) < SEEDS_FOR_T and seen.pairs:
        count = "One training seed" if len(seen.recipe.seeds) == 1 else "Two training seeds"
        yield (
            f"{count}: the intervals are over problems and leave out that another seed may train "
            "differently. Add seeds before concluding anything."
        )
    yield from _many_comparisons(seen)
    sizes = {
        row.benchmark: row.score.n for row in seen.rows(PASS_AT_K) if row.benchmark not in MEANS
    }
    few = [f"{name} ({n})" for name, n in sizes.items() if n < FEW_PROBLEMS]
    yield from _guessable(seen)
    if few:
        yield f"Fewer than {FEW_PROBLEMS} problems: {', '.join(few)}; their intervals are wide."


def _guessable(seen: "Seen") -> Iterator[str]:
    """Of choice sets: what guessing scores there, and how many checkpoints score no more."""
    for name in [name for name in seen.single_benchmarks if name in seen.choices]:
        chance = seen.chance(name)
        k = max(chance)
        rows = [r for r in seen.rows(PASS_AT_K) if (r.benchmark, r.k) == (name, k)]
        rows = prefer_pooled(rows, key=lambda row: (row.arm, row.phase))
        no_more = sum(row.score.low <= chance[k] for row in rows)
        left_out = " It is left out of the headline." if name not in seen.answered_on else ""
        yield (
            f"{name} is multiple choice: guessing scores {chance[min(chance)]:.2f} at "
            f"pass@{min(chance)} and {chance[k]:.2f} at pass@{k}, and {no_more} of {len(rows)} "
            f"checkpoints do not score above that at pass@{k}.{left_out}"
        )


def _many_comparisons(seen: "Seen") -> Iterator[str]:
    rows = [row for row in seen.pairs if row.benchmark == seen.headline]
    if len(rows) < 2:
        return
    away = sum(row.difference.low > 0 or row.difference.high < 0 for row in rows)
    left = len(verdict.remaining(seen))
    where = in_words(seen.headline)
    yield (
        f"{len(rows)} paired comparisons were made on {where}. The intervals over problems of "
        f"{away} leave out 0, where chance alone would give about {0.05 * len(rows):.1f}; {left} "
        "remain after Holm's correction of the permutation tests (family-wise 5%)."
    )


def clause(row: "PairedRow", seen: "Seen") -> str:
    """``at pass@1 0.48 against 0.33, difference +0.15 [+0.08, +0.22]``."""
    a, b = (seen.curve(name).get(row.k) for name in (row.a, row.b))
    values = f" {a.value:.2f} against {b.value:.2f}, difference" if a and b else ""
    seeds = f", over {row.seeds.n} seeds [{signed(row.seeds).interval}]" if row.seeds else ""
    difference = signed(row.difference)
    return f"at pass@{row.k}{values} {difference}{seeds}"


def why_unanswered(seen: "Seen") -> str:
    """What is missing for the comparison of the main arm with vanilla after RL."""
    names = [arm.name for arm in seen.arms]
    if seen.main is None or VANILLA not in names:
        return _nothing_beside(names, seen.main)
    stopped = [
        row
        for row in seen.rows(ARMS)
        if row.arm in (seen.main, VANILLA) and row.outcome != "complete"
    ]
    refused = [row for row in seen.rows(GATE) if row.decision == "refused"]
    attempts = sum(row.attempts for row in seen.rows(YIELD))
    if stopped and attempts and not sum(row.correct for row in seen.rows(YIELD)):
        return _nothing_correct(seen, attempts)
    if stopped and refused and len(refused) == len(seen.rows(GATE)):
        return _all_refused(refused)
    listed = "; ".join(in_lines(stopped))
    if listed and all(row.outcome in UNFINISHED for row in stopped):
        return f"the run has not come to its end ({listed})."
    return listed or f"{seen.main} or vanilla has not been evaluated after RL."


def _nothing_beside(names: Sequence[str], main: str | None) -> str:
    if main is None:
        return (
            f"the run has one arm, {names[0]}, and none that learns before RL to compare it with."
        )
    arms = f"one arm, {names[0]}," if len(names) == 1 else f"{len(names)} arms"
    return f"the run has {arms} but no vanilla arm (RL alone) to compare {main} with."


def _nothing_correct(seen: "Seen", attempts: int) -> str:
    heuristics = sum(row.heuristic != PLAIN for row in seen.rows(YIELD))
    return (
        f"none of the {attempts:,} attempts of the pool (under {heuristics} heuristics and plain) "
        "was correct, so there was nothing to learn from. Choose easier problems, a stronger base "
        "model or more samples, or look at the attempts, by manyways show "
        f"{shlex.quote(seen.name)} PROBLEM --texts --wrong: the answers may only be written in a "
        "form that the verifier does not read."
    )


def _all_refused(refused: Sequence[GateRow]) -> str:
    """The gate's own words for the first checkpoint; the others stand below the first screen."""
    reason = refused[0].sentence.rpartition("not fit for RL: ")[2]
    which = "the one checkpoint" if len(refused) == 1 else f"all {len(refused)} checkpoints"
    first = "" if len(refused) == 1 else f" The first, {refused[0].arm}, seed {refused[0].seed}:"
    return f"the gate refused {which}, so RL never ran.{first or ' Its reason:'} {reason}"
