"""Every measure, and the sections of the report, both in reading order.

To add a measure: its file, and its line in ``MEASURES``. Sections also say what was not measured:
how the run was made, from what, and how far its results carry.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any, get_args

from manyways.arms import Arm
from manyways.fingerprint import fingerprint
from manyways.measures import Finding, Kind, Measure, first_screen
from manyways.measures.answer import against_controls
from manyways.measures.arms import ARMS
from manyways.measures.averages import AVERAGES, MAJORITY
from manyways.measures.benchmarks import SEEDS_FOR_T
from manyways.measures.composition import COMPOSITION
from manyways.measures.costs import COSTS, total
from manyways.measures.curves import CURVES
from manyways.measures.diversity import DIVERSITY
from manyways.measures.explorer import EXPLORER
from manyways.measures.four_cells import FOUR_CELLS
from manyways.measures.gate import GATE
from manyways.measures.labeller import LABELLER
from manyways.measures.openings import OPENINGS
from manyways.measures.paired import PAIRED
from manyways.measures.pass_at_k import PASS_AT_K
from manyways.measures.predictions import PREDICTIONS
from manyways.measures.probe import PROBE
from manyways.measures.rates import RATES
from manyways.measures.seen import FINDINGS
from manyways.measures.steps import STEPS
from manyways.measures.token_modes import TOKEN_MODES
from manyways.measures.yields import YIELD
from manyways.recipe.pool import PromptConfig, VerifyConfig
from manyways.recipe.section import Section as RecipeSection
from manyways.recipe.section import defaults_of
from manyways.recipe.tree import EvaluateConfig, Recipe
from manyways.reporting import Block, Code, Fold, Note, Section, Table, words
from manyways.run_dir import Stamp

if TYPE_CHECKING:
    from manyways.measures.seen import Seen

MEASURES: tuple[Measure[Any], ...] = (
    EXPLORER,
    YIELD,
    ARMS,
    DIVERSITY,
    PASS_AT_K,
    AVERAGES,
    MAJORITY,
    FOUR_CELLS,
    PAIRED,
    COMPOSITION,
    LABELLER,
    GATE,
    PREDICTIONS,
    OPENINGS,
    TOKEN_MODES,
    PROBE,
    STEPS,
    CURVES,
    RATES,
    COSTS,
)
"""In the order in which a section shows them and their sentences are read."""

TABLES: dict[str, type] = {measure.name: measure.row for measure in MEASURES} | {FINDINGS: Finding}
"""File stem in ``7-tables`` -> class of its rows."""


SETTINGS = ("temperature", "top_p", "max_tokens")
VERSIONS = ("manyways", "transformers", "vllm", "torch", "math-verify")


def provenance(seen: "Seen") -> list[Block]:
    """Model, lineage, versions, hashes, recipe."""
    recipe = seen.recipe
    of_rl = [f"{recipe.rl.problems} (RL)"] if recipe.rl.there else []
    run = Table(
        caption="The run",
        head=("", ""),
        rows=(
            ("run", seen.name),
            ("base model", recipe.model.path),
            ("heuristic pack", f"{recipe.heuristics.pack}, first {recipe.heuristics.count}"),
            ("labeller of steps", recipe.heuristics.labeller),
            ("problems", ", ".join([f"{recipe.generate.problems} (data)", *of_rl])),
            ("benchmarks", ", ".join(recipe.benchmarks) or "none"),
            ("arms", ", ".join(recipe.arms)),
            ("training seeds", ", ".join(map(str, recipe.seeds))),
        ),
    )
    lineage = Note(kind="finding", sentences=tuple(_lineage(recipe)))
    blocks: list[Block] = [run, lineage, *_stamps(seen)]
    blocks.append(Code(caption="The recipe, every default spelled out", text=seen.recipe_text))
    return blocks


def _lineage(recipe: Recipe) -> Iterator[str]:
    """Who wrote what the arms were trained on."""
    foreign = [arm.name for arm in recipe.parsed_arms if arm.kind.foreign]
    late = [arm.name for arm in recipe.parsed_arms if arm.round > 1]
    but = f" but {words.listing([*foreign, *late])}" if foreign or late else ""
    yield (
        f"Self-generated: every arm{but} is trained on attempts of the base model above, from one "
        "pool. The life of any problem: manyways show RUN PROBLEM."
    )
    if late:
        yield (
            f"Self-generated in rounds: each seed of {words.listing(late)} is trained on attempts "
            "of its own mid-trained checkpoint of the round before, and goes on from that."
        )
    if foreign and recipe.distill:
        model = recipe.distill.model
        source = model.path if model else f"the attempts in {recipe.distill.attempts}"
        yield f"Not self-generated: {words.listing(foreign)}, trained on {source}."


def _stamps(seen: "Seen") -> list[Block]:
    versions = {name: v for stamp in seen.stamps for name, v in stamp.versions.items()}
    blocks: list[Block] = []
    if versions:
        blocks.append(
            Table(caption="Versions", head=("package", "version"), rows=tuple(versions.items()))
        )
    if seen.stamps:
        blocks.append(
            Table(
                caption="Finished work",
                head=("work", "hash of its inputs", "written to"),
                rows=tuple(
                    (stamp.work, fingerprint(stamp.identity), ", ".join(stamp.outputs))
                    for stamp in seen.stamps
                ),
                folded=True,
            )
        )
    return blocks


def cautions(seen: "Seen") -> list[Block]:
    """Cautions of the analysis, then those that hold for every run."""
    found = seen.said("caution")
    return [Note(kind="caution", sentences=(*found, *_standing(seen)))]


def _standing(seen: "Seen") -> tuple[str, ...]:
    recipe = seen.recipe
    seeds = len(recipe.seeds)
    luck = f"{seeds} training seeds: the luck of training is known only as far as they differ."
    asked = words.listing(recipe.benchmarks or [recipe.generate.problems])
    return (
        f"These results are about {seen.model} on {asked}; they do "
        "not show what another model or other problems would do.",
        *([luck] if seeds >= SEEDS_FOR_T else []),
        *([_length(recipe)] if recipe.midtrain.there else []),
        f"The labeller '{recipe.heuristics.labeller}', no person, says which heuristic a step "
        "shows; its errors enter every composition and switch rate.",
    )


def _own_length(arm: Arm, recipe: Recipe) -> bool:
    given = recipe.arm[arm.name].midtrain if arm.name in recipe.arm else {}
    return bool(arm.steps or arm.epochs or {"steps", "epochs"} & set(given))


def _length(recipe: Recipe) -> str:
    """How long arms are mid-trained, and what that makes unequal."""
    steps = recipe.midtrain.steps
    other = [arm.name for arm in recipe.parsed_arms if _own_length(arm, recipe)]
    length = f"{steps} optimizer steps" if steps else f"{recipe.midtrain.epochs:g} epochs"
    but = f" but {words.listing(other)}, which have a length of their own," if other else ""
    unequal = (
        "arms with fewer examples see each more often"
        if steps
        else "arms with more examples take more steps"
    )
    return f"Every arm{but} is mid-trained for {length}, so {unequal}."


def sampling(seen: "Seen") -> list[Block]:
    """A table of the ways in which evaluations sampled; nothing without evaluations."""
    ways: dict[tuple[str, ...], list[str]] = {}
    for stamp in seen.stamps:
        if stamp.work.startswith("evaluate/"):
            ways.setdefault(_row(stamp), []).append(stamp.work.removeprefix("evaluate/"))
    if not ways:
        return []
    table = Table(
        caption="How the evaluated attempts were sampled",
        head=(
            "temperature", "top-p", "max tokens", "attempts", "engine", "type", "chat template",
            "instruction", "answers read", "versions", "evaluations",
        ),
        rows=tuple((*row, _which(names)) for row, names in ways.items()),
        note="Of the chat template a hash; that of the weights, configuration and tokenizer is in "
        "manifest.json for each evaluation.",
        folded=True,
    )  # fmt: skip
    return [table]


def _row(stamp: Stamp) -> tuple[str, ...]:
    settings, prompt, verify = (
        _settings(stamp, name, section)
        for name, section in (
            ("settings", EvaluateConfig), ("prompt", PromptConfig), ("verify", VerifyConfig)
        )
    )  # fmt: skip
    return (
        *(str(settings.get(name, words.NONE)) for name in SETTINGS),
        str(stamp.request.get("attempts", words.NONE)),
        str(stamp.identity.get("engine", words.NONE)),
        str(stamp.identity.get("dtype", words.NONE)),
        stamp.facts.get("chat_template", words.NONE),
        str(prompt.get("instruction") or words.NONE),
        str(verify.get("policy", words.NONE)),
        ", ".join(f"{name} {stamp.versions[name]}" for name in VERSIONS if name in stamp.versions),
    )


def _settings(stamp: Stamp, name: str, section: type[RecipeSection]) -> Mapping[str, object]:
    """All keys of a section: a stamp holds only those that differ from their default."""
    given = stamp.identity.get(name)
    return {**defaults_of(section), **given} if isinstance(given, dict) else {}


def _which(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{len(names)}, the first {names[0]}"


Blocks = Callable[["Seen"], Iterable[Block]]


def _nothing(_: "Seen") -> Iterable[Block]:
    return ()


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """A section of the report.

    intro:  explains it to a student in one or two sentences.
    first:  its blocks before those of the measures.
    last:   its blocks after those.
    folded: the title under which all blocks but the notes at the start are folded.
    """

    id: str
    title: str
    intro: Callable[["Seen"], str]
    first: Blocks = _nothing
    last: Blocks = _nothing
    folded: str = ""
    question: str = ""
    tags: Callable[["Seen"], tuple[str, ...]] = lambda _: ()
    warning: Callable[["Seen"], str] = lambda _: ""

    def section(self, seen: "Seen", measures: Sequence[Measure[Any]]) -> Section:
        """The section with what each measure shows in it, in the order of ``measures``."""
        shown = (
            block
            for measure in measures
            for chapter, blocks in measure.shown.items()
            if chapter == self.id
            for block in blocks(seen)
        )
        blocks = (*self.first(seen), *shown, *self.last(seen))
        return Section(
            id=self.id,
            title=self.title,
            intro=self.intro(seen),
            blocks=_below(blocks, self.folded) if self.folded else blocks,
            question=self.question,
            tags=self.tags(seen),
            warning=self.warning(seen),
        )


def _below(blocks: tuple[Block, ...], title: str) -> tuple[Block, ...]:
    """The notes at the start, then all other blocks folded under ``title``."""
    notes = tuple(takewhile(lambda block: isinstance(block, Note), blocks))
    rest = blocks[len(notes) :]
    return (*notes, Fold(title=title, blocks=rest)) if rest else notes


def main_sentence(seen: "Seen") -> str:
    """The main finding, or in one sentence why there is none."""
    return next(iter(seen.said("main")), "This run cannot say yet: it has not been analysed.")


def _text(*sentences: str) -> Callable[["Seen"], str]:
    return lambda _: " ".join(sentences)


def _findings(kind: Kind) -> Blocks:
    """What the measures say, as a note; nothing where they say nothing."""

    def blocks(seen: "Seen") -> Iterable[Block]:
        sentences = seen.said(kind)
        return [Note(kind="finding", sentences=sentences)] if sentences else []

    return blocks


def _beside_the_answer(seen: "Seen") -> Iterable[Block]:
    shown = set(against_controls(seen))
    more = tuple(sentence for sentence in seen.said("main")[1:] if sentence not in shown)
    return [Note(kind="finding", sentences=more)] if more else []


def _costs(seen: "Seen") -> str:
    return f"Where the time and the tokens of this run went. {total(seen)}".rstrip()


CHAPTERS = (
    Chapter(
        id="answer",
        title="Did learning many ways help RL here?",
        intro=main_sentence,
        first=first_screen.blocks,
        question=first_screen.QUESTION,
        tags=first_screen.tags,
        warning=first_screen.warning,
    ),
    Chapter(
        id="evaluation",
        title="Evaluation",
        intro=_text(
            "pass@k is the chance that at least one of k attempts at a problem is right: pass@1"
            " says how reliable a model is, large k how much it can reach at all. RL often buys"
            " the first with the second."
        ),
        first=_beside_the_answer,
        last=sampling,
    ),
    Chapter(
        id="why",
        title="Why",
        intro=_text(
            "RL can only strengthen what a model already tries. Does one solution combine "
            "heuristics, as mid-training on many ways is meant to make possible? It is composed "
            "when its steps show two or more of them (composition rate: the share of such "
            "solutions); the switch rate is how often the heuristic changes from one labelled step "
            "to the next."
        ),
        first=_findings("mechanism"),
    ),
    Chapter(
        id="data",
        title="The data",
        intro=_text(
            "The pool was written by the base model itself: it was asked to solve each problem "
            "under each heuristic, a verifier checked the answers, and the correct ones that "
            "follow their heuristic and are not near-copies were kept."
        ),
        first=_findings("data"),
    ),
    Chapter(
        id="training",
        title="Training",
        intro=_text(
            "Mid-training teaches the kept solutions; the gate checks that RL can learn from "
            "the result; RL (GRPO) then rewards correct answers. The curves show whether each "
            "of these went as it should."
        ),
        first=_findings("training"),
    ),
    Chapter(
        id="explorer",
        title="Explorer",
        intro=_text(
            "Read for yourself: each problem with many solutions side by side. A coloured edge "
            "and a tag say which heuristic a step shows; steps without one are direct."
        ),
    ),
    Chapter(id="costs", title="Costs", intro=_costs),
    Chapter(
        id="cautions",
        title="Cautions",
        intro=_text("How far these results carry, and where to be careful."),
        first=cautions,
    ),
    Chapter(
        id="provenance",
        title="Provenance",
        intro=_text(
            "Everything needed to make this report again: the recipe, the versions, and a hash "
            "for each piece of work over all that it depends on."
        ),
        first=provenance,
        folded="The run, its versions, its finished work and its recipe",
    ),
    Chapter(
        id="theory",
        folded="What can be told, row by row; what RL's attempts open with; modes",
        title="Measured beside theory",
        intro=_text(
            "A minimal model of the method says which sign each of these numbers should have; "
            "letters like D2 name its statements (docs/theory.md, manyways theory). "
            "Each was measured in this run; where the model and the measurement disagree, it "
            "says so."
        ),
    ),
)


def sections(seen: "Seen") -> list[Section]:
    """The sections of a run's report."""
    return [chapter.section(seen, MEASURES) for chapter in CHAPTERS]


def findings(seen: "Seen") -> Iterator[Finding]:
    """What all measures say, by kind."""
    said = [finding for measure in MEASURES for finding in measure.says(seen)]
    for kind in get_args(Kind):
        yield from (finding for finding in said if finding.kind == kind)
