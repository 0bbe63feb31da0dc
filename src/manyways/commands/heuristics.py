"""``manyways heuristics list``, ``show`` and ``check``: look at a pack before you use it.

``check_pack`` checks the form of a pack, that its verifier accepts its exemplars, and that they are
no copies. It also counts what prompts cost in tokens.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from manyways.checkpoints import load_tokenizer, model_path
from manyways.commands.problems import grant_typed
from manyways.errors import DataError
from manyways.heuristics import PACKS, PromptFormat, exemplar_problem, instruction_for, load_pack
from manyways.metrics.diversity import EMBEDDER, embed, vendi
from manyways.metrics.pass_at_k import powers_of_two
from manyways.plugins import nearest
from manyways.problems import load_problems
from manyways.problems.overlap import overlap
from manyways.progress import open_table, print_result, print_text, say
from manyways.records import PLAIN, Heuristic, Problem, Verdict
from manyways.rendering import prompt_ids
from manyways.reporting.words import plural
from manyways.verifiers import verifier_of
from manyways.verifiers.verdicts import Verifiers

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

COPY = 0.8
"""From this Jaccard index of word 3-grams with masked numbers on, exemplars are copies: an error.

The same text with other numbers has 1. The fixed wording of the pocket world reaches 0.61.
"""
ALIKE = 0.35
"""From this Jaccard index on, two exemplars are so alike that a warning is given.

