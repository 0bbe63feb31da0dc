"""What the report says of the run itself, beside what was measured: how, from what, how far."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from manyways.arms import Arm
from manyways.fingerprint import fingerprint
from manyways.measures.benchmarks import SEEDS_FOR_T
from manyways.recipe.pool import PromptConfig, VerifyConfig
from manyways.recipe.section import Section, defaults_of
from manyways.recipe.tree import EvaluateConfig, Recipe
from manyways.reporting import words
from manyways.reporting.blocks import Block, Code, Note, Table
from manyways.run_dir import Stamp

if TYPE_CHECKING:
    from manyways.measures.seen import Seen


SETTINGS = ("temperature", "top_p", "max_tokens")
VERSIONS = ("manyways", "transformers", "vllm", "torch", "math-verify")


def provenance(seen: "Seen") -> list[Block]:
    """Model, lineage, versions, hashes, recipe."""
    recipe = seen.recipe
    run = Table(
        caption="The run",
        head=("", ""),
        rows=(
            ("run", seen.name),
            ("base model", recipe.model.path),
            ("heuristic pack", f"{recipe.heuristics.pack}, first {recipe.heuristics.count}"),
            ("labeller of steps", recipe.heuristics.labeller),
            ("problems", ", ".join([f"{recipe.generate.problems} (data)", *_of_rl(recipe)])),
            ("benchmarks", ", ".join(recipe.benchmarks) or "none"),
            ("arms", ", ".join(recipe.arms)),
            ("training seeds", ", ".join(map(str, recipe.seeds))),
        ),
    )
    lineage = Note(kind="finding", sentences=tuple(_lineage(recipe)))
    blocks: list[Block] = [run, lineage, *_stamps(seen)]
    blocks.append(Code(caption="The recipe, every default spelled out", text=seen.recipe_text))
    return blocks


def _of_rl(recipe: Recipe) -> list[str]:
    return [f"{recipe.rl.problems} (RL)"] if recipe.rl.there else []


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
        f"These results are about {recipe.model.path} on {asked}; they do "
        "not show what another model or other problems would do.",
        *([luck] if seeds >= SEEDS_FOR_T else []),
        *([_length(recipe)] if recipe.midtrain.there else []),
        f"Steps are labelled by '{recipe.heuristics.labeller}'; its errors enter every composition "
        "and switch rate.",
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
    """One row per way of sampling, with the evaluations that were done so; nothing without any."""
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


def _settings(stamp: Stamp, name: str, section: type[Section]) -> Mapping[str, object]:
    """A stamp holds the keys that differ from their default."""
    given = stamp.identity.get(name)
    return {**defaults_of(section), **given} if isinstance(given, dict) else {}


def _which(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{len(names)}, the first {names[0]}"
