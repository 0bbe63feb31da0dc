"""``manyways table`` prints the arms of one run side by side, ``manyways compare`` several runs.

Two problems of different runs match when id, question and reference answer are the same.

Shapes: _P problems, _K values of k.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from manyways import third_party
from manyways.commands.show import open_run
from manyways.context import Context
from manyways.errors import UserError
from manyways.fingerprint import content_hash
from manyways.measures.benchmarks import MATH_MEAN, MEANS, means
from manyways.measures.material import choice_sets, evaluations
from manyways.measures.paired import Difference, differences
from manyways.measures.pass_at_k import PASS_AT_K, ROWS, SOURCE, build
from manyways.measures.score_curves import Curve, Curves, curves, pass_curve, score
from manyways.measures.seen import load
from manyways.metrics.differences import welch_interval
from manyways.metrics.intervals import Resampling, score_intervals
from manyways.progress import open_table, print_result, print_text, say
from manyways.records import Checkpoint, Score
from manyways.reporting.arms_table import FORMATS
from manyways.reporting.words import p_value, signed
from manyways.tables import write_text


@dataclass(frozen=True, kw_only=True, slots=True)
class RunDifference:
    """Difference ``b - a`` in pass@k of one checkpoint between two runs, on the same problems.

    difference: with its bootstrap interval over problems.
    p:          of the sign-flip permutation test over problems.
    seeds:      the difference of the means over seeds with Welch's interval, None if a run has
                fewer than two seeds. ``n`` counts the seeds of both runs.
    """

    checkpoint: str
    a: str
    b: str
    benchmark: str
    k: int
    difference: Score
    p: float
    seeds: Score | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """The scores of runs on the problems that all of them share.

    matched: benchmark -> number of shared problems.
    curves:  label of the run -> its curves on the shared problems.
    """

    labels: tuple[str, ...]
    benchmarks: tuple[str, ...]
    matched: dict[str, int]
    curves: dict[str, Curves]


def compare(contexts: dict[str, Context]) -> Comparison:
    """Cut the runs to the benchmarks and problems that all of them evaluated.

    Benchmarks without a shared problem are left out. All benchmarks may be left out.
    """
    single = {label: [pass_curve(e) for e in evaluations(ctx)] for label, ctx in contexts.items()}
    shared = [
        name
        for name in next(iter(contexts.values())).recipe.benchmarks
        if all(any(c.benchmark == name for c in of_run) for of_run in single.values())
    ]
    same = {name: _alike(name, contexts, single) for name in shared}
    benchmarks = tuple(name for name in shared if same[name])
    choices = choice_sets(next(iter(contexts.values())))
    return Comparison(
        labels=tuple(contexts),
        benchmarks=benchmarks,
        matched={name: len(same[name]) for name in benchmarks},
        curves={
            label: curves(
                [
                    c.on([p for p in c.problems if p in same[c.benchmark]], c.ks)
                    for c in of_run
                    if c.benchmark in benchmarks
                ],
                means(benchmarks, choices),
            )
            for label, of_run in single.items()
        },
    )


def run_differences(compared: Comparison, settings: Resampling) -> Iterator[RunDifference]:
    """Every later run minus the first, for each checkpoint of both, over all seeds."""
    first, *others = compared.labels
    names = [key for key in compared.curves[first] if Checkpoint.parse(key[0]).seed is None]
    for label in others:
        for name, benchmark in names:
            mine = compared.curves[label].get((name, benchmark))
            if mine is not None:
                reference = compared.curves[first][name, benchmark]
                yield from _rows(reference, mine, (first, label), settings)


def _alike(
    benchmark: str, contexts: dict[str, Context], single: dict[str, list[Curve]]
) -> set[str]:
    contents = []
    for label, ctx in contexts.items():
        seen = {p for c in single[label] if c.benchmark == benchmark for p in c.problems}
        asked = ctx.problems(benchmark, ctx.recipe.evaluate.limit)
        contents.append(
            {(p.id, content_hash([p.question, p.answer])) for p in asked if p.id in seen}
        )
    return {name for name, _ in set.intersection(*contents)}


def _rows(
    a: Curve, b: Curve, labels: tuple[str, str], settings: Resampling
) -> Iterator[RunDifference]:
    for found in differences(b, a, settings):
        yield RunDifference(
            checkpoint=a.checkpoint.name,
            a=labels[0],
            b=labels[1],
            benchmark=a.benchmark,
            k=found.k,
            difference=found.score,
            p=found.p,
            seeds=_over_seeds(found),
        )


def _over_seeds(found: Difference) -> Score | None:
    """Welch's interval, because seeds of different runs are independent even with equal numbers."""
    means = [[float(c.mean_K(x)[0]) for x in c.seeds.values()] for c in (found.a, found.b)]
    if min(len(m) for m in means) < 2:
        return None
    label = f"{found.score.name} over seeds"
    return score(label, welch_interval(*means), sum(len(m) for m in means))


