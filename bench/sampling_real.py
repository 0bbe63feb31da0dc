"""Sampling with a model of real size: GSM8K questions under heuristics with exemplars.

    python bench/sampling_real.py --tokenizer FOLDER [--heuristics 8] [--questions 8] [--threads 2]

ours   the transformers engine, as the generate stage calls it
batch  ``model.generate`` over batches of left-padded prompts, in the best of several sizes

A Qwen2 of 0.5B with random weights. One token in ``MEAN`` ends a text, so that lengths vary as
those of answers do: both ways are told the same list of such tokens. Both sample from the same
distribution, and draw different numbers: seconds and processor time a token are compared. The
share of the machine's rate is that of the FLOPs of sampled tokens alone, in weights, at the rate
of a matrix product of 2048 x 2048 in the same dtype: what prompts cost is left out for both.
"""

import os

os.environ.setdefault("GOMP_SPINCOUNT", "2000")  # as the command line does, for both

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import sidebyside as bench
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, Qwen2Config

from manyways.checkpoints import has_bfloat16
from manyways.engines import SampleRequest, SamplingSettings
from manyways.engines.transformers import TransformersEngine
from manyways.fingerprint import attempt_seed
from manyways.heuristics import PromptFormat, load_pack
from manyways.problems import load_problems
from manyways.recipe.engines import ModelConfig
from manyways.records import Message

MEAN = 120
Prompts = Sequence[tuple[Message, ...]]
SHAPE = {
    "hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24, "vocab_size": 151936,
    "num_attention_heads": 14, "num_key_value_heads": 2, "max_position_embeddings": 32768,
    "tie_word_embeddings": True, "rope_theta": 1e6,
}  # fmt: skip


