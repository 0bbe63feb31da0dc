"""The main question and its controls, answered in sentences made by rule from intervals.

Two grades. A difference is a *hint* when its 95% interval over problems leaves out 0 and, with
three or more seeds, the interval over seeds does so on the same side. It *holds* when moreover its
permutation test remains after Holm's correction for every comparison on the headline benchmark.

A gain over RL alone that holds is a *Yes* only where the run tells the many ways from all else that
mid-training brings: every control was beaten too, and one of them learned one way a problem on as
many problems and examples. Otherwise it is *Partly*, and the answer says what is open. Later
sentences say "higher" or "lower" where the intervals leave out 0, and "no difference found"
otherwise.
"""

import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from manyways.arms import RL_ALONE, VANILLA
from manyways.arms.kinds import Kind
from manyways.measures import Finding, sign_of
from manyways.measures.arms import (
    ARMS,
    UNFINISHED,
    outcome_sentences,
    stopped_lines,
    untested_lines,
)
from manyways.measures.benchmarks import MEANS, SEEDS_FOR_T, benchmark_words, prefer_pooled
from manyways.measures.gate import GATE, GateRow
from manyways.measures.pass_at_k import PASS_AT_K
from manyways.measures.yields import YIELD
from manyways.records import PLAIN, Checkpoint, pooled
from manyways.reporting.words import listing, signed
from manyways.run_dir import not_judged

if TYPE_CHECKING:
    from manyways.measures.paired import PairedRow
    from manyways.measures.seen import Seen

FAMILY_WISE = 0.05
"""The chance of one or more false Yes or No among all comparisons of a run."""
ALIKE = 0.1
"""Two arms have one size if their numbers of problems and of examples differ by no larger share."""


def hint_of(row: "PairedRow") -> int:
    """1 or -1 where the intervals leave out 0, which is a hint, else 0."""
    return sign_of(row.difference, row.seeds)


def remaining_after_holm(seen: "Seen") -> "list[PairedRow]":
    """The comparisons on the headline benchmark that remain after Holm's correction."""
    from manyways.metrics.differences import holm

    rows = [row for row in seen.pairs if row.benchmark == seen.headline]
    adjusted = holm([row.p for row in rows])
    return [row for row, p in zip(rows, adjusted, strict=True) if p < FAMILY_WISE]


def held_signs(rows: "Sequence[PairedRow]", seen: "Seen") -> list[int]:
    """For each row 1 or -1 where its difference holds, else 0."""
    left = remaining_after_holm(seen)
    return [hint_of(row) if row in left and not _guessed(row, seen) else 0 for row in rows]


def _guessed(row: "PairedRow", seen: "Seen") -> bool:
    """Whether the better of the two is not above what guessing among the options scores."""
    chance = seen.chance(row.benchmark).get(row.k)
    better = seen.curve(row.a if row.difference.value >= 0 else row.b).get(row.k)
    return chance is not None and better is not None and better.low <= chance


def verdict_in_words(what: str, alone: str, rows: "Sequence[PairedRow]", seen: "Seen") -> str:
    """The verdict in words: Yes, No, partly, a hint, or why it cannot be told."""
    if all(_guessed(row, seen) for row in rows):
        return f"Cannot tell, because neither {what} nor {alone} scores above guessing"
    signs = held_signs(rows, seen)
    better = _at(rows, signs, 1)
    worse = _at(rows, signs, -1)
    hints = [hint_of(row) if not sign else 0 for row, sign in zip(rows, signs, strict=True)]
    up, down = _at(rows, hints, 1), _at(rows, hints, -1)
    if better and worse:
        return f"Partly: {what} beats {alone} at {better} but does worse at {worse}"
    if better or worse:
        rest = f"{alone} at {better or worse}{_rest(rows, signs, up, down)}"
        if worse:
            return f"No: {what} does worse than {rest}"
        doubt = _doubt(seen)
        return f"Partly: {what} beats {rest}, but {doubt}" if doubt else f"Yes: {what} beats {rest}"
    if up or down:
        told = [f"{word} at {k}" for word, k in (("higher", up), ("lower", down)) if k]
        return (
            f"A hint, no answer: {what} scores {' and '.join(told)} than {alone}, but no difference"
            " between them remains after Holm's correction for the number of comparisons"
        )
    return f"Cannot tell, because no difference was found between {what} and {alone}"


def _at(rows: "Sequence[PairedRow]", signs: Sequence[int], wanted: int) -> str:
    return " and ".join(f"pass@{r.k}" for r, s in zip(rows, signs, strict=True) if s == wanted)


