"""``manyways heuristics list | show | check``: look at packs before using them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from manyways.checkpoints import load_tokenizer, model_path
from manyways.errors import DataError
from manyways.heuristics import (
    PACKS,
    PromptFormat,
    exemplar_problem,
    instruction_for,
    load_pack,
)
from manyways.heuristics.checks import PackReport, check_pack
from manyways.metrics.diversity import EMBEDDER, embed, vendi
from manyways.metrics.pass_at_k import powers_of_two
from manyways.plugins import nearest
from manyways.problems import load_problems
from manyways.problems.overlap import overlap
from manyways.progress import open_table, print_result, print_text, say
from manyways.records import Heuristic
from manyways.verifiers.verdicts import Verifiers


def list_heuristics(pack: str = "polya") -> None:
    """Print the entries of a pack in their order; the first n are the set of n.

    Raises DataError when there is no such pack.
    """
    table = open_table("n", "id", "name", "family", "exemplars")
    for number, heuristic in enumerate(load_pack(pack), start=1):
        count = str(len(heuristic.exemplars))
        table.add_row(str(number), heuristic.id, heuristic.name, heuristic.family, count)
    print_result(table)
    say(f"Pack '{pack}'. Packs by name: {', '.join(PACKS)}; or give the path of a .toml file.")


def show_heuristic(id_: str, *, pack: str | None = None) -> None:
    """Print everything about one heuristic, exemplars included.

    pack: where to look; in all named packs when None.

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
    """Check a pack by name or path, and print what was found.

    tokenizer: a checkpoint whose tokenizer counts the tokens of the prompts.
    against:   problem sets that no exemplar may come from.
    allow_unsafe_code: run the programs of exemplars even where no sandbox is available.

    Raises DataError when something is wrong, after printing all of it.
    """
    heuristics = load_pack(pack)
    counter = load_tokenizer(model_path(tokenizer)) if tokenizer else None
    with Verifiers(workers=workers, allow_unsafe_code=allow_unsafe_code) as verifiers:
        report = check_pack(
            heuristics, verifiers, tokenizer=counter, prompts=prompts_for(heuristics)
        )
    _print_report(report)
    _print_distinctness(heuristics)
    taken = borrowed(heuristics, against, data_dir=data_dir)
    for finding in [*map(str, report.findings), *taken]:
        print_text(finding)
    wrong = [*map(str, report.errors), *taken]
    if wrong:
        raise DataError(f"pack '{pack}' has {len(wrong)} errors. First: {wrong[0]}")
    return report


def prompts_for(heuristics: Sequence[Heuristic]) -> PromptFormat:
    """The default prompt format, asking for a program where the exemplars are programs."""
    default = PromptFormat()
    if not heuristics[0].exemplars:
        return default
    asked = instruction_for(exemplar_problem(heuristics[0], 0), default.instruction)
    return PromptFormat(instruction=asked)


def borrowed(
    heuristics: Sequence[Heuristic], against: Sequence[str], *, data_dir: Path | None = None
) -> list[str]:
    """A sentence for each exemplar that is, or nearly is, a problem of the sets ``against``."""
    own = [exemplar_problem(h, i) for h in heuristics for i in range(len(h.exemplars))]
    return [
        f"error: {pair.train_id} is {pair.kind} the problem {pair.eval_id}: write another one."
        for name in against
        for pair in overlap(own, load_problems(name, data_dir=data_dir)).pairs
    ]


def prefix_scores(heuristics: Sequence[Heuristic]) -> dict[int, float]:
    """Vendi score of the exemplars' solutions of the first n = 1, 2, 4, ... heuristics.

    At most the number of exemplars; under ``metrics.diversity.embed``.
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
    table.add_row("warnings", str(len(report.findings) - len(report.errors)))
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
