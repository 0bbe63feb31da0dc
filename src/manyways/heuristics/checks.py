"""Is a pack fit for use? Form, exemplars that its own verifier accepts, no copies, token cost."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Literal, Protocol

from manyways.heuristics import PromptFormat, exemplar_problem
from manyways.records import PLAIN, Heuristic, Problem, Verdict
from manyways.rendering import prompt_ids
from manyways.verifiers import verifier_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

COPY = 0.8
"""Word-3-gram Jaccard, numbers masked, from which exemplars of two heuristics are copies: an error.

The same text under another name, its numbers changed or not, has 1; the fixed wording of the pocket
world reaches 0.61.
"""
ALIKE = 0.35
"""Jaccard from which two exemplars are close enough for a warning.

The mathematical, code and narrative packs stay below 0.27, which questions of one kind reach ("What
is its area?").
"""
EXEMPLARS = 2
"""Fewest exemplars of a heuristic."""
SENTENCES = range(2, 5)
"""How many sentences an instruction should have."""

_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_SENTENCE_END = re.compile(r"[.!?](?=[\s'\")]|$)")
_WORD = re.compile(r"\w+|[^\w\s]")
_NUMBER = re.compile(r"\d+")

Severity = Literal["error", "warning"]


class GivesVerdicts(Protocol):
    """What ``check_pack`` needs of ``Verifiers``."""

    def verdicts(self, pairs: Sequence[tuple[Problem, str]]) -> list[Verdict]:
        """One verdict for each (problem, text), in order."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that is wrong. Example: ``Finding(entry="parity", what="has 1 exemplar, ...")``.

    entry: id of the heuristic, with ``, exemplar N`` where it concerns one.
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
    tokens:     heuristic id -> tokens of its prompt before the problem's own text; empty without
        a tokenizer.
    """

    heuristics: int
    exemplars: int
    accepted: int
    findings: tuple[Finding, ...]
    most_alike: tuple[tuple[float, str, str, str], ...]
    tokens: Mapping[str, int]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that make a pack unfit; the others are advice."""
        return tuple(finding for finding in self.findings if finding.severity == "error")


def check_pack(
    heuristics: Sequence[Heuristic],
    verifiers: GivesVerdicts,
    *,
    tokenizer: "PreTrainedTokenizerBase | None" = None,
    prompts: PromptFormat | None = None,
    shots: int = EXEMPLARS,
) -> PackReport:
    """Check a loaded pack; collects everything that is wrong rather than raising.

    tokenizer: a Hugging Face tokenizer with a chat template, to count the tokens of prompts.
    prompts:   the format that prompts are counted in; the default one when None.
    shots:     exemplars in a counted prompt.
    """
    findings = [finding for heuristic in heuristics for finding in _form(heuristic)]
    accepted, refused = _judged(heuristics, verifiers)
    alike = _alike(heuristics)
    findings += [*refused, *_likeness(alike)]
    tokens = {}
    if tokenizer is not None:
        asked = prompts or PromptFormat()
        tokens = {h.id: prompt_tokens(h, tokenizer, prompts=asked, shots=shots) for h in heuristics}
    return PackReport(
        heuristics=len(heuristics),
        exemplars=sum(len(h.exemplars) for h in heuristics),
        accepted=accepted,
        findings=tuple(findings),
        most_alike=tuple(alike[:5]),
        tokens=tokens,
    )


def prompt_tokens(
    heuristic: Heuristic, tokenizer: "PreTrainedTokenizerBase", *, prompts: PromptFormat, shots: int
) -> int:
    """Tokens of the prompt under ``heuristic`` for an empty question: what every problem pays."""
    tokens, _ = prompt_ids(tokenizer, prompts.under(heuristic, "", shots=shots))
    return len(tokens)


def _form(heuristic: Heuristic) -> Iterator[Finding]:
    entry = heuristic.id or "entry without id"
    if not _SLUG.fullmatch(heuristic.id):
        yield Finding(entry=entry, what="id: use small letters, digits and single hyphens.")
    if heuristic.id == PLAIN:
        yield Finding(entry=entry, what=f"id: '{PLAIN}' names attempts without any heuristic.")
    for field in ("name", "family", "question", "instruction"):
        if not getattr(heuristic, field).strip():
            yield Finding(entry=entry, what=f"{field} is empty.")
    if len(heuristic.exemplars) < EXEMPLARS:
        count = len(heuristic.exemplars)
        yield Finding(entry=entry, what=f"exemplars: {count}, at least {EXEMPLARS} are needed.")
    yield from _advice(heuristic)


def _advice(heuristic: Heuristic) -> Iterator[Finding]:
    sentences = len(_SENTENCE_END.findall(heuristic.instruction))
    if sentences not in SENTENCES:
        yield Finding(
            entry=heuristic.id,
            what=f"sentences in the instruction: {sentences}; 2 to 4 name a move best.",
            severity="warning",
        )
    for field in ("when", "signs", "source"):
        if not getattr(heuristic, field):
            yield Finding(entry=heuristic.id, what=f"{field} is empty.", severity="warning")


def _judged(heuristics: Sequence[Heuristic], verifiers: GivesVerdicts) -> tuple[int, list[Finding]]:
    """How many exemplars are accepted, and a finding for each of the others."""
    cases = [
        (f"{h.id}, exemplar {i + 1}", exemplar_problem(h, i), h.exemplars[i].solution)
        for h in heuristics
        for i in range(len(h.exemplars))
    ]
    verdicts = verifiers.verdicts([(problem, solution) for _, problem, solution in cases])
    refused = [
        Finding(entry=entry, what=_refusal(problem, verdict))
        for (entry, problem, _), verdict in zip(cases, verdicts, strict=True)
        if verdict.status != "correct"
    ]
    return len(cases) - len(refused), refused


def _refusal(problem: Problem, verdict: Verdict) -> str:
    if not verifier_of(problem.verifier).cuts:
        return f"its program is {verdict.status} ({verdict.rule or verdict.reason})."
    if verdict.status == "no_answer":
        return "no final answer found in its solution: end it with \\boxed{...}."
    if verdict.status == "undecided":
        return f"the verifier '{problem.verifier}' could not decide: {verdict.reason}."
    return f"its solution ends in '{verdict.answer}', but its answer is '{problem.answer}'."


def _alike(heuristics: Sequence[Heuristic]) -> list[tuple[float, str, str, str]]:
    """Every pair of exemplars of different heuristics with its Jaccard similarity, falling."""
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


def _likeness(alike: Sequence[tuple[float, str, str, str]]) -> Iterator[Finding]:
    """The closest other exemplar of each, where it is too close."""
    seen = set()
    for value, left, right, part in alike:
        if value < ALIKE or (left, part) in seen:
            continue
        seen.add((left, part))
        copied = value >= COPY
        what = f"its {part} {'copies' if copied else 'is much like'} that of {right}"
        yield Finding(
            entry=left,
            what=f"{what} (Jaccard {value:.2f}): write another one.",
            severity="error" if copied else "warning",
        )
