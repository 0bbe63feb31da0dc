"""``manyways diversity``, ``composition`` and ``agreement``: measures of texts.

Texts come from any tool, in a file of rows (JSON lines, CSV, parquet) or a folder of parquet parts.
A row is ``{"text": "..."}`` or ``{"problem": "p1", "text": "..."}``, with ``"correct": true`` if
that is known. Attempts that ``manyways generate`` or ``evaluate`` wrote are read as they are
(``problem_id``, ``text``, ``status``). A text that names no problem counts as a problem of its own.
"""

import inspect
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from manyways import trust
from manyways.context import Context
from manyways.errors import DataError, ModelError, UserError
from manyways.heuristics import load_pack
from manyways.heuristics.labelling import LABELLERS, Labeller
from manyways.measures.composition import CompositionRow, composition_row
from manyways.measures.diversity import Described, DiversityRow, diversity_row
from manyways.measures.solutions import Reader, Solutions
from manyways.metrics.agreement import corrected_rate
from manyways.metrics.diversity import EMBEDDER, distinct_n, embed
from manyways.metrics.intervals import Resampling
from manyways.plugins import resolve
from manyways.pool import labellers
from manyways.pool.labellers import Agreement, Pair
from manyways.progress import Meter, open_table, print_result, say
from manyways.recipe import load_recipe
from manyways.records import Checkpoint, Score
from manyways.row_files import read_rows
from manyways.run_dir import open_for_reading, open_for_writing
from manyways.tables import write_text

BATCH = 32
LONGEST = 8192
"""Tokens after which a text is cut, even if the tokenizer allows more."""

Embed = Callable[[Sequence[str]], NDArray[np.float64]]