def _rest(rows: "Sequence[PairedRow]", signs: Sequence[int], up: str, down: str) -> str:
    """What the answer says about the other values of k."""
    if up or down:
        return f", with a hint of {'a gain' if up else 'a loss'} at {up or down}"
    none = _at(rows, signs, 0)
    return f", with no difference found at {none}" if none else ""


Control = tuple[str, Kind | None, "list[PairedRow]"]
"""An arm that the method is against, its kind (None for RL alone), and the rows against it."""


def _doubt(seen: "Seen") -> str:
    """Why a gain over RL alone cannot be put down to the many ways; empty where it can."""
    found = [(arm, kind, rows) for arm, kind, rows in controls(seen) if kind and not kind.foreign]
    open_ = [control for control in found if not _wins(control[2], seen)]
    told = _not_beaten(open_, seen)
    if any(not kind.wrong for _, kind, _ in open_):
        return f"{told}, so the many ways need not be why"
    few = [arm for arm, kind, _ in found if one_way(kind)]
    if any(_alike(arm, seen) for arm in few):
        return f"{told}, so it need not matter that the ways are right" if told else ""
    lacks = (
        f"{listing(few)} had another number of problems or examples"
        if few
        else "no arm of the run learned one way a problem"
    )
    why = f"the many ways need not be why: {lacks} (an arm matched-{_ways(seen)} would tell)"
    return f"{told}, and {why}" if told else why


def _not_beaten(open_: "Sequence[Control]", seen: "Seen") -> str:
    """How the main arm stands to controls that it does not beat; empty without any."""
    worse = [arm for arm, _, rows in open_ if min(held_signs(rows, seen)) < 0]
    hints = [arm for arm, _, rows in open_ if arm not in worse and _hints(rows)]
    rest = [arm for arm, _, _ in open_ if arm not in (*worse, *hints)]
    said = (
        f"it does worse than {listing(worse)}" if worse else "",
        f"it was not shown to beat {listing(rest)}" if rest else "",
        f"there is only a hint that it beats {listing(hints)}" if hints else "",
    )
    return ", and ".join(filter(None, said))


def _alike(arm: str, seen: "Seen") -> bool:
    """Whether ``arm`` was mid-trained on as many problems and examples as the main arm."""
    sizes = {row.arm: (row.problems, row.examples) for row in seen.rows(ARMS)}
    if not {arm, seen.main} <= set(sizes):
        return False
    pairs = zip(sizes[str(seen.main)], sizes[arm], strict=True)
    return all(abs(ours - theirs) <= ALIKE * ours for ours, theirs in pairs)


def _ways(seen: "Seen") -> int:
    return next(arm.ways for arm in seen.arms if arm.name == seen.main)


def against_controls(seen: "Seen") -> Iterator[str]:
    """A sentence on all controls of the run, and one on many ways or heuristics alone."""
    found = list(controls(seen))
    parts = [f"{name}: {verdict_by_k(rows, seen)}" for name, _, rows in found]
    if len(parts) > 1:
        yield f"Does {seen.main} beat each control, both after RL? {'; '.join(parts)}."
    ways = ways_or_heuristics(found, seen)
    if ways:
        yield ways


def ways_or_heuristics(found: "Sequence[Control]", seen: "Seen") -> str:
    """Whether many ways matter or heuristics alone; empty without a control of one way each."""
    of_ways = [(name, rows) for name, kind, rows in found if kind and one_way(kind)]
    return _many_or_heuristics(of_ways, seen) if of_ways else ""


def one_way(kind: Kind) -> bool:
    """Whether arms of this kind learn correct solutions under heuristics, one way each."""
    under_heuristics = kind.prompts in ("first", "all")
    alike = kind.against in ("every", "same")
    return under_heuristics and alike and not kind.wrong and not kind.foreign


def controls(seen: "Seen") -> "Iterator[Control]":
    """RL alone, and each arm that the method is against.

    Variants of an arm (other lengths, later rounds) are no controls. RL alone has no kind here.
    """
    ours = pooled(str(seen.main), "rl")
    yield from ((VANILLA, None, rows) for rows in [seen.differences(ours, RL_ALONE)] if rows)
    for arm in seen.arms:
        rows = seen.differences(ours, pooled(arm.name, "rl"))
        if rows and arm.kind.against in ("every", "same") and not arm.suffix:
            yield arm.name, arm.kind, rows


def verdict_by_k(rows: "Sequence[PairedRow]", seen: "Seen") -> str:
    """``yes at pass@1, cannot tell at pass@8``; equal verdicts at several k are joined."""
    hint = {1: "a hint that it does", -1: "a hint that it does worse", 0: "cannot tell"}
    said: dict[str, list[str]] = {}
    for row, sign in zip(rows, held_signs(rows, seen), strict=True):
        told = {1: "yes", -1: "no, it does worse"}.get(sign) or hint[hint_of(row)]
        said.setdefault(told, []).append(f"pass@{row.k}")
    return ", ".join(f"{told} at {' and '.join(ks)}" for told, ks in said.items())


