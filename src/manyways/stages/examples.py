"""Solutions as tokens: what mid-training learns from, its loss on the solution alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from manyways.arms import Line
from manyways.errors import DataError
from manyways.progress import say
from manyways.records import Message
from manyways.stages.selection import TrainingRow
from manyways.train.handover import encode, prompt_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORE = -100
"""The label of a token without loss."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """A training row as tokens; ``labels`` is IGNORE on the prompt and ends in a stop token."""

    input_ids: list[int]
    labels: list[int]


def examples(
    rows: Sequence[TrainingRow],
    tokenizer: "PreTrainedTokenizerBase",
    ask: Callable[[TrainingRow], tuple[Message, ...]],
    end: int,
) -> list[Example]:
    """Rows as tokens: the prompt ``ask(row)`` as engines send it, the solution, the token ``end``.

    The solution is put after the *generation* prompt, where its tokens were once sampled, and not
    rendered as a turn: templates trim, rewrite, or add white space after the stop token.
    """
    made = []
    for row in rows:
        ids, prompt = prompt_ids(tokenizer, ask(row))
        whole = encode(tokenizer, prompt + row.text)
        # A tokenizer may merge across the boundary; sampling never does.
        answer = whole[len(ids) :] if whole[: len(ids)] == ids else encode(tokenizer, row.text)
        labels = [IGNORE] * len(ids) + [*answer, end]
        made.append(Example(input_ids=[*ids, *answer, end], labels=labels))
    return made


def fitting(made: Sequence[Example], max_length: int, line: Line) -> list[Example]:
    """The examples of at most ``max_length`` tokens; how many are longer is said.

    Raises DataError when none fits.
    """
    kept = [example for example in made if len(example.input_ids) <= max_length]
    longest = max(len(example.input_ids) for example in made)
    if not kept:
        raise DataError(
            f"midtrain.max_length = {max_length}: all {len(made)} examples of {line.name} are "
            f"longer (up to {longest} tokens). Raise it."
        )
    if len(kept) < len(made):
        say(
            f"midtrain {line.name}: {len(made) - len(kept)} of {len(made)} examples are longer "
            f"than midtrain.max_length = {max_length} (up to {longest} tokens) and are left out"
        )
    return kept
