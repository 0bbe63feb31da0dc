"""Sampling with transformers: any Hugging Face causal LM on a CPU or one GPU."""

import gc
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import Any, Literal, Self

import torch

from manyways.checkpoints import load_model, load_tokenizer, pick_device, stop_ids
from manyways.engines import Completion, Ended, Event, Going, SampleRequest, SamplingSettings
from manyways.engines.decoding import Decoder, Sampled, Step, StopCheck
from manyways.engines.queueing import Waiting, in_order, queue, windows
from manyways.errors import ModelError
from manyways.progress import say
from manyways.recipe.engines import ModelConfig
from manyways.records import Message
from manyways.rendering import StopStrings, render

SHARE = 0.5
"""Share of the free memory that a batch may take. Activations and other programs need the rest."""
ROWS = {"cpu": 128, "other": 512}
"""The most attempts in a batch, at about 1,000 tokens each. More do not make a device faster."""
LEAST, MOST = 1024, 1 << 20


def batch_tokens(model: Any) -> int:  # noqa: ANN401
    """Tokens of prompts and attempts to hold in one batch of ``model`` where it is now."""
    device = model.device
    rows = ROWS["cpu" if device.type == "cpu" else "other"]
    fit = int(SHARE * free_bytes(device) / max(1, bytes_a_token(model)))
    return max(LEAST, min(fit, rows * 1024, MOST))


def bytes_a_token(model: Any) -> int:  # noqa: ANN401
    """Bytes of one token's keys and values in all layers, twice: a cache that grows is copied."""
    config = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return int(2 * 2 * config.num_hidden_layers * heads * width * model.dtype.itemsize)


def free_bytes(device: torch.device) -> int:
    """Bytes that are free on the device. For a CPU, those that are free on the machine."""
    if device.type == "cpu":
        import psutil

        return int(psutil.virtual_memory().available)
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory())
    free, _ = getattr(torch, device.type).mem_get_info(device)
    return int(free)


def out_of_memory(error: Exception) -> bool:
    """Whether an error means that memory did not suffice. On a CPU only its text says so."""
    text = str(error).lower()
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError)
        and ("not enough memory" in text or "can't allocate memory" in text)
    )


def free_memory() -> None:
    """Return the accelerator's cached memory to the system."""
    gc.collect()
    if torch.accelerator.is_available():
        torch.accelerator.memory.empty_cache()


