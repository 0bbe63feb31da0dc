"""Whether a comparison of the run may be called a Yes or a No, and the same against every control.

Two grades. A difference is a *hint* when its 95% interval over problems leaves out 0 and, with
three or more seeds, the interval over seeds does so on the same side. It *holds* when moreover its
permutation test remains after Holm's correction for every comparison on the headline benchmark.

A gain over RL alone that holds is a *Yes* only where the run tells the many ways from all else that
mid-training brings: every control was beaten too, and one of them learned one way a problem on as
many problems and examples. Else it is called *Partly*, with what is open.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from manyways.arms import RL_ALONE, VANILLA
from manyways.arms.kinds import Kind
from manyways.measures.arms import ARMS
from manyways.records import pooled
from manyways.reporting.words import listing

if TYPE_CHECKING:
    from manyways.measures.paired import PairedRow
    from manyways.measures.seen import Seen

FAMILY_WISE = 0.05
"""The chance of one or more false Yes or No among all comparisons of a run."""
ALIKE = 0.1
"""Arms whose numbers of problems, and of examples, differ by no larger share are of one size."""


def sign_of(row: "PairedRow") -> int:
    """1 or -1 where the intervals leave out 0, which is a hint, else 0."""
    scores = [row.difference, *([row.seeds] if row.seeds else [])]
    if all(s.low > 0 for s in scores):
        return 1
    return -1 if all(s.high < 0 for s in scores) else 0


def remaining(seen: "Seen") -> "list[PairedRow]":
    """The comparisons on the headline benchmark that remain after Holm's correction."""
    from manyways.metrics.intervals import holm

    rows = [row for row in seen.pairs if row.benchmark == seen.headline]
    adjusted = holm([row.p for row in rows])
    return [row for row, p in zip(rows, adjusted, strict=True) if p < FAMILY_WISE]


def held(rows: "Sequence[PairedRow]", seen: "Seen") -> list[int]:
    """For each row 1 or -1 where its difference holds, else 0."""
    left = remaining(seen)
    return [sign_of(row) if row in left and not _guessed(row, seen) else 0 for row in rows]


def _guessed(row: "PairedRow", seen: "Seen") -> bool:
    """Whether the better of the two is not above what guessing among the options scores."""
    chance = seen.chance(row.benchmark).get(row.k)
    better = seen.curve(row.a if row.difference.value >= 0 else row.b).get(row.k)
    return chance is not None and better is not None and better.low <= chance


def lead(what: str, alone: str, rows: "Sequence[PairedRow]", seen: "Seen") -> str:
    """The verdict in words: Yes, No, partly, a hint, or why it cannot be told."""
    if all(_guessed(row, seen) for row in rows):
        return f"Cannot tell, because neither {what} nor {alone} scores above guessing"
    signs = held(rows, seen)
    better = _at(rows, signs, 1)
    worse = _at(rows, signs, -1)
    hints = [sign_of(row) if not sign else 0 for row, sign in zip(rows, signs, strict=True)]
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
    """What is to be said of the other k."""
    if up or down:
        return f", with a hint of {'a gain' if up else 'a loss'} at {up or down}"
    none = _at(rows, signs, 0)
    return f", with no difference found at {none}" if none else ""


def _doubt(seen: "Seen") -> str:
    """Why a gain over RL alone cannot be put down to the many ways; empty where it can."""
    found = [(arm, kind, rows) for arm, kind, rows in controls(seen) if kind and not kind.foreign]
    open_ = {arm: rows for arm, _, rows in found if not _wins(rows, seen)}
    if open_:
        hints = [arm for arm, rows in open_.items() if _hints(rows)]
        rest = [arm for arm in open_ if arm not in hints]
        not_shown = f"it was not shown to beat {listing(rest)}" if rest else ""
        only = f"there is only a hint that it beats {listing(hints)}" if hints else ""
        what = ", and ".join(filter(None, (not_shown, only)))
        return f"{what}, so the many ways need not be why"
    few = [arm for arm, kind, _ in found if one_way(kind)]
    if any(_alike(arm, seen) for arm in few):
        return ""
    lacks = (
        f"{listing(few)} had another number of problems or examples"
        if few
        else "no arm of the run learned one way a problem"
    )
    return f"the many ways need not be why: {lacks} (an arm matched-{_ways(seen)} would tell)"


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
    """One sentence on each control of the run, one on many ways or just heuristics."""
    found = list(controls(seen))
    parts = [f"{name}: {short(rows, seen)}" for name, _, rows in found]
    if len(parts) > 1:
        yield f"Does {seen.main} beat each control, both after RL? {'; '.join(parts)}."
    ways = ways_or_heuristics(found, seen)
    if ways:
        yield ways


def ways_or_heuristics(
    found: "Sequence[tuple[str, Kind | None, list[PairedRow]]]", seen: "Seen"
) -> str:
    """Whether many ways matter or heuristics alone; empty without a control of one way each."""
    of_ways = [(name, rows) for name, kind, rows in found if kind and one_way(kind)]
    return _many_or_heuristics(of_ways, seen) if of_ways else ""


def one_way(kind: Kind) -> bool:
    """Whether arms of this kind learn correct solutions under heuristics, one way each."""
    under_heuristics = kind.prompts in ("first", "all")
    alike = kind.against in ("every", "same")
    return under_heuristics and alike and not kind.wrong and not kind.foreign


def controls(seen: "Seen") -> "Iterator[tuple[str, Kind | None, list[PairedRow]]]":
    """(arm, its kind, the rows against it) of RL alone and of each arm that the method is against.

    Variants of an arm (other lengths, later rounds) are no controls. RL alone has no kind here.
    """
    ours = pooled(str(seen.main), "rl")
    yield from ((VANILLA, None, rows) for rows in [seen.differences(ours, RL_ALONE)] if rows)
    for arm in seen.arms:
        rows = seen.differences(ours, pooled(arm.name, "rl"))
        if rows and arm.kind.against in ("every", "same") and not arm.suffix:
            yield arm.name, arm.kind, rows


def short(rows: "Sequence[PairedRow]", seen: "Seen") -> str:
    """``yes at pass@1, cannot tell at pass@8``; what is said of several k is said once."""
    hint = {1: "a hint that it does", -1: "a hint that it does worse", 0: "cannot tell"}
    said: dict[str, list[str]] = {}
    for row, sign in zip(rows, held(rows, seen), strict=True):
        told = {1: "yes", -1: "no, it does worse"}.get(sign) or hint[sign_of(row)]
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
    signs = [sign_of(row) for row in rows]
    return max(signs) > 0 and min(signs) >= 0


def _wins(rows: "Sequence[PairedRow]", seen: "Seen") -> bool:
    signs = held(rows, seen)
    return max(signs) > 0 and min(signs) >= 0
