"""When what a stage writes changes, its number is raised by hand: a number and its records agree.

A small run of fixed inputs goes through every stage. What is hashed is the same on every machine:
what engines are asked, verdicts of fixed texts, solutions, training rows and their tokens, settings
of trainers, keys and measured values of tables. Weights, sampled texts and intervals are not
hashed: they may differ by rounding. The report needs no number: its page is drawn anew whenever the
code that draws it changes.

After raising a number: ``PYTHONPATH=tests python tests/stages/test_formats.py`` in the repository's
root writes formats.json anew.
"""

import json
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

import made_runs
import pytest
import tiny_models
from fake_engines import GuessingEngine

from manyways import context, trust
from manyways.checkpoints import load_tokenizer
from manyways.context import Context
from manyways.engines import Completion, SampleRequest, SamplingSettings
from manyways.fingerprint import fingerprint
from manyways.measures.catalogue import TABLES
from manyways.pool.training_rows import training_rows
from manyways.recipe.section import defaults_of, section_of
from manyways.recipe.tree import Recipe
from manyways.records import BASE, PLAIN
from manyways.stages import (
    analyse,
    branch,
    evaluate,
    gate,
    generate,
    midtrain,
    preflight,
    probe,
    reinforce,
    selection,
)
from manyways.stages.midtrain import examples
from manyways.tables import read_attempts_table, read_table, write_text
from manyways.train.trl import grpo_config

FILE = Path(__file__).with_name("formats.json")
FORMATS = {
    "preflight": preflight.FORMAT,
    "verdicts": context.VERDICTS,
    "generate": generate.FORMAT,
    "select": selection.FORMAT,
    "midtrain": midtrain.FORMAT,
    "gate": gate.FORMAT,
    "rl": reinforce.FORMAT,
    "evaluate": evaluate.FORMAT,
    "probe": probe.FORMAT,
    "branch": branch.FORMAT,
    "analyse": analyse.FORMAT,
}
ARMS = ("vanilla", "star", "heuristics-2", "random", "matched-2", "wrong-2", "budget-2")
JUDGING = ["model_hash", "answer", "rule", "reason"]
"""Columns of attempts that are not looked at: the verifier's words have an entry of their own."""
TRAINED = ("vanilla", "star", "heuristics-2")
SET = (
    "max_steps", "learning_rate", "warmup_steps", "per_device_train_batch_size",
    "gradient_accumulation_steps", "lr_scheduler_type", "optim", "weight_decay", "max_grad_norm",
    "adam_beta1", "adam_beta2", "adam_epsilon", "seed", "save_steps", "max_length", "packing",
    "num_generations", "max_completion_length", "temperature", "top_p", "loss_type", "epsilon",
    "epsilon_high", "beta", "scale_rewards", "num_iterations", "steps_per_generation",
    "shuffle_dataset",
)  # fmt: skip
"""Of TRL's settings: those that change what is learned."""
JUDGED = (
    "so \\boxed{3}", "so \\boxed{ 3.0 }", "\\boxed{4}", "#### 3", "The answer is 3.", "three", "",
    "\\boxed{\\frac{6}{2}}", "\\boxed{2+1}",
    "first \\boxed{4}, no: \\boxed{3}", "\\boxed{3 apples}",
)  # fmt: skip


class Fixed(GuessingEngine):
    """Texts by the seed alone; keeps what it is asked."""

    asked: list[object] = []  # noqa: RUF012  one list for all engines

    def sample(
        self, requests: Iterable[SampleRequest], settings: SamplingSettings
    ) -> Iterator[list[Completion]]:
        for request in requests:
            words = [[message.role, message.content] for message in request.messages]
            self.asked.append([words, list(request.seeds), asdict(settings)])
            said = " ".join(content for _, content in words)
            way = re.findall(r"<(\w+)>", said)[-1] if "<" in said else PLAIN
            number = int(re.findall(r"What is (\d+)", said)[-1])
            yield [self.by_seed(number, way, seed) for seed in request.seeds]

    def by_seed(self, number: int, way: str, seed: int) -> Completion:
        word, kind = f"w{seed % 97}", seed % 8
        right = f"<{way}> look at {word}\n<{way}> so \\boxed{{{number}}}"
        if kind == 0:
            return self.text("no idea", finish="length")
        texts = (
            right, f"<{way}> {word}\n<a> then\n\\boxed{{{number}}}", f"said {word}, {number}",
            f"<{way}> off by one {word}\n<{way}> so \\boxed{{{number + 1}}}",
            f"<c> {word}\n<b> \\boxed{{{number}}}", right, f"\\boxed{{{number}}} {word}",
        )  # fmt: skip
        return self.text(texts[kind - 1])


