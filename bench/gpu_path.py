"""The real-model path on one GPU: a random-weight Llama of real size through every stage.

Nothing it writes is right, so a verifier that accepts at random stands in for the real one: what
is measured is that the stages run at this size, and how many tokens per second they reach.

    python bench/gpu_path.py --size 3b --data-dir DATA --out OUT.json

Without a GPU, or a folder of problem sets, it says so and does nothing.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
SIZES = {
    "tiny": {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
             "num_attention_heads": 4, "num_key_value_heads": 2},
    "0.5b": {"hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24,
             "num_attention_heads": 14, "num_key_value_heads": 2},
    "3b": {"hidden_size": 3072, "intermediate_size": 8192, "num_hidden_layers": 28,
           "num_attention_heads": 24, "num_key_value_heads": 8},
}  # fmt: skip
"""Shapes of Qwen2.5-0.5B and Llama-3.2-3B."""

RECIPE = """
name = "gpu-path"
arms = ["heuristics-2"]
data_dir = "{data}"
[model]
path = "{model}"
batch_tokens = {batch_tokens}
[heuristics]
pack = "polya"
count = 2
shots = 2
labeller = "exemplars"
[verify]
verifier = "fake_verifiers:accept_at_random"
[generate]
problems = "gsm8k/train"
limit = {problems}
samples = 2
plain_samples = 2
max_tokens = 256
[select]
min_adherence = 0.0
near_duplicate = 1.0
[midtrain]
steps = {steps}
batch_size = 16
micro_batch = 4
learning_rate = 1e-5
max_length = 1024
[gate]
problems = 4
enforce = false
[rl]
problems = "gsm8k/train"
limit = 64
steps = {steps}
group_size = 8
prompts_per_step = 4
micro_batch = 4
learning_rate = 1e-6
max_tokens = 256
[evaluate]
benchmarks = ["gsm8k/test"]
limit = 8
attempts = 8
max_tokens = 256
"""


def build(folder: Path, size: str) -> None:
    """Random weights in bfloat16, and a byte-level BPE tokenizer."""
    import torch
    from tiny_models import build_tokenizer
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = build_tokenizer()
    config = LlamaConfig(
        vocab_size=128256,
        max_position_embeddings=8192,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=tokenizer.bos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **SIZES[size],
    )
    torch.manual_seed(0)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = LlamaForCausalLM(config).to(torch.bfloat16)
    # Random weights never favour EOS: let 1 in 80 tokens end a text.
    ends = range(100_000, 100_000 + config.vocab_size // 80)
    model.generation_config.eos_token_id = [tokenizer.eos_token_id, *ends]
    print(f"{model.num_parameters() / 1e9:.2f}B parameters", flush=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def main() -> None:
    """Build, run the recipe, print what each piece of work cost."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", choices=SIZES, default="3b")
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("MANYWAYS_DATA"))
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--problems", type=int, default=32)
    parser.add_argument("--until", default="report")
    parser.add_argument("--batch-tokens", type=int, default=131072)
    parser.add_argument("--out", type=Path, default=Path("gpu_path.json"))
    args = parser.parse_args()
    if args.data_dir is None or (args.size != "tiny" and not has_gpu()):
        print("left out: needs --data-dir or MANYWAYS_DATA, and a GPU for any size but tiny")
        return
    sys.path.insert(0, str(ROOT / "tests"))
    with tempfile.TemporaryDirectory() as folder:
        model, run, recipe = Path(folder, "model"), Path(folder, "run"), Path(folder, "r.toml")
        build(model, args.size)
        recipe.write_text(
            RECIPE.format(data=args.data_dir.resolve(), model=model, steps=args.steps,
                          problems=args.problems, batch_tokens=args.batch_tokens)
        )  # fmt: skip
        paths = os.pathsep.join(
            [str(ROOT / "tests"), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
        )
        command = [sys.executable, "-m", "manyways", "run", str(recipe), "--out", str(run)]
        command += ["--until", args.until]
        done = subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, check=False)
        rows = [json.loads(p.read_text()) for p in sorted((run / "stamps").glob("*.json"))]
        table = [
            {"work": r["work"], "seconds": r["seconds"], **r["counts"],
             "tokens_per_second": round(r["counts"].get("tokens", 0) / max(r["seconds"], 1e-9))}
            for r in rows
        ]  # fmt: skip
        for row in table:
            print(json.dumps(row), flush=True)
        args.out.write_text(json.dumps({"size": args.size, "exit": done.returncode, "work": table}))
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
