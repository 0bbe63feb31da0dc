"""The sections of the report in reading order: titles, what each begins and ends with."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from manyways.measures import first_screen, frame, verdict
from manyways.measures.costs import total
from manyways.measures.measure import Kind, Measure
from manyways.reporting.blocks import Block, Fold, Note, Section

if TYPE_CHECKING:
    from manyways.measures.seen import Seen

Blocks = Callable[["Seen"], Iterable[Block]]


def _nothing(_: "Seen") -> Iterable[Block]:
    return ()


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """A section. ``first``, ``last``: its blocks before and after those of the measures.

    folded: under this title, all but the notes that come first.

    intro explains it to a student in one or two sentences.
    """

    id: str
    title: str
    intro: Callable[["Seen"], str]
    first: Blocks = _nothing
    last: Blocks = _nothing
    folded: str = ""
    question: str = ""
    tags: Callable[["Seen"], tuple[str, ...]] = lambda _: ()

    def section(self, seen: "Seen", measures: Sequence[Measure[Any]]) -> Section:
        """With what the measures show here, in their order."""
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
        )


def _below(blocks: tuple[Block, ...], title: str) -> tuple[Block, ...]:
    """The notes that come first, and the rest on demand."""
    notes = tuple(takewhile(lambda block: isinstance(block, Note), blocks))
    rest = blocks[len(notes) :]
    return (*notes, Fold(title=title, blocks=rest)) if rest else notes


def answer(seen: "Seen") -> str:
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
    shown = verdict.ways_or_heuristics(list(verdict.controls(seen)), seen)
    more = tuple(sentence for sentence in seen.said("main")[1:] if sentence != shown)
    return [Note(kind="finding", sentences=more)] if more else []


def _costs(seen: "Seen") -> str:
    return f"Where the time and the tokens of this run went. {total(seen)}".rstrip()


CHAPTERS = (
    Chapter(
        id="answer",
        title="Did learning many ways help RL here?",
        intro=answer,
        first=first_screen.blocks,
        question=first_screen.QUESTION,
        tags=first_screen.tags,
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
        last=frame.sampling,
    ),
    Chapter(
        id="why",
        title="Why",
        intro=_text(
            "RL can only strengthen what a model already tries. Here we look at which "
            "heuristics its solutions use, and whether one solution combines several: that is "
            "what mid-training on many ways is meant to make possible."
        ),
        first=_findings("mechanism"),
    ),
    Chapter(
        id="data",
        title="The data",
        intro=_text(
            "The pool was written by the base model itself: it was asked to solve each problem "
            "under each heuristic, a verifier judged the answers, and the correct ones that "
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
        first=frame.cautions,
    ),
    Chapter(
        id="provenance",
        title="Provenance",
        intro=_text(
            "Everything needed to make this report again: the recipe, the versions, and a hash "
            "for each piece of work over all that it depends on."
        ),
        first=frame.provenance,
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
