"""Paired differences in pass@k: two checkpoints on the same problems."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from manyways.arms import RL_ALONE, Arm
from manyways.arms.kinds import KINDS
from manyways.measures import Measure, answer, example_score
from manyways.measures.benchmarks import MEANS, benchmark_words
from manyways.records import Checkpoint, Score, pooled
from manyways.reporting import Block, Chart, Charts, Heading, Table, charts, words
from manyways.run_dir import benchmark_slug

if TYPE_CHECKING:
    from manyways.measures.score_curves import Curve, Curves
    from manyways.measures.seen import Seen
    from manyways.metrics.intervals import Floats, Resampling


MOST = 12
"""Pairs in a figure at most; of more only those of the main arm."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PairedRow:
    """Difference ``a - b`` in pass@k on the same problems.

    a:          a checkpoint, pooled over seeds.
    b:          another.
    difference: with its interval over problems.
    p:          of a sign-flip permutation test.
    """

    a: str
    b: str
    benchmark: str
    k: int
    difference: Score
    p: float
    seeds: Score | None = None
    """With 3 or more seeds: Student's t interval over the seeds' differences (``n`` seeds)."""


def measured(seen: "Seen") -> Iterator[PairedRow]:
    """Each pair of ``comparisons`` that was evaluated."""
    pairs, material = comparisons(seen.arms), seen.material
    return paired_rows(material.curves, pairs, material.settings)


def comparisons(arms: Sequence[Arm]) -> list[tuple[str, str]]:
    """The pairs (a, b) of pooled checkpoints that are compared, most important first.

    Every RL checkpoint with vanilla RL and with the base, every mid-trained one with the base,
    and the contrasts that the arms exist for: many ways with one self-chosen, with one random
    way, with one way each in equal shares and with wrong ones, the budget arms with the one of
    fewest ways; the same among variants of one length; every variant with its arm; many ways with
    RL alone under other settings; and a later round, which trains for longer, with the longest
    training of the first.
    """
    trained = [arm for arm in arms if arm.midtrains]
    pairs = [(pooled(arm.name, "rl"), RL_ALONE) for arm in trained]
    pairs += [(pooled(arm.name, "rl"), "base") for arm in arms]
    pairs += [(pooled(arm.name, "mid"), "base") for arm in trained]
    most = [arm.name for arm in arms if arm.kind.name == "heuristics" and not arm.suffix]
    suffixes = sorted({arm.suffix for arm in arms})
    contrasts = [c for s in suffixes for c in _contrasts([a for a in arms if a.suffix == s], s)]
    contrasts += [(arm.name, arm.parent) for arm in arms if arm.parent]
    other_rl = [arm.name for arm in arms if arm.label and not arm.midtrains]
    contrasts += [(many, other) for many in most for other in other_rl]
    contrasts += [pair for arm in arms if arm.round > 1 for pair in _longest(arm, arms)]
    return pairs + [
        (pooled(a, phase), pooled(b, phase)) for a, b in contrasts for phase in ("rl", "mid")
    ]


def _contrasts(arms: Sequence[Arm], suffix: str) -> Iterator[tuple[str, str]]:
    """The contrasts among arms whose names end in ``suffix``; some may not be in the recipe."""
    many = sorted((arm for arm in arms if arm.kind.name == "heuristics"), key=lambda a: -a.ways)
    for kind in KINDS:
        of_kind = [arm for arm in arms if arm.kind is kind]
        if kind.against == "every":
            yield from ((arm.name, other.name) for arm in many for other in of_kind)
        if kind.against == "same":
            yield from ((f"heuristics-{arm.ways}{suffix}", arm.name) for arm in of_kind)
        if kind.against == "fewest":
            by_ways = sorted(of_kind, key=lambda arm: arm.ways)
            yield from ((arm.name, by_ways[0].name) for arm in by_ways[1:])


