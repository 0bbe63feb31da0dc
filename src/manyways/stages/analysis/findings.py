"""What was found, in plain sentences made by rule from intervals.

A difference counts as found when its 95% interval over problems leaves out 0 and, with three or
more seeds, the interval over seeds does so on the same side. All else is "no difference found".
"""

from collections.abc import Iterator, Sequence

from manyways.arms.kinds import Kind
from manyways.metrics.intervals import holm
from manyways.metrics.pass_at_k import crossover
from manyways.results.tables import Finding, PairedRow
from manyways.stages.analysis.evidence import Evidence, bounds, clause, sign_of
from manyways.stages.analysis.mechanism import data, mechanism, training
from manyways.stages.analysis.unanswered import why_unanswered

FEW_PROBLEMS = 50
UNDECIDED = 0.01


def findings(evidence: Evidence) -> list[Finding]:
    """All findings, the answer to the main question first."""
    made = [
        *(Finding(kind="main", sentence=s) for s in _main(evidence)),
        *(Finding(kind="mechanism", sentence=s) for s in _contrasts(evidence)),
        *(Finding(kind="mechanism", sentence=s) for s in mechanism(evidence)),
        *(Finding(kind="data", sentence=s) for s in data(evidence)),
        *(Finding(kind="training", sentence=s) for s in training(evidence)),
        *(Finding(kind="caution", sentence=s) for s in _cautions(evidence)),
    ]
    return made


def _main(evidence: Evidence) -> Iterator[str]:
    arm = evidence.main
    if not evidence.passes:
        yield "Nothing has been evaluated yet: there is nothing to compare."
        return
    rows = evidence.differences(f"{arm}/rl", "vanilla/rl") if arm else []
    if rows:
        yield _answer(str(arm), rows, evidence)
    else:
        yield f"Did learning many ways first help RL? Not answered: {why_unanswered(evidence)}"
    yield from _by_benchmark(rows, evidence)
    for name in ["vanilla", *([arm] if arm else [])]:
        yield from _against_base(name, evidence)
    for row in evidence.differences(f"{arm}/mid", "base")[-1:]:
        yield f"Mid-training alone ({arm}, before RL) against the base: {_worded(row, evidence)}."


def _answer(arm: str, rows: Sequence[PairedRow], evidence: Evidence) -> str:
    signs = {f"pass@{row.k}": sign_of(row) for row in rows}
    better = [k for k, sign in signs.items() if sign > 0]
    worse = [k for k, sign in signs.items() if sign < 0]
    neither = [k for k, sign in signs.items() if sign == 0]
    what, alone = f"RL after learning many ways ({arm})", "RL alone (vanilla)"
    rest = f", with no difference found at {neither[0]}" if neither else ""
    if better and worse:
        lead = f"Partly: {what} beats {alone} at {better[0]} but does worse at {worse[0]}"
    elif better:
        lead = f"Yes: {what} beats {alone} at {' and '.join(better)}{rest}"
    elif worse:
        lead = f"No: {what} does worse than {alone} at {' and '.join(worse)}{rest}"
    else:
        lead = f"No difference found between {what} and {alone}"
    clauses = "; ".join(clause(row, evidence) for row in rows)
    return f"{lead}: {clauses} ({_units(rows[0], evidence)})."


def _by_benchmark(rows: Sequence[PairedRow], evidence: Evidence) -> Iterator[str]:
    """The main difference on each benchmark, where there are several."""
    if not rows or evidence.scope != "mean":
        return
    first = rows[0]
    parts = [
        f"{row.benchmark} {row.difference.value:+.2f} {bounds(row.difference)}"
        for name in evidence.benchmarks
        for row in evidence.pairs
        if (row.a, row.b, row.benchmark, row.k) == (first.a, first.b, name, first.k)
    ]
    yield f"The same difference at pass@{first.k} by benchmark: {'; '.join(parts)}."


def _units(row: PairedRow, evidence: Evidence) -> str:
    over = f", mean over {len(evidence.benchmarks)} benchmarks" if evidence.scope == "mean" else ""
    count = min(evidence.seeds_of(row.a), evidence.seeds_of(row.b))
    seeds = f"{count} seed{'s' if count > 1 else ''}"
    return f"n = {row.difference.n} problems{over}, {seeds}; brackets are 95% intervals"


