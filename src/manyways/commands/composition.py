"""`manyways composition`: which heuristics anyone's texts show, combine and switch between."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from manyways.commands.labellers import labeller_for
from manyways.commands.printing import open_table, print_result
from manyways.commands.texts_file import Texts, read_texts
from manyways.errors import UserError
from manyways.measures.composition import CompositionRow, composition_row
from manyways.measures.solutions import Reader, Solutions
from manyways.metrics.correction import corrected_rate
from manyways.metrics.resampling import Resampling
from manyways.progress import Meter, say
from manyways.records import Checkpoint, Score
from manyways.tables import write_text

FLOWS = 12
"""Flows printed; ``--out`` has them all."""
HEADS = ("measure", "value", "95% interval", "problems")


def composition(
    path: Path,
    *,
    pack: str,
    labeller: str | None,
    errors: tuple[float, float] | None,
    out: Path | None,
) -> CompositionRow:
    """Measure, print tables, and write JSON to ``out`` when given.

    errors: the labeller's (sensitivity, specificity) for composed texts, to correct the rate.

    Raises DataError for texts that cannot be read, UserError for a labeller that does not exist or
    is no better than chance.
    """
    found = read_texts(path)
    reads, called = labeller_for(pack, labeller)
    row = measure(path.name, found, Reader(reads))
    _print(row, found, errors)
    say(f"{path.name}: {len(found.texts)} texts, {called}. {_sentence(row, called)}")
    if errors and row.composed.value < 1 - errors[1]:
        say(
            f"The observed rate is below {1 - errors[1]:.2f}, what a labeller of that specificity "
            "would report for texts without any composition: it does not fit these texts."
        )
    if out is not None:
        write_text(out, json.dumps(asdict(row), indent=1, ensure_ascii=False))
        say(f"composition: {out}")
    return row


def measure(name: str, found: Texts, reader: Reader) -> CompositionRow:
    """The rates of some texts; attempts at one problem are alike and widen the intervals."""
    with Meter("composition", total=len(found.texts), unit="texts") as meter:
        ways = []
        for text in found.texts:
            ways.append(reader.ways(text))
            meter.advance(1)
    solutions = Solutions(
        checkpoint=Checkpoint(arm=name, phase="base"),
        benchmark="file",
        problem=found.problems,
        ways=ways,
        correct=found.correct or [False] * len(ways),
    )
    return composition_row(solutions, Resampling())


def _print(row: CompositionRow, found: Texts, errors: tuple[float, float] | None) -> None:
    table = open_table(*HEADS)
    for score in _scores(row, found, errors):
        table.add_row(
            score.name, f"{score.value:.4f}", f"{score.low:.4f} to {score.high:.4f}", str(score.n)
        )
    print_result(table)
    flows = open_table("from", "to", "switches", "share of switches")
    total = sum(row.pairs.values())
    for pair, count in list(row.pairs.items())[:FLOWS]:
        first, _, second = pair.partition(" > ")
        flows.add_row(first, second, str(count), f"{count / total:.3f}")
    if row.pairs:
        print_result(flows)
    use = open_table("heuristic", "share of steps")
    for heuristic, share in row.shares.items():
        use.add_row(heuristic, f"{share:.4f}")
    print_result(use)


def _scores(
    row: CompositionRow, found: Texts, errors: tuple[float, float] | None
) -> Iterator[Score]:
    yield row.composed
    if errors:
        yield _corrected(row.composed, errors)
    if found.correct is not None:
        if row.composed_correct:
            yield row.composed_correct
        if row.drift and found.named:
            yield row.drift
    if row.switch:
        yield row.switch


def _corrected(score: Score, errors: tuple[float, float]) -> Score:
    """The ends of the interval are corrected like the rate; the errors are taken as known."""
    sensitivity, specificity = errors
    try:
        value, low, high = (
            corrected_rate(x, sensitivity=sensitivity, specificity=specificity)
            for x in (score.value, score.low, score.high)
        )
    except ValueError as error:
        raise UserError(
            f"--sensitivity {sensitivity} --specificity {specificity}: {error}."
        ) from error
    name = "composition rate, corrected for the labeller"
    return Score(name=name, value=value, low=low, high=high, n=score.n)


def _sentence(row: CompositionRow, called: str) -> str:
    weak = (
        " This labeller is weak: compare rates under it, and correct them (--sensitivity, "
        "--specificity) before quoting one."
        if "exemplars" in called
        else ""
    )
    return f"Effective number of ways in all steps: {row.effective:.2f}.{weak}"
