"""RL by verl: its table, and what of a recipe verl cannot honour."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from manyways.recipe.section import Extra, Positive, Section, Share

if TYPE_CHECKING:
    from manyways.recipe.rl import RLConfig

LOSSES = {"dapo": "token-mean", "grpo": "seq-mean-token-mean", "dr_grpo": "seq-mean-token-sum-norm"}
"""Our ``rl.loss_type`` -> verl's ``loss_agg_mode``."""


class VerlConfig(Section):
    """RL with verl, in a Python environment of its own.

    It uses ``nodes`` x ``gpus_per_node`` GPUs.
    """

    python: str
    """The Python interpreter of that environment."""

    nodes: Positive = 1
    """Number of machines."""

    gpus_per_node: Positive = 1
    """GPUs per machine."""

    prompt_tokens: Positive = 1024
    """Longest prompt, in tokens. Problems with a longer prompt are left out."""

    tokens_per_gpu: Positive = 16384
    """Tokens in one forward pass on a GPU, if ``rl.micro_batch`` is not given."""

    tensor_parallel: Positive = 1
    """GPUs over which vLLM splits one copy of the model."""

    gpu_memory: Share = 0.5
    """Share of the memory of a GPU that vLLM takes."""

    extra: Extra = Field(default_factory=dict)
    """Further hydra overrides, as ``"trainer.balance_batch" = false`` or in tables."""

    @property
    def overrides(self) -> dict[str, object]:
        """``extra`` as hydra has it: the path of each value with dots, lists as they are."""
        return dict(_paths("", self.extra))


def _paths(path: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _paths(f"{path}.{key}" if path else key, inner)
    elif path:
        yield path, value


def check_verl(rl: "RLConfig") -> None:
    """Raise ValueError naming every setting of ``rl`` that verl cannot honour."""
    if rl.verl is None:
        raise ValueError(
            "backend = 'verl' needs the table [rl.verl] with python, the interpreter of an "
            "environment in which verl is installed (docs/scale.md)"
        )
    mistakes = [*_not_known_to_verl(rl), *_not_divisible(rl, rl.verl)]
    if mistakes:
        raise ValueError("; ".join(mistakes))


def _not_known_to_verl(rl: "RLConfig") -> list[str]:
    rules = (
        (
            rl.loss_type not in LOSSES,
            f"loss_type = '{rl.loss_type}': verl knows {', '.join(LOSSES)}",
        ),
        (
            rl.scale_rewards == "batch",
            "scale_rewards = 'batch': verl knows only 'group' and 'none'",
        ),
        (rl.lora is not None, "lora: not with verl, whose merger leaves adapters apart"),
        (bool(rl.extra), "extra goes to TRL: settings of verl stand in rl.verl.extra"),
    )
    return [sentence for broken, sentence in rules if broken]


def _not_divisible(rl: "RLConfig", verl: VerlConfig) -> list[str]:
    """What verl's ``validate_config`` and its batching would refuse once all is loaded."""
    gpus, attempts = verl.nodes * verl.gpus_per_node, rl.prompts_per_step * rl.group_size
    share, longest = attempts // gpus, verl.prompt_tokens + rl.max_tokens
    micro = rl.micro_batch
    rules = (
        (
            attempts % gpus > 0,
            f"prompts_per_step x group_size = {attempts} attempts are not divisible by verl's "
            f"{gpus} GPUs (verl.nodes x verl.gpus_per_node)",
        ),
        (
            micro is not None and attempts % gpus == 0 and share % micro > 0,
            f"micro_batch = {micro}: it must divide {share}, the attempts of a step on one GPU",
        ),
        (
            micro is None and verl.tokens_per_gpu < longest,
            f"verl.tokens_per_gpu = {verl.tokens_per_gpu}: one attempt may have {longest} tokens "
            "(verl.prompt_tokens + max_tokens)",
        ),
        (
            gpus % verl.tensor_parallel > 0,
            f"verl.tensor_parallel = {verl.tensor_parallel}: it must divide verl's {gpus} GPUs",
        ),
    )
    return [sentence for broken, sentence in rules if broken]