def _longest(later: Arm, arms: Sequence[Arm]) -> Iterator[tuple[str, str]]:
    own = (later.kind, later.ways)
    first = [a for a in arms if a.steps and a.round == 1 and (a.kind, a.ways) == own]
    if first:
        yield later.name, max(first, key=lambda arm: arm.steps or 0).name


def paired_rows(
    curves: "Curves", pairs: Sequence[tuple[str, str]], settings: "Resampling"
) -> Iterator[PairedRow]:
    """Each pair that has curves, per benchmark and for their mean, at k = 1 and the largest k."""
    benchmarks = sorted({benchmark for _, benchmark in curves}, key=lambda b: (b not in MEANS, b))
    for a, b in pairs:
        for benchmark in benchmarks:
            if (a, benchmark) in curves and (b, benchmark) in curves:
                yield from _rows(curves[a, benchmark], curves[b, benchmark], settings)


def _rows(a: "Curve", b: "Curve", settings: "Resampling") -> Iterator[PairedRow]:
    from manyways.measures.score_curves import over_seeds

    for found in differences(a, b, settings):
        gaps = [float(gap_K[0].round(12)) for gap_K in seed_gaps(found.a, found.b)]
        yield PairedRow(
            a=a.checkpoint.name,
            b=b.checkpoint.name,
            benchmark=a.benchmark,
            k=found.k,
            difference=found.score,
            p=found.p,
            seeds=over_seeds(found.score.name, gaps),
        )


