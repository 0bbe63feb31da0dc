"""``manyways agreement RUN``: do two labellers say the same about the texts of a run?"""

from pathlib import Path

from manyways import trust
from manyways.commands.printing import open_table, print_result
from manyways.context import Context
from manyways.pool import agreement
from manyways.pool.agreement import Agreement, Pair, Texts
from manyways.progress import say
from manyways.recipe.file import load_recipe
from manyways.records import Score
from manyways.run_dir import open_for_reading, open_for_writing

FULL = 17
"""Labels up to which the whole confusion matrix is printed."""
MOST = 15


def compare_labellers(
    root: Path, *, first: str | None, second: str, on: Texts, held_out: bool
) -> Agreement:
    """Compare, print the tables, write JSON into the run.

    first: the recipe's labeller when None.

    Raises UserError or a subclass when the run or a labeller does not exist.
    """
    open_for_reading(root)
    recipe = load_recipe(root / "recipe.toml")
    # What the user typed is asked for.
    trust.grant(second, *filter(None, (first,)))
    with open_for_writing(root) as run:
        context = Context(recipe=recipe, run=run, looking=True)
        pair = Pair(
            first=first or recipe.heuristics.labeller, second=second, on=on, held_out=held_out
        )
        found = agreement.compare(context, pair)
        path = agreement.write(context, found)
    _print_rates(found)
    _print_confusion(found)
    say(f"Written to {path}.")
    return found


def _print_rates(found: Agreement) -> None:
    table = open_table("what", "value", "95% interval", "n")
    for name, count in (("texts", found.texts), ("problems", found.problems)):
        table.add_row(name, str(count), "", "")
    if found.lessons:
        table.add_row("attempts learned from, at other problems", str(found.lessons), "", "")
    other = found.second if found.exact == found.first else found.first
    same = f"accuracy of {other} ({found.exact} is exact)" if found.exact else "same label"
    rows: list[tuple[str, Score | None]] = [
        ("Cohen's kappa", found.kappa),
        (same, found.same),
        *((score.name, score) for score in found.composed),
    ]
    for name, score in rows:
        if score is None:
            table.add_row(name, "not defined: one label only", "", "")
        else:
            interval = f"{score.low:.3f} to {score.high:.3f}"
            table.add_row(name, f"{score.value:.3f}", interval, f"{score.n} problems")
    if found.error:
        error = found.error
        for name, value, n in (
            ("sensitivity", error.sensitivity, error.composed),
            ("specificity", error.specificity, error.single),
        ):
            shown = f"{value:.3f}" if n else "-"
            table.add_row(f"{name} of {other} for composed", shown, "", f"{n:.1f} effective")
    print_result(table)


def _print_confusion(found: Agreement) -> None:
    labels = sorted({*found.confusion, *(b for row in found.confusion.values() for b in row)})
    if len(labels) <= FULL:
        numbers = [str(number) for number in range(1, len(labels) + 1)]
        table = open_table(f"{found.first}, down; {found.second}, across", *numbers)
        for number, label in zip(numbers, labels, strict=True):
            row = found.confusion.get(label, {})
            table.add_row(f"{number} {label}", *(str(row.get(other, 0)) for other in labels))
    else:
        table = open_table(found.first, found.second, "texts")
        pairs = [(n, a, b) for a, row in found.confusion.items() for b, n in row.items() if a != b]
        for n, a, b in sorted(pairs, reverse=True)[:MOST]:
            table.add_row(a, b, str(n))
    print_result(table)
