"""The next-token distribution of a checkpoint where solutions of one problem diverge.

It is computed from the logits of any Hugging Face causal LM. Nothing is sampled.
Shapes: _V vocabulary.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from manyways.checkpoints import load_model, load_tokenizer, pick_device
from manyways.engines.decoding import not_a_number
from manyways.recipe.engines import ModelConfig
from manyways.records import Message
from manyways.rendering import render

LIKELY = 0.05
"""A token with more probability than this counts as likely."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fork:
    """A prompt and several solutions of it, which diverge somewhere.

    Example: ``Fork(messages=(Message(role="user", content="What is 3 * 14?"),),
    texts=("Split 14: ...", "A figure shows it: ..."))``.
    """

    messages: tuple[Message, ...]
    texts: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class NextToken:
    """The distribution of the token at which a fork's texts diverge, at temperature 1.

    entropy: entropy in nats.
    above:   number of tokens that are more probable than ``LIKELY``.
    known:   total probability of the tokens with which the texts continue.
    shared:  number of tokens before it that the texts have in common, without the prompt's.
    """

    entropy: float
    above: int
    known: float
    shared: int


def next_tokens(
    path: str, config: ModelConfig, forks: Sequence[Fork]
) -> Iterator[NextToken | None]:
    """Yield one for each fork in order; None if one of its texts is the beginning of another.

    Forks are read one by one, because padding would change the logits of some models.

    Raises ModelError when the checkpoint cannot be loaded or its output is not a number, DataError
    when a text does not fit its context.
    """
    device = pick_device(config.device)
    tokenizer = load_tokenizer(path, config.chat_template_kwargs)
    model = load_model(path, dtype=config.dtype, device=device, how=config.load)
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    for fork in forks:
        place = divergence(tokenizer, fork, context)
        yield _look(model, place) if place else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where texts diverge.

    ids:    the common token ids, prompt included.
    shared: how many of them belong to the texts.
    follow: the different ids that follow.
    """

    ids: tuple[int, ...]
    shared: int
    follow: frozenset[int]


def divergence(tokenizer: PreTrainedTokenizerBase, fork: Fork, context: int | None) -> Place | None:
    """The first token at which two of the fork's texts differ; None when one ends before that.

    Prompt and text are tokenised together, so that no token is cut in two.
    """
    rows = [
        render(
            tokenizer,
            (*fork.messages, Message(role="assistant", content=text)),
            max_tokens=0,
            context=context,
        )
        for text in fork.texts
    ]
    same = sum(1 for _ in itertools.takewhile(lambda t: len(set(t)) == 1, zip(*rows, strict=False)))
    if len(rows) < 2 or not same or any(len(row) == same for row in rows):
        return None
    prompt = render(tokenizer, fork.messages, max_tokens=0, context=context)
    return Place(
        ids=rows[0][:same],
        shared=max(0, same - len(prompt)),
        follow=frozenset(row[same] for row in rows),
    )


@torch.inference_mode()
def _look(model: PreTrainedModel, place: Place) -> NextToken:
    ids = torch.tensor([place.ids], device=model.device)
    logits_V = model(input_ids=ids, logits_to_keep=1).logits[0, -1].double()
    log_V = torch.log_softmax(logits_V, dim=-1)
    p_V = log_V.exp()
    # A logit of -inf is a token of probability 0, which adds nothing.
    entropy = float(-(p_V * log_V.where(p_V > 0, 0.0)).sum())
    if math.isnan(entropy):
        raise not_a_number()
    return NextToken(
        entropy=max(0.0, entropy),
        above=int((p_V > LIKELY).sum()),
        known=float(p_V[sorted(place.follow)].sum()),
        shared=place.shared,
    )
