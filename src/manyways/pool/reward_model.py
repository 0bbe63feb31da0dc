"""Adherence by a reward model: any Hugging Face sequence classifier with one logit (Skywork style).

The model reads the chat [user: the heuristic's instruction and the question, assistant: the
solution] in its own chat template. Its logit says how good the answer is for that request. A logit
has no unit and no zero, so selection uses its rank among the attempts of one cell.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from manyways.checkpoints import BASE_MODEL_TEMPLATE, load_tokenizer, pick_device
from manyways.errors import ModelError
from manyways.heuristics import PromptFormat
from manyways.pool.adherence import Opinion
from manyways.pool.scorers import Case
from manyways.progress import Meter

TOO_LONG = "longer than the reward model's context"
WINDOW = 256
"""Chats that are tokenised and sorted by length together: bounds the memory for many cases."""


class RewardModel:
    """A loaded reward model; a ``Scorer``.

    Raises ModelError when ``path`` is not a reward model with one logit and a chat template.
    """

    ranks = True

    def __init__(self, path: str, *, dtype: str, device: str, batch_tokens: int) -> None:
        """``batch_tokens``: the most tokens of a batch, padding included."""
        self._device = pick_device(device)
        self._batch_tokens = batch_tokens
        self._tokenizer: Any = load_tokenizer(path)
        if self._tokenizer.chat_template == BASE_MODEL_TEMPLATE:
            raise ModelError(
                f"the reward model '{path}' has no chat template, so nobody knows in which form it "
                "was trained to read: choose one whose tokenizer has a template."
            )
        self._model: Any = _load(path, dtype).to(self._device).eval()
        config = self._model.config.get_text_config()
        self._pads = config.pad_token_id is not None
        self._context: int | None = getattr(config, "max_position_embeddings", None)
        self._prompts = PromptFormat()

    def opinions(self, cases: Sequence[Case]) -> Iterator[tuple[int, Opinion]]:
        """The logit of each case; no value for a chat that does not fit the model's context."""
        with Meter("adherence by reward-model", total=len(cases), unit="attempts") as meter:
            for start in range(0, len(cases), WINDOW):
                ids = [self._encode(case) for case in cases[start : start + WINDOW]]
                for rows in self._batches(ids):
                    logits = self._logits([ids[row] for row in rows])
                    for row, logit in zip(rows, logits, strict=True):
                        yield start + row, Opinion(value=logit)
                    meter.advance(len(rows))
                for row in (row for row, own in enumerate(ids) if not self._fits(own)):
                    yield start + row, Opinion(value=None, note=TOO_LONG)
                    meter.advance(1)

    def close(self) -> None:
        """Free the model; it cannot be used afterwards."""
        self._model = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _encode(self, case: Case) -> list[int]:
        asked = self._prompts.under(case.heuristic, case.question, shots=0)
        turns = [{"role": message.role, "content": message.content} for message in asked]
        turns.append({"role": "assistant", "content": case.text})
        text = self._tokenizer.apply_chat_template(turns, tokenize=False)
        # The template writes BOS itself where the model wants one.
        ids: list[int] = self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return ids

    def _fits(self, ids: Sequence[int]) -> bool:
        return len(ids) <= (self._context or len(ids))

    def _batches(self, ids: Sequence[list[int]]) -> Iterator[list[int]]:
        """Batches of indices of chats that fit the context, sorted by length."""
        fits = [row for row, own in enumerate(ids) if self._fits(own)]
        batch: list[int] = []
        for row in sorted(fits, key=lambda row: (len(ids[row]), row)):
            if batch and (len(batch) + 1) * len(ids[row]) > self._batch_tokens:
                yield batch
                batch = []
            batch.append(row)
        if batch:
            yield batch

    def _logits(self, batch: Sequence[list[int]]) -> list[float]:
        """Logits of one batch, padded on the right as the classifier's head expects."""
        pad = self._padding(batch)
        width = max(map(len, batch))
        ids = torch.full((len(batch), width), pad)
        mask = torch.zeros((len(batch), width), dtype=torch.long)
        for row, own in enumerate(batch):
            ids[row, : len(own)] = torch.tensor(own)
            mask[row, : len(own)] = 1
        try:
            with torch.inference_mode():
                output = self._model(
                    input_ids=ids.to(self._device), attention_mask=mask.to(self._device)
                )
        except torch.cuda.OutOfMemoryError as error:
            raise ModelError(
                f"{len(batch)} texts do not fit the GPU's memory beside the reward model: lower "
                f"model.batch_tokens (now {self._batch_tokens})."
            ) from error
        logits: list[float] = output.logits[:, 0].float().tolist()
        return logits

    def _padding(self, batch: Sequence[list[int]]) -> int:
        """The padding token. The head takes the last other token as the end of a text.

        A model without one cannot be batched. EOS in its place would hide the EOS that ends a text,
        so the padding token is then one that no text of the batch holds.
        """
        config = self._model.config.get_text_config()
        if not self._pads:
            used = {token for own in batch for token in own}
            config.pad_token_id = next(t for t in range(len(used) + 1) if t not in used)
        return int(config.pad_token_id)


def _load(path: str, dtype: str) -> PreTrainedModel:
    try:
        loaded: Any = AutoModelForSequenceClassification.from_pretrained(
            path, dtype=dtype, output_loading_info=True, trust_remote_code=False
        )
    except (OSError, ValueError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(f"cannot load a reward model from '{path}': {first}") from error
    model, info = loaded
    if info["missing_keys"]:
        # transformers would load a language model, too, with random numbers as its head.
        raise ModelError(
            f"'{path}' is no reward model: its weights lack {sorted(info['missing_keys'])[0]}. "
            "Give a sequence classifier with one label, such as a Skywork reward model."
        )
    if model.config.num_labels != 1:
        raise ModelError(
            f"'{path}' has {model.config.num_labels} labels; a reward model has one logit."
        )
    reward_model: PreTrainedModel = model
    return reward_model