def seed_gaps(a: "Curve", b: "Curve") -> "list[Floats]":
    """For each seed that both have, the means of ``a`` minus those of ``b`` by k, (K,).

    A checkpoint without seeds (the base) stands for every seed.
    """
    seeds = sorted(set(a.seeds or b.seeds) & set(b.seeds or a.seeds))
    return [
        a.mean_K(a.seeds.get(seed, a.values_PK)) - b.mean_K(b.seeds.get(seed, b.values_PK))
        for seed in seeds
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """``a - b`` in pass@k over their common problems; ``a`` and ``b`` are cut to those and to k."""

    k: int
    score: Score
    p: float
    a: "Curve"
    b: "Curve"


def differences(a: "Curve", b: "Curve", settings: "Resampling") -> Iterator[Difference]:
    """At k = 1 and the largest k that both have; nothing without a common problem."""
    from manyways.measures.score_curves import common, score
    from manyways.metrics.differences import difference_intervals, sign_flip

    problems, ks = common([a, b])
    if not problems or not ks:
        return
    chosen = sorted({1, max(ks)})
    a, b = a.on(problems, chosen), b.on(problems, chosen)
    difference_PK = a.values_PK - b.values_PK
    mean_K, low_K, high_K = difference_intervals(difference_PK, settings, a.strata_P)
    for i, k in enumerate(chosen):
        bounds = (mean_K[i], low_K[i], high_K[i])
        yield Difference(
            k=k,
            score=score(f"difference in pass@{k}", bounds, len(problems)),
            p=sign_flip(difference_PK[:, i], settings, a.strata_P),
            a=a.on(problems, [k]),
            b=b.on(problems, [k]),
        )


def example() -> list[PairedRow]:
    """One arm against RL alone, at two k."""
    return [
        PairedRow(
            a=pooled("heuristics-8", "rl"), b=RL_ALONE, benchmark="pocket/test", k=k, p=p,
            difference=example_score(f"difference in pass@{k}", v),
        )
        for k, v, p in ((1, 0.15, 0.01), (8, 0.04, 0.4))
    ]  # fmt: skip


def blocks(seen: "Seen") -> list[Block]:
    """Every pair on the headline benchmark, the main pair on each benchmark, and the table."""
    if not seen.rows(PAIRED):
        return []
    heading = Heading(
        title="Paired differences",
        text="Each pair of checkpoints is compared on the same problems, which removes the luck of "
        "easy and hard problems. An interval that holds zero: no difference was found.",
    )
    figures = Charts(charts=tuple(_charts(seen)), legend=charts.end_keys(_ends(seen)))
    return [heading, figures, _table(seen)]


def _ends(seen: "Seen") -> tuple[int, ...]:
    ks = {row.k for row in seen.rows(PAIRED)}
    return tuple(sorted({min(ks), max(ks)}))


def _charts(seen: "Seen") -> Iterator[Chart]:
    pairs = list(dict.fromkeys((row.a, row.b) for row in seen.rows(PAIRED)))
    names = list(dict.fromkeys(row.benchmark for row in seen.rows(PAIRED)))
    headline = seen.headline if seen.headline in names else names[0]
    chosen, title = pairs, "Every pair"
    if len(pairs) > MOST:
        chosen = [(a, b) for a, b in pairs if a == pooled(seen.lead, "rl")]
        title = f"{seen.lead} against each"
    yield _forest(
        seen,
        title=f"{title}, on {benchmark_words(headline)}",
        rows={_pair(a, b): _select(seen, a, b, headline) for a, b in chosen},
    )
    main = (pooled(seen.lead, "rl"), RL_ALONE)
    if main in pairs and len(names) > 1:
        yield _forest(
            seen,
            title=f"{_pair(*main)}, on each benchmark",
            rows={benchmark_words(name): _select(seen, *main, name) for name in names},
        )


def _pair(a: str, b: str) -> str:
    return f"{words.checkpoint_label(a)} − {words.checkpoint_label(b)}"


def _select(seen: "Seen", a: str, b: str, benchmark: str) -> list[PairedRow]:
    rows = [row for row in seen.rows(PAIRED) if (row.a, row.b, row.benchmark) == (a, b, benchmark)]
    return sorted((row for row in rows if row.k in _ends(seen)), key=lambda row: row.k)


def _forest(seen: "Seen", *, title: str, rows: dict[str, list[PairedRow]]) -> Chart:
    lines = [
        charts.Row(label=label, marks=tuple(_mark(seen, row) for row in found))
        for label, found in rows.items()
        if found
    ]
    said = (f"{line.label}: {mark.words}" for line in lines for mark in line.marks)
    return Chart(
        id=f"paired-{benchmark_slug(title)}",
        title=title,
        alt=f"Differences with 95% intervals. {'; '.join(said)}",
        spec=charts.intervals(
            lines, zero=True, axis="difference; right of zero: the first is better"
        ),
        height=charts.height_of(lines),
    )


def _mark(seen: "Seen", row: PairedRow) -> charts.Mark:
    seeds = f", over {row.seeds.n} seeds {words.difference(row.seeds)}" if row.seeds else ""
    return charts.Mark(
        score=row.difference,
        colour=seen.arm_colour(Checkpoint.parse(row.a).arm),
        words=f"pass@{row.k}: {words.difference(row.difference)}, "
        f"p = {words.p_value(row.p)}{seeds}",
        symbol=charts.end_symbol(row.k, _ends(seen)),
        meta={"k": str(row.k)},
    )


def _table(seen: "Seen") -> Table:
    return Table(
        caption="Paired differences in pass@k",
        head=("first", "second", "benchmark", "k", "first − second", "p", "n", "over seeds"),
        rows=tuple(
            (
                words.checkpoint_label(row.a),
                words.checkpoint_label(row.b),
                row.benchmark,
                str(row.k),
                words.difference(row.difference),
                words.p_value(row.p),
                words.count(row.difference.n),
                words.difference(row.seeds),
            )
            for row in seen.rows(PAIRED)
        ),
        note="n: problems. Brackets: paired bootstrap over problems. p: two-sided sign-flip "
        "permutation test over problems (the share of sign patterns whose mean difference is as "
        "large), not corrected for the number of rows. Over seeds: the interval over training "
        "seeds, from three seeds on.",
        folded=True,
    )


PAIRED = Measure(
    name="paired",
    row=PairedRow,
    measured=measured,
    example=example,
    shown={"evaluation": blocks},
    says=answer.says,
)
