"""LoRA through peft: the recipe's table becomes its config; adapters become plain weights."""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from manyways.errors import RecipeError
from manyways.recipe.training import LoraConfig

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def check(lora: LoraConfig | None, section: str) -> None:
    """Raises RecipeError when the recipe wants LoRA and peft is not installed."""
    if lora is not None and find_spec("peft") is None:
        raise RecipeError(
            f"{section}.lora needs the package peft, which is not installed: "
            "pip install 'manyways[peft]' (or remove the table)."
        )


def peft_config(lora: LoraConfig | None, section: str) -> Any:  # noqa: ANN401
    """What TRL takes as ``peft_config``: None, or a ``peft.LoraConfig``.

    TRL sets its seed before it makes the adapters, which begin at random.

    Raises RecipeError when peft is not installed.
    """
    if lora is None:
        return None
    check(lora, section)
    import peft

    targets = lora.target_modules
    return peft.LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=targets if isinstance(targets, str) else list(targets),
        task_type="CAUSAL_LM",
    )


def merged(model: Any) -> "PreTrainedModel":  # noqa: ANN401
    """The transformers model itself, with adapters, if it has any, added into its weights."""
    if hasattr(model, "merge_and_unload"):
        model = model.merge_and_unload()
    return model
