"""``manyways problems list``, ``show``, ``check`` and ``overlap``: look at problem sets."""

import difflib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from manyways import trust
from manyways.errors import DataError
from manyways.heuristics import PromptFormat, instruction_for
from manyways.problems import PROBLEM_SETS, ProblemSet, load_set, split_name
from manyways.problems.datasets import ALL, find
from manyways.problems.overlap import OverlapReport, overlap, repeats
from manyways.progress import open_table, print_result, print_text, say
from manyways.records import Problem
from manyways.verifiers.selfcheck import SetCheck, check_set, in_format
from manyways.verifiers.verdicts import Verifiers

LISTED = 20
"""Rows of a table or pairs of problems that are printed."""
BENCHMARKS = (
    "math500/test", "aime24/test", "aime25/test", "amc23/test", "minerva/test",
    "olympiadbench/test", "gsm8k/test", "humaneval/test", "mbpp/test",
)  # fmt: skip
"""The sets that ``overlap`` compares with when no evaluation set is named."""


def list_problem_sets(*, data_dir: Path | None = None) -> None:
    """Print every published split: rows, verifier, whether ``data_dir`` has it, its Hub id."""
    table = open_table("set", "rows", "verifier", "here", "Hugging Face Hub")
    for spec in ALL:
        for name, split in spec.splits.items():
            here = "-" if data_dir is None else "yes" if find(data_dir, split.stem) else "no"
            hub = spec.hub_id + (f" ({spec.hub_config})" if spec.hub_config else "")
            table.add_row(f"{spec.name}/{name}", str(split.rows), spec.verifier, here, hub)
    print_result(table)
    named = {spec.name for spec in ALL}
    others = ", ".join(name for name in PROBLEM_SETS if name not in named)
    say(
        f"Also: {others} (pocket/SPLIT, file:PATH?question=COLUMN&answer=COLUMN, "
        "hub:OWNER/NAME?split=SPLIT, reasoning-gym:TASK?size=200&seed=1). Repeated rows of "
        "dapo-math-17k become one problem. Without ?lang= only its English problems are taken."
    )


def show_problems(name: str, *, data_dir: Path | None = None, number: int = 0) -> None:
    """Print where a set comes from, and one problem: its prompt, its reference, the verdict on it.

    Raises DataError when the set has no problem with this number (counted from 0).
    """
    grant_typed(name)
    loaded = load_set(name, data_dir=data_dir)
    if not 0 <= number < loaded.total:
        raise DataError(f"'{name}' has problems 0 to {loaded.total - 1}, not {number}.")
    problem = loaded.problems[number]
    prompts = PromptFormat()
    prompts = PromptFormat(instruction=instruction_for(problem, prompts.instruction))
    _print_provenance(loaded)
    print_text(f"\n{problem.id}   {_facts(problem)}")
    for message in prompts.plain(problem.question):
        print_text(f"\n-- prompt, as {message.role} --\n{message.content}")
    print_text(f"\n-- reference answer --\n{problem.answer}")
    with Verifiers(workers=1) as verifiers:
        verdict = verifiers.verdicts([(problem, in_format(problem, problem.answer))])[0]
    said = verdict.status + (f" by {verdict.rule}" if verdict.rule else f" {verdict.reason}")
    print_text(f"\n-- verdict on the reference, written as an attempt would write it --\n{said}")


def check_problems(name: str, *, data_dir: Path | None = None, workers: int = 2) -> SetCheck:
    """Check a set for repeated questions, and every reference with its verifier.

    Returns the checks of the references.

    Raises DataError when the verifier does not accept a reference, after printing all of these. A
    perturbed reference that is accepted is printed, but it does not fail the set, because a few
    references (``N=n``) have no perturbation that is certainly wrong.
    """
    grant_typed(name)
    loaded = load_set(name, data_dir=data_dir)
    _print_provenance(loaded)
    _print_repeats(repeats(loaded.problems))
    with Verifiers(workers=workers) as verifiers:
        check = check_set(loaded.problems, verifiers)
    table = open_table("references", "count")
    table.add_row("problems", str(check.problems))
    table.add_row("accepted by their own verifier", str(check.accepted))
    table.add_row("rejected when perturbed", str(check.rejected))
    print_result(table)
    _print_failures(check, {problem.id: problem for problem in loaded.problems})
    refused = [failure.problem_id for failure in check.failures if not failure.accepted]
    if refused:
        raise DataError(
            f"{len(refused)} of {check.problems} references in '{name}' are not accepted by their "
            "own verifier, so every attempt at these problems would count as wrong. Correct or "
            f"remove them. First: {refused[0]}."
        )
    return check