def scores_at(compared: Comparison) -> dict[str, Sequence[Curve]]:
    """Label -> curves over all seeds, at k = 1 and the largest k that all runs have."""
    largest = {}
    for benchmark in {b for of_run in compared.curves.values() for _, b in of_run}:
        ks = [
            max(curve.ks)
            for of_run in compared.curves.values()
            for (_, b), curve in of_run.items()
            if b == benchmark
        ]
        largest[benchmark] = min(ks)
    return {
        label: [
            curve.on(curve.problems, sorted({1, largest[benchmark]}))
            for (name, benchmark), curve in of_run.items()
            if Checkpoint.parse(name).seed is None
        ]
        for label, of_run in compared.curves.items()
    }


LABELS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SETTINGS = ("attempts", "temperature", "top_p", "max_tokens")
"""Settings of an evaluation that must be equal for scores to compare."""


def write_table(run: Path, *, style: str, out: Path | None, intervals: bool) -> None:
    """Write the table as ``style`` (a key of ``FORMATS``) to ``out`` or standard output.

    Raises RunDirError when ``run`` is no run folder, UserError when it has no scores yet.
    """
    seen = load(run)
    third_party.say_unused(seen.recipe)
    if not seen.rows(PASS_AT_K):
        raise UserError(
            f"'{run}' has no scores yet: run `manyways evaluate` and `manyways analyse` on it."
        )
    if seen.run is not None:
        from manyways.stages import analyse  # with every figure: not for each verb of this module

        analyse.say_behind(Context(recipe=seen.recipe, run=seen.run, looking=True), "this table")
    text = FORMATS[style](build(seen), intervals=intervals)
    if out is None:
        print_text(text.removesuffix("\n"))
    else:
        write_text(out, text)
        say(f"table: {out}")


def compare_runs(roots: Sequence[Path], *, each: bool, out: Path | None) -> list[RunDifference]:
    """Print the scores of every run on their shared problems, and each run minus the first.

    each: print a row for every benchmark, not only for the means.
    out:  where to write the differences as JSON.

    Raises UserError when fewer than two runs are given or they share no evaluated problem.
    """
    if len(roots) < 2:
        raise UserError("compare needs two run folders or more. The first is the reference.")
    if len(roots) > len(LABELS):
        raise UserError(f"compare takes at most {len(LABELS)} run folders.")
    contexts = _contexts(roots)
    compared = compare(contexts)
    if not compared.benchmarks:
        raise UserError(
            "these runs share no evaluated problem. A shared problem has the same benchmark, id, "
            "question and answer in every run. `manyways table RUN` prints one run."
        )
    for (label, ctx), root in zip(contexts.items(), roots, strict=True):
        say(f"{label} = {ctx.recipe.name} in {root}, seeds {', '.join(map(str, ctx.recipe.seeds))}")
    for warning in _warnings(contexts, compared):
        say(f"warning: {warning}")
    say(f"shared problems: {', '.join(f'{n} of {b}' for b, n in compared.matched.items())}")
    settings = Resampling(resamples=min(c.recipe.analyse.bootstrap for c in contexts.values()))
    rows = list(run_differences(compared, settings))
    means = set(MEANS) & {row.benchmark for row in rows}
    _print(compared, rows, settings, means if means and not each else None)
    if MATH_MEAN in means:
        _print_published()
    if out is not None:
        write_text(out, json.dumps([asdict(row) for row in rows], indent=1))
        say(f"differences: {out}")
    return rows


