"""The first screen of the report, for a reader who does not know the paper.

What the run is, the method with this run's counts, one problem solved in different ways, the four
cells, each control, what it cost and what to do next. All from the tables and stamps of the run.
"""

import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from manyways.arms import VANILLA
from manyways.measures import four_cells
from manyways.measures.answer import controls, verdict_by_k, ways_or_heuristics
from manyways.measures.arms import ARMS, UNFINISHED, ArmRow, unfinished_sentences, untested_lines
from manyways.measures.benchmarks import SEEDS_FOR_T, benchmark_words
from manyways.measures.costs import COSTS, total
from manyways.measures.explorer import EXPLORER, ExplorerRow, ExplorerText
from manyways.measures.gate import GATE
from manyways.measures.labeller import LABELLER
from manyways.measures.pass_at_k import PASS_AT_K
from manyways.measures.yields import YIELD
from manyways.progress import visible
from manyways.records import PLAIN, line_name
from manyways.reporting import (
    Block,
    Entry,
    Figure,
    Fold,
    Note,
    Pipeline,
    Step,
    Table,
    Way,
    Ways,
    explorer_link,
    words,
)

if TYPE_CHECKING:
    from manyways.measures.paired import PairedRow
    from manyways.measures.seen import Seen

QUESTION = (
    "If a language model first learns many correct ways to solve each problem, all from its own "
    "attempts, does reinforcement learning (RL) then make it better than RL alone does?"
)
TOY, SMALL = 50_000_000, 1_000_000_000
"""Parameters below which a base model is called a toy, and small."""
SHOWN = 3
"""Solutions side by side."""
FEW = 100
"""With fewer problems on the headline benchmark, the report suggests more."""


def warning(seen: "Seen") -> str:
    """That the numbers of the page are old, and what renews them; empty where they are not."""
    if not seen.behind:
        return ""
    run = shlex.quote(seen.name)
    renew = f"To renew them, in the folder that holds this run: `manyways analyse {run}`"
    return f"The numbers of this page are {OLD} {renew}, then `manyways report {run}`."


OLD = (
    "old: the run has changed since they were counted, or another release of manyways counted them."
)


def tags(seen: "Seen") -> tuple[str, ...]:
    """What the run is: its model by size, seeds, problems."""
    asked = next((row.score.n for row in seen.rows(PASS_AT_K) if row.benchmark == seen.headline), 0)
    found = [f"run {seen.name}", _model(seen)]
    found += [words.plural(len(seen.recipe.seeds), "training seed")]
    found += [words.plural(len(seen.recipe.arms), "arm")]
    if asked:
        sets = words.plural(len(seen.answered_on), "benchmark")
        found.append(f"answer from {words.plural(asked, 'problem')} of {sets}")
    return tuple(found)


def _model(seen: "Seen") -> str:
    size = seen.parameters
    path = seen.recipe.model.path
    if size is None:
        return f"base model {path}"
    if size < TOY:
        return f"toy model, {_size(size)}: a demonstration, no evidence about real ones"
    kind = "small model" if size < SMALL else "model"
    return f"{kind} {path}, {_size(size)}"


def _size(parameters: int) -> str:
    for unit, name in ((1e9, "billion"), (1e6, "million"), (1e3, "thousand")):
        if parameters >= unit:
            return f"{parameters / unit:.3g} {name} parameters"
    return words.plural(parameters, "parameter")


def blocks(seen: "Seen") -> list[Block]:
    """The first screen below the verdict."""
    stopped = unfinished_sentences(seen)
    shown: list[Block] = [Note(kind="stop", sentences=stopped)] if stopped else []
    shown += [_terms(seen), *_pipeline(seen), *_ways(seen), *four_cells.first_screen(seen)]
    shown += [*_controls(seen), *_others(seen), Note(kind="next", sentences=tuple(_next(seen)))]
    return shown


def _there(row: ExplorerRow) -> str:
    """How many attempts of the pool at a problem a link to the explorer opens."""
    here, tried = sum(text.source == "pool" for text in row.texts), row.attempts or 0
    return f"Read {here} of the {tried} attempts" if here < tried else f"Read the {here} attempts"