def build(folder: Path, tokenizer: str, dtype: torch.dtype) -> str:
    torch.manual_seed(0)
    model: Any = AutoModelForCausalLM.from_config(Qwen2Config(**SHAPE), dtype=dtype)
    ends = list(range(MEAN // 2, SHAPE["vocab_size"], MEAN))
    model.generation_config = GenerationConfig(eos_token_id=ends, pad_token_id=0)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(tokenizer).save_pretrained(folder)
    return str(folder)


def prompts(heuristics: int, questions: int) -> list[tuple[Message, ...]]:
    pack = load_pack("polya", heuristics)
    form = PromptFormat(instruction="Put your final answer within \\boxed{}.")
    data = Path(os.environ["MANYWAYS_DATA"]) if "MANYWAYS_DATA" in os.environ else None
    asked = [
        problem.question for problem in load_problems("gsm8k/train", data_dir=data)[:questions]
    ]
    return [form.under(one, question, shots=1) for one in pack for question in asked]


def ours(folder: str, asked: Prompts, most: int) -> Callable[[int], bench.Row]:
    engine = TransformersEngine(folder, ModelConfig(path=folder))
    settings = SamplingSettings(max_tokens=most)

    def run(turn: int) -> bench.Row:
        requests = [
            SampleRequest(messages=one, seeds=(attempt_seed(turn, "bench", str(i), 0),))
            for i, one in enumerate(asked)
        ]
        found = [one for many in engine.sample(requests, settings) for one in many]
        return row([one.tokens for one in found])

    return lambda turn: rate(lambda: run(turn))


def plainly(folder: str, asked: Prompts, most: int, size: int) -> Callable[[int], bench.Row]:
    """What someone who knows transformers writes: longest prompts together, batch by batch."""
    tokenizer: Any = AutoTokenizer.from_pretrained(folder, padding_side="left")
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype="auto").eval()
    ends = torch.tensor(model.generation_config.eos_token_id)
    settings = GenerationConfig(
        do_sample=True, temperature=1.0, top_k=0, top_p=1.0, max_new_tokens=most,
        eos_token_id=ends.tolist(), pad_token_id=0, use_cache=True,
    )  # fmt: skip
    turns = [[{"role": m.role, "content": m.content} for m in one] for one in asked]
    rendered = [
        tokenizer.apply_chat_template(one, tokenize=False, add_generation_prompt=True)
        for one in turns
    ]
    rendered.sort(key=lambda text: len(tokenizer(text)["input_ids"]))

    def run(turn: int) -> bench.Row:
        torch.manual_seed(turn)
        tokens = []
        with torch.inference_mode():
            for start in range(0, len(rendered), size):
                inputs = tokenizer(
                    rendered[start : start + size], padding=True, add_special_tokens=False,
                    return_tensors="pt",
                )  # fmt: skip
                out = model.generate(**inputs, generation_config=settings)
                sampled = out[:, inputs["input_ids"].shape[1] :]
                ended = torch.isin(sampled, ends)
                tokens += (ended.cumsum(dim=1) - ended.int() == 0).sum(dim=1).tolist()
        return row(tokens)

    return lambda turn: rate(lambda: run(turn))


def row(tokens: list[int]) -> bench.Row:
    return {"tokens": sum(tokens), "attempts": len(tokens), "longest": max(tokens)}


def rate(work: Callable[[], bench.Row]) -> bench.Row:
    found = bench.timed(work)
    each = {f"{key}_a_token": found[key] / found["tokens"] for key in ("seconds", "processor")}
    return found | each


def product_rate(dtype: torch.dtype) -> float:
    """FLOPs a second of processor time in a product of 2048 x 2048 matrices."""
    one, other = torch.randn(2, 2048, 2048).to(dtype)
    one @ other
    start = time.process_time()
    for _ in range(4):
        one @ other
    return 4 * 2 * 2048**3 / (time.process_time() - start)


def main() -> None:
    parser = bench.parser(__doc__, "sampling_real", 1)
    parser.add_argument("--tokenizer", required=True, help="a checkpoint with a chat template")
    parser.add_argument("--heuristics", type=int, default=8)
    parser.add_argument("--questions", type=int, default=8)
    parser.add_argument("--max-tokens", type=int, default=256)
    parser.add_argument("--sizes", type=int, nargs="+", default=[16, 32])
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    dtype = torch.bfloat16 if has_bfloat16() else torch.float32
    asked = prompts(arguments.heuristics, arguments.questions)
    with tempfile.TemporaryDirectory() as name:
        folder, most = build(Path(name), arguments.tokenizer, dtype), arguments.max_tokens
        ways = {"ours": ours(folder, asked, most)}
        ways |= {f"batch of {n}": plainly(folder, asked, most, n) for n in arguments.sizes}
        rows = bench.take_turns(ways, arguments.repeats, warm=False)
    peak = product_rate(dtype)
    flops = 2 * sum(
        [SHAPE["num_hidden_layers"] * SHAPE["hidden_size"]
         * (SHAPE["hidden_size"] * (2 + 4 / 14) + 3 * SHAPE["intermediate_size"]),
         SHAPE["vocab_size"] * SHAPE["hidden_size"]]
    )  # fmt: skip
    for way, own in rows.items():
        used = bench.median(own, "processor_a_token")
        print(f"{way:12} {bench.median(own, 'tokens'):.0f} tokens, {1 / used:.1f} a second of "
              f"processor time, {flops / used / peak:.1%} of {peak / 1e9:.0f} GFLOP/s")  # fmt: skip
    found, used = (bench.ratios(rows, f"{key}_a_token") for key in ("seconds", "processor"))
    for way, ratio in found.items():
        print(f"ours against {way}: {bench.spread(ratio)}; "
              f"by processor time {bench.spread(used[way])}")  # fmt: skip
    bench.write(
        arguments.out,
        {"machine": bench.machine(), "dtype": str(dtype), "attempts": len(asked),
         "max_tokens": most, "ratios": found, "processor_ratios": used, "rows": rows},
    )  # fmt: skip


if __name__ == "__main__":
    main()