LOG = {
    "reward": 0.25, "mixed": 0.5, "all_right": 0.0, "all_wrong": 0.5, "undecided": 0.0,
    "composed": 0.125, "entropy": 0.5, "length": 20.0, "truncated": 0.0, "loss": 0.0,
    "seconds": 0.25, "openings": {"a": [3, 1], "direct": [1, 0]},
}  # fmt: skip
TOLD: list[object] = []


def backend(checkpoint, problems, *, reward, settings, out):
    """Stands for RL: writes down what it was told, and a log of two steps."""
    config = grpo_config(settings, out)
    texts = [f"<a> x\n<b> \\boxed{{{n}}}" for n in range(4)]
    earned = [reward.score([problem] * 4, texts) for problem in problems[:2]]
    view = {k: v for k, v in asdict(reward.view).items() if k != "flat" or v is not None}
    TOLD.append([
        settings.arm, settings.seed, settings.form, earned, view,
        [[p.id, [asdict(turn) for turn in settings.messages(p)]] for p in problems],
        {name: value for name in SET if (value := getattr(config, name, None)) is not None},
    ])  # fmt: skip
    head = {"arm": settings.arm, "seed": settings.seed, "stage": "rl"}
    rows = [json.dumps({**head, "step": step, **LOG}) for step in (1, 2)]
    write_text(out / "metrics.jsonl", "".join(f"{row}\n" for row in rows))
    write_text(out / "checkpoint" / "config.json", json.dumps(head))
    return out / "checkpoint"


def a_context(root: Path, base: Path, engine: str = "test_formats:Fixed") -> Context:
    """A recipe that uses every stage, on problems, a pack and a labeller made for tests."""
    ctx = made_runs.context(
        root,
        arms=ARMS,
        model={"path": str(base), "engine": engine, "device": "cpu"},
        heuristics={"shots": 1},
        generate={"samples": 3, "plain_samples": 4, "problems": "made_runs:load/seed?count=6"},
        probe={"enabled": True, "heuristics": 2},
        gate={"enforce": False, "problems": 3},
        midtrain={"max_length": 200},
        rl={
            "problems": "made_runs:load/rl?count=5", "backend": "test_formats:backend",
            "group_size": 4, "prompts_per_step": 2, "warmup": 0.2,
        },
        evaluate={"benchmarks": ["made_runs:load/test?count=3"], "attempts": 6},
        analyse={"bootstrap": 50},
    )  # fmt: skip
    for line in ctx.lines:
        if line.arm in TRAINED and line.arm != "vanilla":
            copy = Path(ctx.path_of(line.start))
            copy.mkdir(parents=True, exist_ok=True)
            for file in base.iterdir():
                (copy / file.name).write_bytes(file.read_bytes())
    return ctx


def records(root: Path) -> dict[str, dict[str, object]]:
    """What every stage writes, by stage and by what it is."""
    Fixed.asked.clear()
    TOLD.clear()
    base = tiny_models.build_llama(root / "base")
    ctx = a_context(root / "run", base)
    found: dict[str, dict[str, object]] = {}

    def sampled(*folders: Path) -> dict[str, object]:
        asked = list(Fixed.asked)
        Fixed.asked.clear()
        attempts = [read_attempts_table(folder).drop_columns(JUDGING) for folder in folders]
        return {"asked": asked, "attempts": [table.to_pylist() for table in attempts]}

    preflight.run(ctx)
    found["preflight"] = {"listing": json.loads(ctx.run.path("problems.json").read_text())}
    [three] = [p for p in ctx.problems("made_runs:load/seed?count=4", None) if p.answer == "3"]
    verdicts = ctx.verifiers.verdicts([(three, text) for text in JUDGED])
    found["verdicts"] = {"of texts": [asdict(verdict) for verdict in verdicts]}
    generate.run(ctx)
    found["generate"] = sampled(ctx.run.path("1-attempts"))
    selection.run(ctx)
    found["select"] = {"solutions": read_table(ctx.run.path("2-solutions.parquet")).to_pylist()}
    rows = {line.name: training_rows(ctx, line) for line in ctx.lines}
    tokens = examples(
        rows["heuristics-2/seed-0"],
        load_tokenizer(str(base)),
        lambda row: ctx.prompt_of(row.problem_id),
        1,
    )
    config = midtrain.sft_config(ctx, ctx.lines[1], root / "out", 7)
    found["midtrain"] = {
        "rows": {name: [asdict(row) for row in several] for name, several in rows.items()},
        "tokens": [asdict(example) for example in tokens],
        "trainer": {name: value for name in SET if (value := getattr(config, name, None))},
    }
    lines = [line for line in ctx.lines if line.arm in TRAINED]
    for line in lines:
        gate.run(ctx, line)
    folders = [ctx.run.arm_path(line.arm, line.seed) for line in lines]
    found["gate"] = {
        **sampled(*(folder / "4-gate" for folder in folders)),
        "decided": [json.loads((folder / "4-gate.json").read_text()) for folder in folders],
    }
    for line in lines:
        reinforce.run(ctx, line)
    found["rl"] = {"told": list(TOLD)}
    made = [BASE, *(checkpoint for line in lines for checkpoint in line.checkpoints)]
    [benchmark] = ctx.recipe.evaluate.benchmarks
    for checkpoint in made:
        evaluate.run(ctx, checkpoint)
    found["evaluate"] = sampled(*(ctx.run.eval_path(c.name, benchmark) for c in made))
    probe.run(ctx)
    found["probe"] = sampled(ctx.run.path("6-probe"))
    local = a_context(root / "run", base, "transformers")
    for line in lines:
        (Path(local.path_of(line.rl)) / "config.json").unlink()
    branch.run(local)
    files = sorted(ctx.run.path("6-branch").rglob("*.json"))
    found["branch"] = {"forks": [
        [row["problem_id"], row["shared"]] for file in files for row in json.loads(file.read_text())
    ]}  # fmt: skip
    analyse.run(local)
    found["analyse"] = {
        name: [
            _exact(row)
            for row in json.loads(local.run.path("7-tables", f"{name}.json").read_text())
        ]
        for name in TABLES
        if name not in ("costs", "token_modes", "findings")
    }
    ctx.close()
    local.close()
    return found