def _sure(seen: "Seen") -> str:
    """A clause that says that labels of steps can be wrong; empty for an exact labeller."""
    if not seen.rows(LABELLER):
        return ""
    return f", as far as the labeller '{seen.recipe.heuristics.labeller}' can tell, which errs"


def _terms(seen: "Seen") -> Note:
    """The arms that the verdict, the four cells and the controls name, each in a line."""
    said = [f"`{name}`: {seen.arm_words(name)}." for name in _named(seen)]
    some = any(arm.label for arm in seen.arms)
    but = " but those with a + in their name, which differ as their line says" if some else ""
    said += [
        "Heuristic: a way to look for a solution that prompts ask for, such as working backwards.",
        f"Arm: one way to prepare the model before RL. All arms{but} get the same RL. Mid-training "
        "is fine-tuning on the kept solutions of the arm.",
        "pass@k: the share of problems that at least one of k attempts solves.",
    ]
    return Note(kind="terms", sentences=tuple(said))


def _named(seen: "Seen") -> list[str]:
    beside = [name for name, _, _ in controls(seen)] if seen.main else []
    found = dict.fromkeys((seen.main, VANILLA, *four_cells.shown_arms(seen), *beside))
    return [str(name) for name in found if name in seen.recipe.arms]


def _others(seen: "Seen") -> list[Block]:
    """A folded note on the arms that the first lines do not explain."""
    told = _named(seen)
    lines = [f"`{arm}`: {seen.arm_words(arm)}." for arm in seen.recipe.arms if arm not in told]
    note = Note(kind="terms", sentences=tuple(lines))
    title = f"{words.plural(len(lines), 'other arm')} of this run, each in a line"
    return [Fold(title=title, blocks=(note,))] if lines else []


def _pipeline(seen: "Seen") -> list[Block]:
    """The stages with what went through each."""
    rows = seen.rows(YIELD)
    counts = next((stamp.counts for stamp in seen.stamps if stamp.work == "generate"), {})
    if not rows and not counts.get("attempts"):
        return []
    problems = counts.get("problems")
    mid = [row for row in seen.rows(ARMS) if row.midtrain_steps]
    rl = [row for row in seen.rows(ARMS) if row.rl_steps]
    works = {f"rl/{line_name(row.arm, row.seed)}" for row in rl}
    rewarded = sum(row.attempts for row in seen.rows(COSTS) if row.work in works)
    scored = _scored(seen)
    steps = (
        *([Step(
            title="problems", count=words.count(problems),
            text=f"asked under {words.plural(seen.recipe.heuristics.count, 'heuristic')} "
            "and plainly", target="#data",
        )] if problems else []),
        Step(
            title="attempts",
            count=words.count(sum(row.attempts for row in rows) if rows else counts["attempts"]),
            text="written by the base model itself", target="#data",
        ),
        Step(
            title="correct",
            count=words.count(sum(row.correct for row in rows) if rows else counts["correct"]),
            text="by a verifier", target="#data",
        ),
        Step(
            title="kept", count=words.count(sum(row.kept for row in rows)),
            text="the best one for each way of each problem" if rows else "not reached",
            target="#data",
        ),
        *([Step(
            title="mid-trainings", count=words.count(len(mid)),
            text=_lasted(mid, [row.midtrain_steps for row in mid]), target="#training",
        )] if seen.recipe.midtrain.there else []),
        *([Step(
            title="RL trainings", count=words.count(len(rl)),
            text=_lasted(rl, [row.rl_steps for row in rl])
            + (f", {words.count(rewarded)} rewarded attempts" if rewarded else ""),
            target="#training",
        )] if seen.recipe.rl.there else []),
        *([Step(
            title="test attempts", count=words.count(scored),
            text=f"on {words.plural(len(seen.single_benchmarks), 'benchmark')}"
            if scored else "not reached", target="#evaluation",
        )] if seen.recipe.benchmarks else []),
    )  # fmt: skip
    return [Pipeline(steps=steps)]


def _lasted(rows: Sequence[ArmRow], steps: Sequence[int]) -> str:
    if not rows:
        return "not reached"
    few, many = min(steps), max(steps)
    return words.plural(many, "step") if few == many else f"{few:,} to {many:,} steps"