Questions of one kind ("What is its area?") reach 0.27, the highest in the mathematical, code and
narrative packs.
"""
EXEMPLARS = 2
"""The least number of exemplars of a heuristic."""
SENTENCES = range(2, 5)
"""The numbers of sentences that an instruction should have."""

_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_SENTENCE_END = re.compile(r"[.!?](?=[\s'\")]|$)")
_WORD = re.compile(r"\w+|[^\w\s]")
_NUMBER = re.compile(r"\d+")

Severity = Literal["error", "warning"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Flaw:
    """One flaw of a pack. Example: ``Flaw(entry="parity", what="name is empty.")``.

    entry: id of the heuristic, and ``, exemplar N`` if the flaw is in an exemplar.
    """

    entry: str
    what: str
    severity: Severity = "error"

    def __str__(self) -> str:
        """``error: parity, exemplar 2: ...``."""
        return f"{self.severity}: {self.entry}: {self.what}"


@dataclass(frozen=True, kw_only=True, slots=True)
class PackReport:
    """What ``check_pack`` found.

    accepted:   exemplars whose solution the verifier accepts.
    most_alike: (Jaccard, entry, entry, "question" or "solution"), highest first, at most five.
    tokens:     heuristic id -> tokens of its prompt before the problem's text; empty without a
        tokenizer.
    """

    heuristics: int
    exemplars: int
    accepted: int
    flaws: tuple[Flaw, ...]
    most_alike: tuple[tuple[float, str, str, str], ...]
    tokens: Mapping[str, int]

    @property
    def errors(self) -> tuple[Flaw, ...]:
        """The flaws that make a pack unfit. The others are warnings."""
        return tuple(flaw for flaw in self.flaws if flaw.severity == "error")


def check_pack(
    heuristics: Sequence[Heuristic],
    verifiers: Verifiers,
    *,
    tokenizer: "PreTrainedTokenizerBase | None" = None,
    prompts: PromptFormat | None = None,
    shots: int = EXEMPLARS,
) -> PackReport:
    """Check a loaded pack. Every flaw is collected, and none is raised.

    tokenizer: a Hugging Face tokenizer with a chat template, to count the tokens of prompts.
    prompts:   the format of the counted prompts, the default format when None.
    shots:     the number of exemplars in a counted prompt.
    """
    flaws = [flaw for heuristic in heuristics for flaw in _form(heuristic)]
    accepted, refused = _verify(heuristics, verifiers)
    alike = _alike(heuristics)
    flaws += [*refused, *_likeness(alike)]
    tokens = {}
    if tokenizer is not None:
        form = prompts or PromptFormat()
        tokens = {h.id: prompt_tokens(h, tokenizer, prompts=form, shots=shots) for h in heuristics}
    return PackReport(
        heuristics=len(heuristics),
        exemplars=sum(len(h.exemplars) for h in heuristics),
        accepted=accepted,
        flaws=tuple(flaws),
        most_alike=tuple(alike[:5]),
        tokens=tokens,
    )


def prompt_tokens(
    heuristic: Heuristic, tokenizer: "PreTrainedTokenizerBase", *, prompts: PromptFormat, shots: int
) -> int:
    """Tokens of the prompt under ``heuristic`` for an empty question. Each problem costs them."""
    tokens, _ = prompt_ids(tokenizer, prompts.under(heuristic, "", shots=shots))
    return len(tokens)


def _form(heuristic: Heuristic) -> Iterator[Flaw]:
    entry = heuristic.id or "entry without id"
    if not _SLUG.fullmatch(heuristic.id):
        yield Flaw(entry=entry, what="id: use small letters, digits and single hyphens.")
    if heuristic.id == PLAIN:
        yield Flaw(entry=entry, what=f"id: '{PLAIN}' names attempts without any heuristic.")
    for field in ("name", "family", "question", "instruction"):
        if not getattr(heuristic, field).strip():
            yield Flaw(entry=entry, what=f"{field} is empty.")
    if len(heuristic.exemplars) < EXEMPLARS:
        count = len(heuristic.exemplars)
        yield Flaw(entry=entry, what=f"exemplars: {count}, at least {EXEMPLARS} are needed.")
    yield from _advice(heuristic)


def _advice(heuristic: Heuristic) -> Iterator[Flaw]:
    sentences = len(_SENTENCE_END.findall(heuristic.instruction))
    if sentences not in SENTENCES:
        yield Flaw(
            entry=heuristic.id,
            what=f"sentences in the instruction: {sentences}; 2 to 4 name a move best.",
            severity="warning",
        )
    for field in ("when", "signs", "source"):
        if not getattr(heuristic, field):
            yield Flaw(entry=heuristic.id, what=f"{field} is empty.", severity="warning")


def _verify(heuristics: Sequence[Heuristic], verifiers: Verifiers) -> tuple[int, list[Flaw]]:
    """(how many exemplars are accepted, a flaw for each other exemplar)."""
    cases = [
        (f"{h.id}, exemplar {i + 1}", exemplar_problem(h, i), h.exemplars[i].solution)
        for h in heuristics
        for i in range(len(h.exemplars))
    ]
    verdicts = verifiers.verdicts([(problem, solution) for _, problem, solution in cases])
    refused = [
        Flaw(entry=entry, what=_refusal(problem, verdict))
        for (entry, problem, _), verdict in zip(cases, verdicts, strict=True)
        if verdict.status != "correct"
    ]
    return len(cases) - len(refused), refused


def _refusal(problem: Problem, verdict: Verdict) -> str:
    if not verifier_of(problem.verifier).cuts:
        return f"its program is {verdict.status} ({verdict.rule or verdict.reason})."
    if verdict.status == "no_answer":
        return "its solution has no final answer: end it with \\boxed{...}."
    if verdict.status == "undecided":
        return f"the verifier '{problem.verifier}' could not decide: {verdict.reason}."
    return f"its solution ends in '{verdict.answer}', but its answer is '{problem.answer}'."


def _alike(heuristics: Sequence[Heuristic]) -> list[tuple[float, str, str, str]]:
    """Every pair of exemplars of different heuristics with its Jaccard index, highest first."""
    pairs = []
    for part in ("question", "solution"):
        grams = [
            (h.id, i + 1, _grams(getattr(exemplar, part)))
            for h in heuristics
            for i, exemplar in enumerate(h.exemplars)
        ]
        for (a, i, left), (b, j, right) in combinations(grams, 2):
            if a != b and left & right:
                value = len(left & right) / len(left | right)
                pairs.append((value, f"{a}, exemplar {i}", f"{b}, exemplar {j}", part))
    return sorted(pairs, reverse=True)


def _grams(text: str) -> frozenset[tuple[str, ...]]:
    words = _WORD.findall(_NUMBER.sub("0", text.lower()))
    return frozenset(zip(words, words[1:], words[2:], strict=False))


def _likeness(alike: Sequence[tuple[float, str, str, str]]) -> Iterator[Flaw]:
    """A flaw for each exemplar that is too much like an exemplar of another heuristic."""
    seen = set()
    for value, left, right, part in alike:
        if value < ALIKE or (left, part) in seen:
            continue
        seen.add((left, part))
        copied = value >= COPY
        what = f"its {part} {'copies' if copied else 'is much like'} that of {right}"
        yield Flaw(
            entry=left,
            what=f"{what} (Jaccard {value:.2f}): write another exemplar.",
            severity="error" if copied else "warning",
        )


def list_heuristics(pack: str = "polya") -> None:
    """Print the heuristics of a pack in their order. ``heuristics.count`` takes the first.

    Raises DataError when there is no such pack.
    """
    table = open_table("n", "id", "name", "family", "exemplars")
    for number, heuristic in enumerate(load_pack(pack), start=1):
        count = str(len(heuristic.exemplars))
        table.add_row(str(number), heuristic.id, heuristic.name, heuristic.family, count)
    print_result(table)
    say(f"Pack '{pack}'. There are the packs {', '.join(PACKS)}, or give the path of a .toml file.")


def show_heuristic(id_: str, *, pack: str | None = None) -> None:
    """Print all about one heuristic, with its exemplars.

    pack: look only in this pack. When None, look in all named packs.

    Raises DataError when no pack has it.
    """
    name, heuristic = _find(id_, [pack] if pack else list(PACKS))
    print_text(f"{heuristic.name}   ({heuristic.id}; family: {heuristic.family}; pack: {name})")
    print_text(f"\nQuestion:    {heuristic.question}\nInstruction: {heuristic.instruction}")
    print_text(f"When:        {heuristic.when}\nSource:      {heuristic.source}")
    print_text("Signs:       " + "\n             ".join(heuristic.signs))
    for number, exemplar in enumerate(heuristic.exemplars):
        problem = exemplar_problem(heuristic, number)
        print_text(f"\n-- exemplar {number + 1}, verifier {problem.verifier} --")
        print_text(f"{exemplar.question}\n\n{exemplar.solution}")
        if problem.tests:
            print_text(f"\n{problem.tests.strip()}")


def check_heuristics(
    pack: str,
    *,
    tokenizer: str | None = None,
    data_dir: Path | None = None,
    against: Sequence[str] = (),
    workers: int = 2,
    allow_unsafe_code: bool = False,
) -> PackReport:
    """Check a pack by name or path, and print its flaws.

    tokenizer: a checkpoint whose tokenizer counts the tokens of the prompts.
    against:   problem sets that no exemplar may come from.
    allow_unsafe_code: run the programs of exemplars even without a sandbox.

    Raises DataError if there are errors, after printing all of them.
    """
    grant_typed(*against)
    heuristics = load_pack(pack)
    counter = load_tokenizer(model_path(tokenizer)) if tokenizer else None
    with Verifiers(workers=workers, allow_unsafe_code=allow_unsafe_code) as verifiers:
        report = check_pack(
            heuristics, verifiers, tokenizer=counter, prompts=prompts_for(heuristics)
        )
    _print_report(report)
    _print_distinctness(heuristics)
    borrowed = borrowed_exemplars(heuristics, against, data_dir=data_dir)
    for flaw in [*report.flaws, *borrowed]:
        print_text(str(flaw))
    if errors := [*report.errors, *borrowed]:
        raise DataError(f"pack '{pack}' has {plural(len(errors), 'error')}. First: {errors[0]}")
    return report


def prompts_for(heuristics: Sequence[Heuristic]) -> PromptFormat:
    """The default prompt format, which asks for a program if the exemplars are programs."""
    default = PromptFormat()
    if not heuristics[0].exemplars:
        return default
    return PromptFormat(
        instruction=instruction_for(exemplar_problem(heuristics[0], 0), default.instruction)
    )


def borrowed_exemplars(
    heuristics: Sequence[Heuristic], against: Sequence[str], *, data_dir: Path | None = None
) -> list[Flaw]:
    """A flaw for each exemplar whose question is, or nearly is, one of the sets ``against``."""
    own = [exemplar_problem(h, i) for h in heuristics for i in range(len(h.exemplars))]
    likeness = {"exact": "the same as", "near": "nearly"}
    return [
        Flaw(
            entry=pair.train_id.removeprefix("exemplar/").replace("/", ", exemplar "),
            what=f"its question is {likeness[pair.kind]} that of {pair.eval_id}: write another "
            "exemplar.",
        )
        for name in against
        for pair in overlap(own, load_problems(name, data_dir=data_dir)).pairs
    ]


def prefix_scores(heuristics: Sequence[Heuristic]) -> dict[int, float]:
    """Vendi score of the exemplars' solutions for the first n = 1, 2, 4, ... heuristics.

    It is at most the number of exemplars. Its embedder is ``metrics.diversity.embed``.
    """
    counts = powers_of_two(len(heuristics))
    if counts[-1] != len(heuristics):
        counts.append(len(heuristics))
    rows = {h.id: embed([e.solution for e in h.exemplars]) for h in heuristics}
    return {n: vendi(np.concatenate([rows[h.id] for h in heuristics[:n]])) for n in counts}


def _find(id_: str, packs: Sequence[str]) -> tuple[str, Heuristic]:
    known = [(name, heuristic) for name in packs for heuristic in load_pack(name)]
    for name, heuristic in known:
        if heuristic.id == id_:
            return name, heuristic
    near = nearest(id_, {heuristic.id: heuristic for _, heuristic in known})
    raise DataError(f"no heuristic '{id_}' in {', '.join(packs)}.{near}")


def _print_report(report: PackReport) -> None:
    table = open_table("check", "count")
    table.add_row("heuristics", str(report.heuristics))
    table.add_row("exemplars", str(report.exemplars))
    table.add_row("accepted by their verifier", str(report.accepted))
    table.add_row("errors", str(len(report.errors)))
    table.add_row("warnings", str(len(report.flaws) - len(report.errors)))
    for value, left, right, part in report.most_alike[:1]:
        table.add_row("most alike", f"{value:.2f} ({part}s of {left} and {right})")
    print_result(table)
    if report.tokens:
        costs = open_table("prompt under", "tokens before the problem")
        for name, count in report.tokens.items():
            costs.add_row(name, str(count))
        costs.add_row("all", str(sum(report.tokens.values())))
        print_result(costs)


def _print_distinctness(heuristics: Sequence[Heuristic]) -> None:
    table = open_table("first n", "Vendi score of the exemplars' solutions")
    for count, score in prefix_scores(heuristics).items():
        table.add_row(str(count), f"{score:.2f}")
    table.caption = f"embedder: {EMBEDDER}"
    print_result(table)