def _many_or_heuristics(of_ways: "list[tuple[str, list[PairedRow]]]", seen: "Seen") -> str:
    """Many ways count as what matters only where no control of one way does as well."""
    question = "Many ways, or just heuristics?"
    better = [name for name, rows in of_ways if _wins(rows, seen)]
    open_ = [name for name, _ in of_ways if name not in better]
    if not open_ and not any(_alike(name, seen) for name in better):
        return (
            f"{question} Cannot tell: {seen.main} beats {', '.join(better)}, which had another "
            f"number of problems or examples (an arm matched-{_ways(seen)} would tell)."
        )
    if not open_:
        return f"{question} Many ways: {seen.main} beats one way each ({', '.join(better)})."
    beaten = f" It does beat {', '.join(better)}." if better else ""
    return (
        f"{question} Cannot tell: {seen.main} was not shown to beat arms that learn one way under "
        f"the same heuristics ({', '.join(open_)}).{beaten}"
    )


def _hints(rows: "Sequence[PairedRow]") -> bool:
    """Whether intervals leave out 0 in favour of the first at some k, and against it at none."""
    return _is_gain([hint_of(row) for row in rows])


def _wins(rows: "Sequence[PairedRow]", seen: "Seen") -> bool:
    return _is_gain(held_signs(rows, seen))


def _is_gain(signs: Sequence[int]) -> bool:
    return max(signs) > 0 and min(signs) >= 0


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
        yield from against_controls(seen)
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
    first = verdict_in_words(what, "RL alone (vanilla)", rows, seen)
    clauses = "; ".join(difference_clause(row, seen) for row in rows)
    return f"{first}: {clauses} ({_units(rows[0], seen)})."


def _what_it_is(row: "PairedRow", seen: "Seen") -> str:
    """How far the answer may reach: of which model, how many seeds and problems."""
    seeds = ", ".join(str(seed) for seed in seen.recipe.seeds)
    many = len(seen.recipe.seeds) > 1
    names = ", ".join(seen.answered_on)
    return (
        f"What this run is: {seen.model}, training "
        f"seed{'s' if many else ''} {seeds}, {row.difference.n} problems of {names}. "
        "It says nothing of other models or problems. `manyways problems show NAME` prints what is "
        "asked."
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
    word = {1: "higher", -1: "lower", 0: "no difference found"}[hint_of(row)]
    return f"{word} {difference_clause(row, seen)}"


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


def _question(of: Kind | None, with_: Kind | None) -> str:
    """What the comparison of two kinds of arms is about; empty where they are not compared."""
    if of is None or with_ is None or of.name not in ("heuristics", with_.name):
        return ""
    if of.name == with_.name == "heuristics":
        return "The same data in mid-training of another length"
    return with_.contrast if (of is with_) == (with_.against == "fewest") else ""


def _cautions(seen: "Seen") -> Iterator[str]:
    if seen.run is not None:
        yield from not_judged(seen.run)
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
    """For choice sets, what guessing scores there and how many checkpoints score no more."""
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
    left = len(remaining_after_holm(seen))
    where = benchmark_words(seen.headline)
    yield (
        f"{len(rows)} paired comparisons were made on {where}. The intervals over problems of "
        f"{away} leave out 0, where chance alone would give about {0.05 * len(rows):.1f}; {left} "
        "remain after Holm's correction of the permutation tests (family-wise 5%)."
    )


def difference_clause(row: "PairedRow", seen: "Seen") -> str:
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
    both = (seen.main, VANILLA)
    halted = [row for row in stopped_lines(seen) if row.arm in both]
    refused = [row for row in seen.rows(GATE) if row.decision == "refused"]
    attempts = sum(row.attempts for row in seen.rows(YIELD))
    if halted and attempts and not sum(row.correct for row in seen.rows(YIELD)):
        return _nothing_correct(seen, attempts)
    if halted and refused and len(refused) == len(seen.rows(GATE)):
        return _all_refused(refused)
    waiting = [row for row in untested_lines(seen) if row.arm in both]
    listed = "; ".join(outcome_sentences([*halted, *waiting]))
    if listed and any(row.outcome not in UNFINISHED for row in halted):
        return listed
    named = f" ({listed})" if listed else f": {seen.main} or vanilla has no test after RL"
    run = f"manyways run {shlex.quote(seen.name)}"
    return f"the run has not come to its end{named}. It goes on with {run}."


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
