"""A recipe over real problem sets and a tiny random Llama: real formats, no real ability."""

from pathlib import Path

import pytest
from needs import DATA, NO_DATA
from tiny_models import build_llama

RECIPE = """
name = "tiny"
arms = ["vanilla", "star", "heuristics-2"]
data_dir = "{data}"
[model]
path = "{model}"
[heuristics]
pack = "polya"
count = 2
shots = 1
labeller = "exemplars"
[generate]
problems = "gsm8k/train"
limit = 8
samples = 2
plain_samples = 2
max_tokens = 12
[midtrain]
steps = 2
batch_size = 4
learning_rate = 1e-3
max_length = 1024
[gate]
problems = 2
enforce = false
[rl]
problems = "gsm8k/train"
limit = 8
steps = 2
group_size = 4
prompts_per_step = 2
learning_rate = 1e-4
max_tokens = 8
[evaluate]
benchmarks = ["gsm8k/test"]
limit = 4
attempts = 4
max_tokens = 8
[select]
min_adherence = 0.0
near_duplicate = 1.0
[analyse]
bootstrap = 100
explorer_problems = 4
"""


def tiny_recipe(folder: Path, *, context: int = 2048) -> Path:
    """Write model and recipe to ``folder``; skips the test where there are no problem sets.

    context: tokens that the model takes; a story of MuSR is 5,000 of its small tokenizer's.
    """
    if not (DATA / "gsm8k_test.jsonl").is_file():
        pytest.skip(NO_DATA)
    model = build_llama(folder / "model", context=context)
    path = folder / "tiny.toml"
    path.write_text(RECIPE.format(data=DATA, model=model))
    return path