def compare_problems(
    train: str, evals: Sequence[str] = (), *, data_dir: Path | None = None, pairs: int = LISTED
) -> OverlapReport:
    """Print which problems of ``train`` are also in the evaluation sets, exactly or nearly.

    evals: names of sets. Default: the published benchmarks (``BENCHMARKS``).
    pairs: how many pairs to print in full.
    """
    grant_typed(train, *evals)
    problems = load_set(train, data_dir=data_dir).problems
    tested = {
        name: load_set(name, data_dir=data_dir).problems
        for name in evals or [name for name in BENCHMARKS if name != train]
    }
    report = overlap(problems, tested)
    table = open_table("evaluation set", "problems", "exact", "near")
    for name, size, exact, near in report.counts():
        table.add_row(name, str(size), str(exact), str(near))
    table.caption = f"exact, near: problems of {train} ({report.train_size}) that are in the set"
    print_result(table)
    questions = {p.id: p.question for group in (problems, *tested.values()) for p in group}
    for pair in report.pairs[:pairs]:
        head = f"{pair.train_id} = {pair.eval_id}  ({pair.kind}, {pair.share:.0%})"
        texts = (questions[pair.train_id], questions[pair.eval_id])
        print_text(f"{head}\n{_beside(*texts)}")
    say(
        f"{len(report.train_ids)} of {report.train_size} problems of {train} overlap"
        + (f"; the first {pairs} pairs are shown." if len(report.pairs) > pairs else ".")
    )
    return report


def grant_typed(*names: str) -> None:
    """Trust the code in the names of problem sets, because the user typed them."""
    for loader, _, options in map(split_name, names):
        trust.grant(loader, *filter(None, (options.get("verifier"),)))


def _print_provenance(loaded: ProblemSet) -> None:
    table = open_table("problem set", loaded.name)
    table.add_row("problems", str(loaded.total))
    table.add_row("from", loaded.origin)
    table.add_row("commit", loaded.commit or "not known")
    for spec in ALL:
        if spec.name == split_name(loaded.name)[0]:
            table.add_row("what", spec.title)
            table.add_row("licence", spec.licence)
    table.add_row("content fingerprint", loaded.fingerprint)
    kinds = Counter(problem.verifier for problem in loaded.problems)
    table.add_row("verifier", ", ".join(f"{name} ({n})" for name, n in kinds.items()))
    print_result(table)


def _print_repeats(groups: Sequence[Sequence[Problem]]) -> None:
    if not groups:
        say("no question occurs twice.")
        return
    table = open_table("repeated question", "answers")
    for group in groups[:LISTED]:
        answers = sorted({problem.answer for problem in group})
        table.add_row(", ".join(p.id for p in group), " | ".join(a[:40] for a in answers))
    print_result(table)
    contradicting = sum(len({problem.answer for problem in group}) > 1 for group in groups)
    say(f"{len(groups)} questions occur more than once, {contradicting} with different answers.")


def _print_failures(check: SetCheck, problems: dict[str, Problem]) -> None:
    if not check.failures:
        return
    table = open_table("problem", "reference", "reason")
    for failure in check.failures:
        answer = problems[failure.problem_id].answer
        shown = answer if len(answer) <= 60 else f"{answer[:57]}..."
        table.add_row(failure.problem_id, shown, failure.reason)
    print_result(table)


def _facts(problem: Problem) -> str:
    tags = ", ".join(f"{key} {value}" for key, value in problem.tags.items())
    return f"verifier {problem.verifier}" + (f"; {tags}" if tags else "")


def _beside(left: str, right: str) -> str:
    """The common text, or both texts around their first difference."""
    a, b = " ".join(left.split()), " ".join(right.split())
    if a == b:
        return f"    {a[:160]}"
    match = difflib.SequenceMatcher(a=a, b=b, autojunk=False).get_matching_blocks()[0]
    start = max(0, (match.size if match.a == 0 and match.b == 0 else 0) - 60)
    return f"    ...{a[start : start + 160]}\n    ...{b[start : start + 160]}"
