"""Train the base model from random weights: an ordinary transformers run on the base corpus.

A token is a whole word or a single digit, with or without a leading space.
"""

import json
import random
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import IterableDataset

from manyways.errors import StageError
from manyways.pocket.corpus import CorpusMix, Document, Prompts, documents, every_text
from manyways.records import Heuristic

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast


PATTERN = r" ?\\boxed\{| ?\d| ?[A-Za-z]+| ?[^\sA-Za-z\d]|\n"
"""One token, as a regular expression. A digit with a leading space begins a number."""

SPECIAL = {
    "unk_token": "<|unk|>",
    "pad_token": "<|pad|>",
    "bos_token": "<|bos|>",
    "eos_token": "<|eos|>",
}
ROLES = ("<|system|>", "<|user|>", "<|assistant|>")

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}"
    "{% if m['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)

EXTRA = "Put your final answer within \\boxed{}."
"""The usual request for a boxed answer. The vocabulary has its words; no document does."""

MAX_LENGTH = 1024

SAVE_EVERY = 250
"""A build saves a checkpoint after so many steps, to continue from if it is stopped."""


def build_tokenizer(texts: Iterable[str]) -> "PreTrainedTokenizerFast":
    """A fast tokenizer with every token of ``texts``, sorted. It encodes these without loss."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    splitter = pre_tokenizers.Split(Regex(PATTERN), behavior="isolated")
    words = {token for text in (*texts, EXTRA) for token, _ in splitter.pre_tokenize_str(text)}
    words |= {space + digit for digit in "0123456789" for space in ("", " ")}
    vocabulary = [*SPECIAL.values(), *ROLES, *sorted(words)]
    backend = Tokenizer(
        models.WordLevel({word: i for i, word in enumerate(vocabulary)}, SPECIAL["unk_token"])
    )
    backend.pre_tokenizer = splitter
    backend.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        **SPECIAL,
        additional_special_tokens=list(ROLES),
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
        model_max_length=MAX_LENGTH,
        padding_side="left",
    )


WINDOW = 4
"""So many batches of documents are sorted by length together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildSettings:
    """The size of the model, and how it is trained.

    steps:   optimizer steps.
    batch:   documents per step.
    micro:   documents per forward pass; gradients are accumulated over a batch. ``micro`` times
             the number of processes must divide ``batch``.
    spread:  standard deviation of the initial weights.
    beta2:   of AdamW.
    rate:    the highest learning rate.
    layers, hidden, inner: of the Llama model; heads have 32 dimensions.
    workers: processes that prepare documents; 0: the training process prepares them.
    """

    seed: int = 0
    steps: int = 2400
    batch: int = 64
    micro: int = 8
    spread: float = 0.06
    beta2: float = 0.98
    rate: float = 2e-3
    layers: int = 4
    hidden: int = 128
    inner: int = 512
    workers: int = 0
    mix: CorpusMix = field(default_factory=CorpusMix)


class BaseCorpus(IterableDataset[dict[str, list[int]]]):
    """Base documents as tokens, in pieces of similar length, so that there is little padding.

    ``WINDOW`` batches of documents are sorted by length and cut into pieces. Each batch of a step
    then gets one piece of every length: this model does not learn from batches of one length,
    because these hold one sort of document. Long and short pieces take turns, so that two processes
    that share them have equal work. ``labels`` are -100 on the prompt: the model learns solutions,
    not questions.
    """

    def __init__(
        self,
        pack: Sequence[Heuristic],
        prompts: Prompts,
        tokenizer: "PreTrainedTokenizerFast",
        settings: BuildSettings,
    ) -> None:
        self.pack, self.prompts = pack, prompts
        self.tokenizer, self.settings = tokenizer, settings

    def __iter__(self) -> Iterator[dict[str, list[int]]]:
        """Endless; the same sequence every time."""
        batch, micro = self.settings.batch, self.settings.micro
        rng = random.Random(f"pieces/{self.settings.seed}")
        stream = documents(self.pack, self.prompts, seed=self.settings.seed, mix=self.settings.mix)
        while True:
            rows = self._rows(list(islice(stream, WINDOW * batch)))
            rows.sort(key=lambda row: len(row["input_ids"]))
            pieces = [rows[start : start + micro] for start in range(0, len(rows), micro)]
            bands = [pieces[start : start + WINDOW] for start in range(0, len(pieces), WINDOW)]
            for band in bands:
                rng.shuffle(band)
            for step in zip(*bands, strict=True):
                turns = [*step[::2], *reversed(step[1::2])]
                yield from (row for piece in turns for row in piece)

    def _rows(self, batch: list[Document]) -> list[dict[str, list[int]]]:
        heads = [
            self.tokenizer.apply_chat_template(
                [{"role": turn.role, "content": turn.content} for turn in document.prompt],
                tokenize=False,
                add_generation_prompt=True,
            )
            for document in batch
        ]
        tails = [document.solution + str(self.tokenizer.eos_token) for document in batch]
        head_ids = self.tokenizer(heads, add_special_tokens=False)["input_ids"]
        tail_ids = self.tokenizer(tails, add_special_tokens=False)["input_ids"]
        return [
            {"input_ids": head + tail, "labels": [-100] * len(head) + tail}
            for head, tail in zip(head_ids, tail_ids, strict=True)
        ]