def _scored(seen: "Seen") -> int:
    """Attempts at all benchmarks, each once."""
    rows = [row for row in seen.rows(PASS_AT_K) if row.benchmark in seen.single_benchmarks]
    rows = [row for row in rows if row.k == 1 and (row.seed is not None or row.phase == "base")]
    return sum(row.attempts for row in rows)


def _ways(seen: "Seen") -> list[Block]:
    """The problem with the most different kept solutions, of these the one of fewest words."""
    found = {row.problem_id: (row, _different(row)) for row in seen.rows(EXPLORER)}
    found = {name: (row, texts) for name, (row, texts) in found.items() if len(texts) > 1}
    if not found:
        return []
    row, texts = max(found.values(), key=lambda one: (min(len(one[1]), SHOWN), -_length(one[1])))
    more = len(texts) - SHOWN
    return [
        Ways(
            caption="One problem, solved in different ways by the base model",
            question=visible(row.question),
            answer=visible(row.answer),
            ways=tuple(_way(text, seen) for text in texts[:SHOWN]),
            note="Real texts of the run, all correct and kept as training data. A coloured edge "
            f"and a tag say which heuristic a step shows{_sure(seen)}."
            + (f" {words.plural(more, 'other way')} of this problem are kept." if more > 0 else ""),
            target=explorer_link(problem=row.problem_id, source="pool", of=row.attempts),
            link=_there(row),
        )
    ]


def _different(row: ExplorerRow) -> list[ExplorerText]:
    """One kept text for each heuristic, without those that have the steps of another."""
    found: dict[str, ExplorerText] = {}
    for text in row.texts:
        kept = text.kept and text.status == "correct" and text.heuristic != PLAIN
        if kept and all(text.steps != other.steps for other in found.values()):
            found.setdefault(text.heuristic, text)
    return sorted(found.values(), key=_direct)


def _direct(text: ExplorerText) -> bool:
    """Whether no step shows the heuristic that was asked for."""
    return text.heuristic not in {heuristic for _, heuristic in text.steps}


def _length(texts: Sequence[ExplorerText]) -> int:
    return sum(len(step) for text in texts[:SHOWN] for step, _ in text.steps)


def _way(text: ExplorerText, seen: "Seen") -> Way:
    return Way(
        name=visible(seen.heuristic_name(text.heuristic)),
        colour=seen.heuristic_colour(text.heuristic),
        steps=tuple(
            (
                visible(step),
                visible(seen.heuristic_name(heuristic)) if heuristic else "",
                seen.heuristic_colour(heuristic) if heuristic else "",
            )
            for step, heuristic in text.steps
        ),
    )


def _controls(seen: "Seen") -> Iterator[Block]:
    """Every control, by the question that it answers."""
    found = list(controls(seen)) if seen.main else []
    if not found:
        return
    ks = [row.k for row in found[0][2]]
    over_seeds = any(row.seeds for _, _, rows in found for row in rows)
    sizes = {row.arm: row for row in seen.rows(ARMS)}
    own = sizes.get(str(seen.main))
    yield Table(
        caption=f"Is it the many ways? {seen.main} against each control, on "
        f"{benchmark_words(seen.headline)}",
        head=(
            "question", "control",
            *(h for k in ks for h in (f"at pass@{k}", *(["over seeds"] if over_seeds else []))),
            "verdict", "problems", "examples",
        ),
        rows=tuple(
            (
                f"Is it {kind.asks}" if kind else "Does it help RL at all?",
                name,
                *(entry for row in rows for entry in _difference(row, over_seeds)),
                verdict_by_k(rows, seen),
                *_learned(sizes.get(name)),
            )
            for name, kind, rows in found
        ),
        note=f"Differences of {seen.main} minus the control, both after RL, with 95% intervals "
        f"over problems{' and over training seeds' if over_seeds else ''}. A hint: "
        f"{'both intervals leave' if over_seeds else 'the interval leaves'} out 0. Yes and no: "
        "moreover the difference remains after Holm's correction for all comparisons of the run."
        + (
            f" {seen.main} itself learned from {own.problems:,} problems and {own.examples:,} "
            "examples: where a control had other numbers, they may be why."
            if own else ""
        ),
        whole=True,
    )  # fmt: skip
    ways = ways_or_heuristics(found, seen)
    if ways:
        yield Note(kind="finding", sentences=(ways,))