def _against_base(arm: str, evidence: Evidence) -> Iterator[str]:
    """What RL did to the untouched model at k = 1 and at the largest k: it may lower the latter."""
    rows = evidence.differences(f"{arm}/rl", "base")
    if not rows:
        return
    what = "RL alone" if arm == "vanilla" else f"Mid-training on {arm} and then RL"
    words = "; ".join(_worded(row, evidence) for row in rows)
    text = f"{what} against the untouched base: {words}"
    base, trained = evidence.curve("base"), evidence.curve(f"{arm}/rl")
    ks = sorted(set(base) & set(trained))
    k = crossover(ks, [trained[k].value for k in ks], [base[k].value for k in ks])
    yield text + (f". The base catches up at about k = {k:.1f}." if k else ".")


def _worded(row: PairedRow, evidence: Evidence) -> str:
    word = {1: "higher", -1: "lower", 0: "no difference found"}[sign_of(row)]
    return f"{word} {clause(row, evidence)}"


def _contrasts(evidence: Evidence) -> Iterator[str]:
    """The comparisons that say which part of the method matters."""
    main = evidence.main
    kinds = {arm.name: arm.kind for arm in evidence.arms}
    rounds = {arm.name: arm.parent for arm in evidence.arms if arm.round > 1}
    for a, b in dict.fromkeys((row.a, row.b) for row in evidence.pairs):
        arm_a, arm_b = a.split("/")[0], b.split("/")[0]
        question = _question(kinds.get(arm_a), kinds.get(arm_b))
        if rounds.get(arm_a) == arm_b:
            question = "One more round of writing a pool and mid-training on it"
        elif arm_a in rounds and question:
            question = "A later round against longer mid-training on the first pool"
        rows = evidence.differences(a, b)
        ours = "budget" in arm_a or arm_a.partition("@")[0] == main
        if question and rows and a.endswith("/rl") and ours:
            words = "; ".join(_worded(row, evidence) for row in rows)
            yield f"{question}, both after RL ({arm_a} against {arm_b}): {words}."


def _question(of: Kind | None, with_: Kind | None) -> str:
    """What the comparison of two kinds of arms is about; empty where they are not compared."""
    if of is None or with_ is None or of.name not in ("heuristics", with_.name):
        return ""
    if of.name == with_.name == "heuristics":
        return "The same data in mid-training of another length"
    return with_.contrast if (of is with_) == (with_.against == "fewest") else ""


def _cautions(evidence: Evidence) -> Iterator[str]:
    if evidence.seeds < 3 and evidence.pairs:
        count = "One training seed" if evidence.seeds == 1 else "Two training seeds"
        yield (
            f"{count}: the intervals are over problems and leave out that another seed may train "
            "differently. Add seeds before concluding anything."
        )
    yield from _many_comparisons(evidence)
    sizes = {row.benchmark: row.score.n for row in evidence.passes if row.benchmark != "mean"}
    few = [f"{name} ({n})" for name, n in sizes.items() if n < FEW_PROBLEMS]
    if few:
        yield f"Fewer than {FEW_PROBLEMS} problems: {', '.join(few)}; their intervals are wide."
    worst = max(evidence.rates, key=lambda row: row.undecided, default=None)
    if worst and worst.undecided > UNDECIDED:
        yield (
            f"{worst.undecided:.1%} of the answers of {worst.checkpoint} on {worst.benchmark} "
            "could not be judged; they count as not correct."
        )


def _many_comparisons(evidence: Evidence) -> Iterator[str]:
    rows = [row for row in evidence.pairs if row.benchmark == evidence.scope]
    if len(rows) < 2:
        return
    away = sum(row.difference.low > 0 or row.difference.high < 0 for row in rows)
    left = int((holm([row.p for row in rows]) < 0.05).sum())
    where = "the mean over benchmarks" if evidence.scope == "mean" else evidence.scope
    yield (
        f"{len(rows)} paired comparisons were made on {where}. The intervals over problems of "
        f"{away} leave out 0, where chance alone would give about {0.05 * len(rows):.1f}; {left} "
        "remain after Holm's correction of the permutation tests (family-wise 5%)."
    )