class Sampler:
    """Samples with ``decoder`` in batches of at most ``size`` tokens (``auto``: what fits)."""

    def __init__(self, decoder: Decoder, size: int | Literal["auto"]) -> None:
        self.decoder, self._size = decoder, size

    @property
    def size(self) -> int:
        """The most tokens of prompts and attempts in one batch."""
        if self._size == "auto":
            self._size = batch_tokens(self.decoder.model)
        return self._size

    def steps(
        self, waiting: deque[Waiting], settings: SamplingSettings, stop: StopCheck | None = None
    ) -> Iterator[Step]:
        """Run passes until nothing waits. When memory does not suffice, halve the batch and go on.

        Raises ModelError when not even one attempt fits, or the model's output is broken.
        """
        while waiting:
            try:
                yield from self.decoder.steps(waiting, settings, stop, batch_tokens=self.size)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                self._halve(max(len(one.prompt) for one in waiting) + settings.max_tokens, error)

    def _halve(self, least: int, error: Exception) -> None:
        if self.size <= least:
            raise ModelError(
                f"one attempt of up to {least} tokens does not fit the memory: lower max_tokens, "
                "or take a smaller model or dtype."
            ) from error
        self._size = max(least, self.size // 2)
        say(
            "memory does not suffice for so many attempts at once: going on with batches of "
            f"{self._size} tokens."
        )
        free_memory()


SEEDS = "honoured: an attempt's text follows from its seed, up to ties in floating point"


class TransformersEngine:
    """One checkpoint, ready to sample.

    The noise of an attempt depends on its seed alone (``engines.decoding``), so:

    - the same requests in the same order give byte-identical texts (same machine and versions);
    - an attempt sampled alone, or in another batch, gets the same text *up to floating-point ties*:
      logits differ in the last digits between batch shapes. When a seed's number lies that close
      to the boundary between two tokens, the other token is taken. Measured with a small model,
      texts of about 24 tokens, batches of 270 and of 16 attempts: 600 of 600 texts were equal in
      float32 and 582 of 600 in bfloat16. Longer texts differ more often.

    Raises ModelError when the checkpoint cannot be loaded.
    """

    reads_ahead = True

    def __init__(self, path: str, model_config: ModelConfig) -> None:
        device = pick_device(model_config.device)
        self._tokenizer: Any = load_tokenizer(path, model_config.chat_template_kwargs)
        model: Any = load_model(
            path, dtype=model_config.dtype, device=device, how=model_config.load
        )
        self._take(model, model_config)

    @classmethod
    def over(cls, model: Any, tokenizer: Any, model_config: ModelConfig) -> Self:  # noqa: ANN401
        """An engine on a model that is in memory already, for example in training.

        ``model`` must be in evaluation mode. The engine does not change it.
        """
        # Not by the constructor, which loads a model from disk.
        engine = cls.__new__(cls)
        engine._tokenizer = tokenizer
        engine._take(model, model_config)
        return engine

    def _take(self, model: Any, model_config: ModelConfig) -> None:  # noqa: ANN401
        eos = stop_ids(model, self._tokenizer)
        decoder = Decoder(
            model=model,
            eos=torch.tensor(eos, device=model.device),
            pad=self._tokenizer.pad_token_id or 0,
        )
        self._sampler: Sampler | None = Sampler(decoder, model_config.batch_tokens)
        text_config = model.config.get_text_config()
        self._context: int | None = getattr(text_config, "max_position_embeddings", None)

    def sample(
        self, requests: Iterable[SampleRequest], settings: SamplingSettings
    ) -> Iterator[list[Completion]]:
        """See ``Engine.sample``. Raises the errors of ``stream``."""
        return in_order(lambda read: self.stream(read, settings), requests)

    def stream(
        self, requests: Iterable[SampleRequest], settings: SamplingSettings
    ) -> Generator[Event]:
        """Yield events as attempts end; see ``Engine.stream``.

        Requests are read one window (``queueing.WINDOW`` attempts) at a time.

        Raises DataError when a prompt and its completion do not fit the model's context, ModelError
        when the model's output is broken or not even one attempt fits the memory.
        """
        stop = StopStrings(self._tokenizer, settings.stop) if settings.stop else None
        before = 0
        for window in windows(requests):
            prompts = [self._encode(request.messages, settings) for request in window]
            places = [
                (before + number, place)
                for number, request in enumerate(window)
                for place in range(len(request.seeds))
            ]
            waiting = queue(prompts, [request.seeds for request in window])
            for step in self._open_sampler().steps(waiting, settings, stop):
                for row, sampled in step.ended.items():
                    number, place = places[row]
                    completion = self._completion(sampled, stop)
                    yield Ended(request=number, place=place, completion=completion)
                yield Going(running=len(step.running), begun=step.begun, tokens=step.tokens)
            before += len(window)

    def facts(self) -> Mapping[str, str | int]:
        """What a stamp keeps of this engine; see ``Engine.facts``."""
        model = self._open_sampler().decoder.model
        return {
            "engine": "transformers",
            "seeds": SEEDS,
            "tokens": "counted, EOS included",
            "dtype": str(model.dtype).removeprefix("torch."),
            "device": model.device.type,
        }

    def close(self) -> None:
        """Free the model; the engine cannot be used afterwards."""
        self._sampler = None
        free_memory()

    @property
    def batch_tokens(self) -> int:
        """The most tokens of prompts and attempts in one batch."""
        return self._open_sampler().size

    def _open_sampler(self) -> Sampler:
        if self._sampler is None:
            raise ModelError("this engine was closed: open another one to sample again.")
        return self._sampler

    def _encode(self, messages: tuple[Message, ...], settings: SamplingSettings) -> tuple[int, ...]:
        return render(
            self._tokenizer, messages, max_tokens=settings.max_tokens, context=self._context
        )

    def _completion(self, sampled: Sampled, stop: StopStrings | None) -> Completion:
        text = self._tokenizer.decode(
            sampled.tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        text, stopped = stop.trim(text) if stop else (text, False)
        return Completion(
            text=text,
            finish="stop" if sampled.ended or stopped else "length",
            prompt_tokens=sampled.prompt_tokens,
            tokens=len(sampled.tokens),
        )