def load_embedder(path: Path) -> tuple[Embed, str]:
    """(function from N texts to unit rows (N, D), its name), by the model in the folder ``path``.

    A row is the mean of the last hidden states over the tokens of a text. Most sentence-embedding
    models are trained for this mean (Reimers and Gurevych 2019, arXiv 1908.10084).

    Raises ModelError when there is no model in ``path``.
    """
    if not (path / "config.json").is_file():
        raise ModelError(
            f"--embedder {path}: there is no model (no config.json). Give a folder that was saved "
            "with save_pretrained, or leave out the option."
        )
    import torch
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils.logging import disable_progress_bar

    if not sys.stderr.isatty():
        disable_progress_bar()
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
        model: Any = AutoModel.from_pretrained(path, trust_remote_code=False).eval()
    except (OSError, ValueError) as error:
        raise ModelError(f"--embedder {path}: {str(error).splitlines()[0]}") from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    limits = (tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", LONGEST))
    longest = int(min(LONGEST, *limits))

    def embed(texts: Sequence[str]) -> NDArray[np.float64]:
        rows = []
        for start in range(0, len(texts), BATCH):
            # An empty text has no tokens to average.
            batch = [text or " " for text in texts[start : start + BATCH]]
            inputs = tokenizer(
                batch, padding=True, truncation=True, max_length=longest, return_tensors="pt"
            )
            inputs.pop("token_type_ids", None)
            with torch.inference_mode():
                hidden = model(**inputs).last_hidden_state.float()
            mask = inputs["attention_mask"].unsqueeze(-1).float()
            mean = (hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1.0)
            rows.append(torch.nn.functional.normalize(mean, dim=1).double().numpy())
        width = int(model.config.hidden_size)
        return np.concatenate(rows) if rows else np.empty((0, width))

    return embed, f"mean of the last hidden states of {path.resolve().name}"


FORMS = 'a row is {"text": "..."} or {"problem": "p1", "text": "...", "correct": true}.'

SWITCHES = 12
"""Switches between two heuristics that are printed. ``--out`` has all of them."""
HEADS = ("measure", "value", "95% interval", "problems")

FULL = 17
"""Labels up to which the whole confusion matrix is printed."""
MOST = 15
"""Pairs of different labels that are printed if there are more labels."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Texts:
    """Texts in the order of their file.

    problems: the name of each text's problem.
    correct:  None if it is not known of every text.
    named:    whether the file names the problems.
    """

    texts: list[str]
    problems: list[str]
    correct: list[bool] | None
    named: bool


def read_texts(path: Path) -> Texts:
    """Read the texts of a file or folder.

    Raises DataError if there are none, and with the line for a row that cannot be read.
    """
    rows = []
    for where, record in _records(path):
        try:
            rows.append(_row(where, record))
        except ValueError as error:
            raise DataError(f"{path}, {where}: {error}; {FORMS}") from None
    if not rows:
        raise DataError(f"'{path}' holds no texts: {FORMS}")
    named = [row.problem is not None for row in rows]
    if any(named) and not all(named):
        raise DataError(
            f"{path}, {rows[named.index(False)].where}: no 'problem', though other rows have one."
        )
    known = [row.correct for row in rows if row.correct is not None]
    return Texts(
        texts=[row.text for row in rows],
        problems=[str(i) if row.problem is None else row.problem for i, row in enumerate(rows)],
        correct=known if len(known) == len(rows) else None,
        named=all(named),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    where: str
    text: str
    problem: str | None
    correct: bool | None


def _records(path: Path) -> Iterator[tuple[str, object]]:
    """(the place of a row in words, its record)."""
    if str(path) == "-" or not path.is_dir():
        yield from ((row.where, row.value) for row in read_rows(path))
        return
    parts = sorted(path.rglob("*.parquet"))
    if not parts:
        raise DataError(f"'{path}' holds no texts: there is no parquet file below it.")
    for part in parts:
        yield from ((f"{row.where} of {part.name}", row.value) for row in read_rows(part))


def _row(where: str, record: object) -> _Row:
    if not isinstance(record, Mapping):
        raise ValueError("not an object")
    text, name = record.get("text"), record.get("problem", record.get("problem_id"))
    if not isinstance(text, str):
        raise ValueError("no 'text'")
    if name is not None and (isinstance(name, bool) or not isinstance(name, str | int)):
        raise ValueError("'problem' is neither a text nor a number")
    return _Row(
        where=where,
        text=_whole(text),
        problem=None if name is None else str(name),
        correct=_correct(record),
    )


def _whole(text: str) -> str:
    """``text`` without lone surrogates, which JSON can hold but which cannot be hashed."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _correct(record: Mapping[str, object]) -> bool | None:
    if record.get("status") is not None:
        return record["status"] == "correct"
    stated = record.get("correct")
    if stated is None:
        return None
    if stated not in (0, 1):
        raise ValueError(f"'correct' is {stated!r}, not true or false")
    return bool(stated)


def labeller_for(pack: str, labeller: str | None) -> tuple[Labeller, str]:
    """(the labeller, its name). Without a name: ``pocket`` for the pack pocket, else ``exemplars``.

    Raises UserError when there is no such pack or labeller, or the labeller needs a run.
    """
    name = labeller or ("pocket" if pack == "pocket" else "exemplars")
    if labeller:  # the user typed it
        trust.grant(labeller)
    load = cast(Callable[..., Labeller], resolve(name, LABELLERS, "labeller"))
    if "attempts" in inspect.signature(load).parameters:
        raise UserError(
            f"--labeller {name} learns from the attempts of a run, but these texts belong to no "
            "run: use another labeller, for example exemplars."
        )
    return load(load_pack(pack)), f"labeller {name} of pack {pack}"


def diversity(
    path: Path, *, embedder: Path | None, pack: str | None, labeller: str | None, out: Path | None
) -> DiversityRow:
    """Measure how diverse texts are. Print a table, and write JSON to ``out`` if given.

    embedder: folder of a sentence-embedding model. Default: words and word pairs.
    pack:     also count opening heuristics, by ``labeller`` with this pack.

    Raises DataError for texts that cannot be read, ModelError or UserError for a model or labeller
    that does not exist.
    """
    found = read_texts(path)
    of, called = load_embedder(embedder) if embedder else (embed, EMBEDDER)
    labels = None
    if pack or labeller:
        reader = Reader(labeller_for(pack or "polya", labeller)[0])
        labels = [reader.ways(text).opening for text in found.texts]
    texts = Described(texts=found.texts, problems=found.problems, labels=labels)
    row = diversity_row(path.name, texts, Resampling(), embedder=(of, called))
    table = open_table(*HEADS)
    for score in (row.vendi, row.per_problem, row.heuristics):
        if score:
            bounds = f"{score.low:.3f} to {score.high:.3f}" if score.n > 1 else "needs two problems"
            table.add_row(score.name, f"{score.value:.3f}", bounds, str(score.n))
    for n in (1, 2, 3):
        share = distinct_n(found.texts, n)
        said = "none" if math.isnan(share) else f"{share:.4f}"
        table.add_row(f"distinct-{n}", said, "" if said != "none" else f"no {n} words in a row", "")
    print_result(table)
    say(f"{path.name}: {len(found.texts)} texts, embedder: {called}.")
    if not found.named:
        say("No row names its problem, so every text counts as a problem of its own.")
    _write_row(row, out, "diversity")
    return row


def _write_row(row: DiversityRow | CompositionRow, out: Path | None, name: str) -> None:
    if out is not None:
        write_text(out, json.dumps(asdict(row), indent=1, ensure_ascii=False))
        say(f"{name}: {out}")


def composition(
    path: Path,
    *,
    pack: str,
    labeller: str | None,
    errors: tuple[float, float] | None,
    out: Path | None,
) -> CompositionRow:
    """Measure which heuristics texts combine. Print tables, and write JSON to ``out`` if given.

    errors: (sensitivity, specificity) of the labeller for composed texts, to correct the rate.

    Raises DataError for texts that cannot be read, UserError for a labeller that does not exist or
    is no better than chance.
    """
    found = read_texts(path)
    reads, called = labeller_for(pack, labeller)
    row = measure(path.name, found, Reader(reads))
    _print_composition(row, found, errors)
    say(f"{path.name}: {len(found.texts)} texts, {called}. {_sentence(row, called)}")
    if errors and row.composed.value < 1 - errors[1]:
        say(
            f"The specificity does not fit these texts: with it, the labeller would find "
            f"{1 - errors[1]:.2f} of texts without any composition composed, which is above the "
            "observed rate."
        )
    _write_row(row, out, "composition")
    return row


def measure(name: str, found: Texts, reader: Reader) -> CompositionRow:
    """The rates of some texts. Texts about one problem are alike, which widens the intervals."""
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


def _print_composition(
    row: CompositionRow, found: Texts, errors: tuple[float, float] | None
) -> None:
    table = open_table(*HEADS)
    for score in _rates(row, found, errors):
        table.add_row(
            score.name, f"{score.value:.4f}", f"{score.low:.4f} to {score.high:.4f}", str(score.n)
        )
    print_result(table)
    switches = open_table("from", "to", "switches", "share of switches")
    total = sum(row.pairs.values())
    for pair, count in list(row.pairs.items())[:SWITCHES]:
        first, _, second = pair.partition(" > ")
        switches.add_row(first, second, str(count), f"{count / total:.3f}")
    if row.pairs:
        print_result(switches)
    use = open_table("heuristic", "share of steps")
    for heuristic, share in row.shares.items():
        use.add_row(heuristic, f"{share:.4f}")
    print_result(use)


def _rates(
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
    """Correct the rate and the ends of its interval. The errors are taken as known exactly."""
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
        " This labeller is weak. Compare only rates under the same labeller, and correct a rate "
        "(--sensitivity, --specificity) before you quote it."
        if "exemplars" in called
        else ""
    )
    return f"Effective number of ways in all steps: {row.effective:.2f}.{weak}"


def compare_labellers(
    root: Path, *, first: str | None, second: str, on: labellers.Texts, held_out: bool
) -> Agreement:
    """Compare two labellers. Print tables, and write JSON into the run.

    first: the labeller of the recipe when None.

    Raises UserError or a subclass when the run or a labeller does not exist.
    """
    open_for_reading(root)
    recipe = load_recipe(root / "recipe.toml")
    # A name that the user typed is trusted.
    trust.grant(second, *filter(None, (first,)))
    with open_for_writing(root) as run:
        context = Context(recipe=recipe, run=run, looking=True)
        pair = Pair(
            first=first or recipe.heuristics.labeller, second=second, on=on, held_out=held_out
        )
        found = labellers.compare(context, pair)
        path = labellers.write(context, found)
    _print_rates(found)
    _print_confusion(found)
    say(f"Written to {path}.")
    return found


def _print_rates(found: Agreement) -> None:
    table = open_table("what", "value", "95% interval", "n")
    for name, count in (("texts", found.texts), ("problems", found.problems)):
        table.add_row(name, str(count), "", "")
    if found.lessons:
        table.add_row("attempts at other problems to learn from", str(found.lessons), "", "")
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
            interval = f"{score.low:z.3f} to {score.high:z.3f}"
            table.add_row(name, f"{score.value:z.3f}", interval, f"{score.n} problems")
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