INEXACT = {"low", "high", "p", "seconds", "seeds", "sentence", "text", "note", "outcome"}
"""Of a row: what resampling gives, and what is said because of it."""


def _exact(value: object) -> object:
    """What of a row is the same on every machine: numbers to three digits, no intervals."""
    if isinstance(value, dict):
        return {k: None if k in INEXACT else _exact(inner) for k, inner in value.items()}
    if isinstance(value, list):
        return [_exact(inner) for inner in value]
    # A little more than the number: ties, as of 1/16, would be rounded by the last bit.
    return f"{round(value * (1 + 1e-7), 9) + 0.0:.3g}" if isinstance(value, float) else value


def defaults() -> dict[str, dict[str, object]]:
    """Section -> key -> default: what a recipe that says nothing means."""
    kinds = {name: section_of(field.annotation) for name, field in Recipe.model_fields.items()}
    sections = {name: kind for name, kind in kinds.items() if kind is not None}
    made = {name: defaults_of(kind) for name, kind in sections.items()}
    return {name: json.loads(json.dumps(keys, default=str)) for name, keys in made.items()}


def hashed(found: dict[str, dict[str, object]]) -> dict[str, dict[str, str]]:
    return {
        stage: {name: fingerprint(part) for name, part in parts.items()}
        for stage, parts in found.items()
    }


@pytest.fixture(scope="module")
def now(tmp_path_factory) -> dict[str, dict[str, str]]:
    return hashed(records(tmp_path_factory.mktemp("formats")))


@pytest.fixture(scope="module")
def committed():
    return json.loads(FILE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("stage", FORMATS)
def test_records_change_only_with_their_number(stage: str, now, committed) -> None:
    held = committed["stages"][stage]
    changed = [name for name in {*now[stage], *held["records"]}
               if now[stage].get(name) != held["records"].get(name)]  # fmt: skip
    raised = FORMATS[stage] > held["format"]
    assert not changed or raised, (
        f"{stage}: {', '.join(sorted(changed))} changed, its number is still {held['format']}: "
        "finished runs would keep the old. Raise it, then write formats.json anew (see above)."
    )
    assert not raised, f"{stage}: the number is {FORMATS[stage]} now: write formats.json anew."


def test_a_default_changes_only_with_a_number(committed) -> None:
    for section, keys in defaults().items():
        held = committed["defaults"][section]
        changed = [key for key in keys if key in held and keys[key] != held[key]]
        assert not changed, (
            f"[{section}] {', '.join(changed)}: another default. A run whose recipe leaves it out "
            "would keep what the old one gave: raise the number of every stage that reads it, then "
            "write formats.json anew."
        )
        assert set(keys) <= set(held), f"[{section}] has a new key: write formats.json anew."


def _write() -> None:
    """Refuses where records changed and their number did not."""
    sys.modules["test_formats"] = sys.modules["__main__"]
    held = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {"stages": {}}
    with tempfile.TemporaryDirectory() as folder:
        found = hashed(records(Path(folder)))
    for stage, parts in found.items():
        old = held["stages"].get(stage)
        if old and old["records"] != parts and old["format"] == FORMATS[stage]:
            sys.exit(
                f"{stage}: its records changed and its number did not. Raise it; or, where only "
                "the inputs of this test changed, delete its entry first."
            )
    stages = {name: {"format": FORMATS[name], "records": found[name]} for name in FORMATS}
    whole = {"stages": stages, "defaults": defaults()}
    write_text(FILE, json.dumps(whole, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    trust.grant_all()
    _write()
