"""How the evaluated attempts were sampled: scores move with any of these."""

from collections.abc import Mapping

from manyways.recipe.pool import PromptConfig, VerifyConfig
from manyways.recipe.section import Section, defaults_of
from manyways.recipe.tree import EvaluateConfig
from manyways.reporting import words
from manyways.reporting.blocks import Table
from manyways.reporting.source import Source
from manyways.stamps import Stamp

SETTINGS = ("temperature", "top_p", "max_tokens")
VERSIONS = ("manyways", "transformers", "vllm", "torch", "math-verify")


def table(source: Source) -> Table | None:
    """One row per way of sampling, with the evaluations that were done so; None without any."""
    ways: dict[tuple[str, ...], list[str]] = {}
    for stamp in source.stamps:
        if stamp.work.startswith("evaluate/"):
            ways.setdefault(_row(stamp), []).append(stamp.work.removeprefix("evaluate/"))
    if not ways:
        return None
    return Table(
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


def _settings(stamp: Stamp, name: str, section: type[Section]) -> Mapping[str, object]:
    """A stamp holds the keys that differ from their default."""
    given = stamp.identity.get(name)
    return {**defaults_of(section), **given} if isinstance(given, dict) else {}


def _which(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{len(names)}, the first {names[0]}"