Training = Callable[[Any, Path], None]
"""Runs a transformers Trainer, from the newest whole checkpoint in the folder if it has one."""

CHECKPOINTS = "checkpoints"
"""A folder in the output. A build that was stopped continues from its checkpoints."""


def build(
    out: Path,
    *,
    pack: Sequence[Heuristic],
    prompts: Prompts,
    settings: BuildSettings,
    command: str,
    train: Training,
) -> float:
    """Train and save the base checkpoint to the folder ``out``; returns the final loss.

    The folder is an ordinary Hugging Face checkpoint with weights in bfloat16. Its ``build.json``
    says how it was made. The same settings give the same weights on the same machine with the same
    number of processes, also if the build was stopped and continued. Under torchrun all processes
    train together and the first one saves.

    Raises StageError if ``out`` holds an unfinished build with other settings.
    """
    from transformers import set_seed

    set_seed(settings.seed)
    tokenizer = build_tokenizer(every_text(pack, prompts, mix=settings.mix))
    model = new_model(tokenizer, settings)
    begun = out / CHECKPOINTS
    trainer = _trainer(model, BaseCorpus(pack, prompts, tokenizer, settings), settings, begun)
    facts = _facts(settings, command=command, processes=trainer.args.world_size)
    if trainer.is_world_process_zero():
        _begin(begun, facts)
    train(trainer, begun)
    loss = [row["loss"] for row in trainer.state.log_history if "loss" in row][-1]
    if trainer.is_world_process_zero():
        model.to(device="cpu", dtype=torch.bfloat16).save_pretrained(out)
        tokenizer.save_pretrained(out)
        _write_json(out / "build.json", {**facts, "final_loss": round(loss, 4)})
        shutil.rmtree(begun)
    return float(loss)


def _begin(begun: Path, facts: Mapping[str, Any]) -> None:
    """Write the facts of the build, or compare them with those of an unfinished build here."""
    noted = begun / "build.json"
    if not noted.is_file():
        begun.mkdir(parents=True, exist_ok=True)
        _write_json(noted, facts)
    elif json.loads(noted.read_text(encoding="utf-8")) != json.loads(json.dumps(facts)):
        raise StageError(
            f"{begun} holds an unfinished build with other settings: see {noted}. Delete that "
            "folder, or give another --out."
        )


def new_model(tokenizer: "PreTrainedTokenizerFast", settings: BuildSettings) -> "LlamaForCausalLM":
    """An untrained Llama of this size, with the special tokens of ``tokenizer``."""
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

    ids = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=settings.hidden,
            intermediate_size=settings.inner,
            num_hidden_layers=settings.layers,
            num_attention_heads=settings.hidden // 32,
            max_position_embeddings=MAX_LENGTH,
            tie_word_embeddings=True,
            initializer_range=settings.spread,
            **ids,
        )
    )
    model.generation_config = GenerationConfig(do_sample=True, **ids)
    return model


def _trainer(
    model: "LlamaForCausalLM", corpus: BaseCorpus, settings: BuildSettings, folder: Path
) -> Any:  # noqa: ANN401 - transformers is untyped here
    from accelerate import PartialState
    from transformers import Trainer, TrainingArguments

    processes = PartialState(cpu=not torch.cuda.is_available()).num_processes
    pad = int(corpus.tokenizer.pad_token_id)

    def collate(rows: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        longest = max(len(row["input_ids"]) for row in rows)
        ids = [row["input_ids"] + [pad] * (longest - len(row["input_ids"])) for row in rows]
        labels = [row["labels"] + [-100] * (longest - len(row["labels"])) for row in rows]
        return {"input_ids": torch.tensor(ids), "labels": torch.tensor(labels)}

    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=settings.steps,
        per_device_train_batch_size=settings.micro,
        gradient_accumulation_steps=settings.batch // (settings.micro * processes),
        adam_beta2=settings.beta2,
        learning_rate=settings.rate,
        lr_scheduler_type="cosine",
        warmup_steps=min(150, settings.steps // 10),
        weight_decay=0.01,
        dataloader_num_workers=settings.workers,
        dataloader_pin_memory=False,
        # Each process reads its own pieces: those of different lengths cannot be one tensor.
        accelerator_config={"dispatch_batches": False},
        ddp_find_unused_parameters=False,
        use_cpu=not torch.cuda.is_available(),
        logging_steps=min(50, settings.steps),
        save_steps=SAVE_EVERY,
        save_total_limit=2,
        report_to="none",
        seed=settings.seed,
        data_seed=settings.seed,
    )
    return Trainer(model=model, args=arguments, train_dataset=corpus, data_collator=collate)


def _facts(settings: BuildSettings, *, command: str, processes: int) -> dict[str, Any]:
    """The content of ``build.json``: how a base is made."""
    from importlib.metadata import version

    chosen = asdict(settings)
    chosen["mix"]["world"] = settings.mix.world.name
    return {
        "command": command,
        "settings": chosen,
        "device": "cuda" if torch.cuda.is_available() else "cpu",
        "processes": processes,
        "threads": torch.get_num_threads(),
        "versions": {name: version(name) for name in ("torch", "transformers", "tokenizers")},
    }


def _write_json(path: Path, facts: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