def _difference(row: "PairedRow", over_seeds: bool) -> list[Entry]:
    """The difference with its interval over problems, then that over seeds."""
    found: list[Entry] = [words.difference(row.difference)]
    if over_seeds:
        bounds = row.seeds and Figure(value="", interval=words.signed(row.seeds).interval)
        found.append(bounds or words.NONE)
    return found


def _learned(row: ArmRow | None) -> tuple[str, str]:
    """Problems and examples that an arm was mid-trained on."""
    if row is None or not row.examples:
        return words.NONE, words.NONE
    return words.count(row.problems), words.count(row.examples)


def _next(seen: "Seen") -> Iterator[str]:
    """What it cost, and what would make the answer better, most useful first."""
    yield f"What it cost: {total(seen).removeprefix('All together ') or 'nothing was recorded.'}"
    found = list(_better(seen))
    for number, sentence in enumerate(found):
        yield f"What to do next{f' ({number + 1})' if len(found) > 1 else ''}: {sentence}"


def _better(seen: "Seen") -> Iterator[str]:
    run = f"`manyways run {shlex.quote(seen.name)}"
    attempts = sum(row.attempts for row in seen.rows(YIELD))
    if attempts and not sum(row.correct for row in seen.rows(YIELD)):
        problem = next((row.problem_id for row in seen.rows(EXPLORER)), "PROBLEM")
        yield (
            f"read what it wrote: `manyways show {shlex.quote(seen.name)} {shlex.quote(problem)} "
            "--texts --wrong`."
        )
        return
    if not seen.recipe.phases:
        yield (
            f"take out the data: `manyways export dataset {shlex.quote(seen.name)}`; or train on "
            "it: give the recipe [midtrain], [rl] and [evaluate] and run it again."
        )
        return
    begun = any(row.outcome in UNFINISHED for row in seen.rows(ARMS))
    if begun or untested_lines(seen) or not seen.rows(PASS_AT_K):
        yield f"go on to the end, in the folder that holds this run: {run}`."
    if not seen.rows(PASS_AT_K):
        return
    if any(row.decision == "refused" for row in seen.rows(GATE)):
        yield "see under Training why the gate refused, and change the data or the prompt."
    missing = [name for name in _wanted(seen) if name not in seen.recipe.arms]
    # Without RL alone there is no answer, whatever the number of seeds.
    steps = (_more_seeds, _more_arms) if VANILLA not in missing else (_more_arms, _more_seeds)
    for step in steps:
        yield from step(seen, run)
    rows = [row for row in seen.rows(PASS_AT_K) if row.benchmark == seen.headline]
    if rows and rows[0].score.n < FEW and seen.recipe.evaluate.limit:
        more = 4 * seen.recipe.evaluate.limit
        yield f"ask more problems: {run} --set evaluate.limit={more}`."


def _more_seeds(seen: "Seen", run: str) -> Iterator[str]:
    if len(seen.recipe.seeds) < SEEDS_FOR_T:
        seeds = ", ".join(str(seed) for seed in range(SEEDS_FOR_T))
        yield (
            f"train with {SEEDS_FOR_T} seeds, so that the luck of training is in the intervals; "
            f"in the folder that holds this run: {run} --set 'seeds=[{seeds}]'`."
        )


def _more_arms(seen: "Seen", run: str) -> Iterator[str]:
    missing = [name for name in _wanted(seen) if name not in seen.recipe.arms]
    if missing:
        arms = ", ".join(f'"{name}"' for name in [*seen.recipe.arms, *missing])
        yield (
            f"add {words.listing(missing)}, to tell many ways from other causes: "
            f"{run} --set 'arms=[{arms}]'`."
        )


def _wanted(seen: "Seen") -> list[str]:
    """The controls without which a gain may have another cause."""
    main = next((arm for arm in seen.arms if arm.name == seen.main), None)
    if main is None or main.kind.name != "heuristics" or main.ways < 2:
        return [VANILLA]
    return [VANILLA, "star", f"matched-{main.ways}"]