def _contexts(roots: Sequence[Path]) -> dict[str, Context]:
    """A, B, C, ... -> context."""
    if len({root.resolve() for root in roots}) != len(roots):
        raise UserError("the same run folder is named twice: name different run folders.")
    return {label: open_run(root) for label, root in zip(LABELS, roots, strict=False)}


def _warnings(contexts: dict[str, Context], compared: Comparison) -> list[str]:
    found = []
    for name in SETTINGS:
        values = {label: getattr(c.recipe.evaluate, name) for label, c in contexts.items()}
        if len(set(values.values())) > 1:
            listed = ", ".join(f"{label} {value}" for label, value in values.items())
            found.append(f"evaluate.{name} differs ({listed}): it may explain a difference.")
    for label, ctx in contexts.items():
        left = [b for b in ctx.recipe.benchmarks if b not in compared.benchmarks]
        if left:
            found.append(f"{label}: {', '.join(left)} left out: the runs share no problem of it.")
    return found


def _print(
    compared: Comparison, rows: Sequence[RunDifference], settings: Resampling, only: set[str] | None
) -> None:
    """Print a row for each benchmark, k and checkpoint that a run has."""
    scores = scores_at(compared)
    shown = {label: _shown(curves, settings) for label, curves in scores.items()}
    first, *others = compared.labels
    heads = [head for label in others for head in (f"{label} - {first}", "p", "over seeds")]
    table = open_table("benchmark", "checkpoint", *compared.labels, *heads)
    for key in dict.fromkeys(key for of_run in shown.values() for key in of_run):
        benchmark, k, name = key
        if only is not None and benchmark not in only:
            continue
        found = {row.b: row for row in rows if (row.benchmark, row.k, row.checkpoint) == key}
        differences = [text for label in others for text in _difference(found.get(label))]
        values = [shown[label].get(key, "-") for label in compared.labels]
        table.add_row(f"{benchmark} pass@{k}", name, *values, *differences)
    print_result(table)


def _shown(of_run: Sequence[Curve], settings: Resampling) -> dict[tuple[str, int, str], str]:
    """(benchmark, k, checkpoint) -> score with its interval."""
    found = {}
    for curve in of_run:
        mean_K, low_K, high_K = score_intervals(curve.values_PK, settings, curve.strata_P)
        for i, k in enumerate(curve.ks):
            text = f"{mean_K[i]:.2f} [{low_K[i]:.2f}, {high_K[i]:.2f}]"
            found[curve.benchmark, k, curve.checkpoint.name] = text
    return dict(sorted(found.items(), key=lambda item: (item[0][0] not in MEANS,)))


def _difference(row: RunDifference | None) -> tuple[str, str, str]:
    if row is None:
        return "-", "-", "-"
    over_problems, over_seeds = (
        "-" if one is None else f"{signed(one)} n={one.n}" for one in (row.difference, row.seeds)
    )
    return over_problems, p_value(row.p), over_seeds


def _print_published() -> None:
    table = open_table("published, not measured here", "figures in %")
    for row in ROWS:
        table.add_row(row.label, ", ".join(f"{b} {m}: {v}" for (b, m), v in row.values.items()))
    print_text(f"\n{SOURCE}")
    print_result(table)
