"""Tokens per second of sampling: 16 attempts at each of several prompts, on the embedded model.

    python bench/sampling.py [--repeats 5] [--requests 32] [--threads 2] [--out OUT.json]

ours   the transformers engine, as the generate stage calls it
batch  ``model.generate(num_return_sequences=16)`` over batches of left-padded prompts
each   the same, one prompt after the other

Half of the prompts are plain, half ask for a heuristic and hold an exemplar, so that prompts and
completions are of many lengths. All three sample from the same distribution (temperature 1, the
whole vocabulary), end at EOS or after 160 tokens, and return texts. They draw different numbers, so
tokens per second are compared, and the tokens themselves are in the results. The size of the plain
batches is the fastest of several.
"""

import os

os.environ.setdefault("GOMP_SPINCOUNT", "2000")  # as the command line does, for all three

from collections.abc import Callable, Sequence
from typing import Any

import sidebyside as bench
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from manyways.checkpoints import model_path
from manyways.engines import SampleRequest, SamplingSettings
from manyways.engines.transformers import TransformersEngine
from manyways.fingerprint import attempt_seed
from manyways.heuristics import PromptFormat, load_pack
from manyways.pocket.world import WORLDS, exercises
from manyways.recipe.engines import ModelConfig
from manyways.records import Message

MODEL = model_path("package:manyways.pocket/base")
SAMPLES, MAX_TOKENS = 16, 160
SIZES = (4, 16)
Prompts = Sequence[tuple[Message, ...]]


def prompts(count: int) -> list[tuple[Message, ...]]:
    pack, form = load_pack("pocket", 8), PromptFormat(instruction="")
    asked = [
        one.question for one, _ in zip(exercises(WORLDS["main"], "rl"), range(count), strict=False)
    ]
    return [
        form.plain(q) if i % 2 else form.under(pack[i // 2 % 8], q, shots=1)
        for i, q in enumerate(asked)
    ]


def plainly(asked: Prompts, batch: int) -> Callable[[int], bench.Row]:
    """What someone who knows transformers writes: one ``generate`` call a batch."""
    tokenizer: Any = AutoTokenizer.from_pretrained(MODEL, padding_side="left")
    model: Any = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32).eval()
    settings = GenerationConfig(
        do_sample=True,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        max_new_tokens=MAX_TOKENS,
        num_return_sequences=SAMPLES,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        use_cache=True,
    )
    turns = [[{"role": m.role, "content": m.content} for m in one] for one in asked]
    rendered = [
        tokenizer.apply_chat_template(one, tokenize=False, add_generation_prompt=True)
        for one in turns
    ]

    def run(turn: int) -> bench.Row:
        torch.manual_seed(turn)
        tokens, texts = 0, []
        with torch.inference_mode():
            for start in range(0, len(rendered), batch):
                inputs = tokenizer(
                    rendered[start : start + batch],
                    padding=True,
                    add_special_tokens=False,
                    return_tensors="pt",
                    return_token_type_ids=False,
                )
                out = model.generate(**inputs, generation_config=settings)
                sampled = out[:, inputs["input_ids"].shape[1] :]
                texts += tokenizer.batch_decode(sampled, skip_special_tokens=True)
                ended = sampled == tokenizer.eos_token_id
                tokens += int((ended.cumsum(dim=1) - ended.int() == 0).sum())
        return {"tokens": tokens, "attempts": len(texts)}

    return lambda turn: _rate(lambda: run(turn))


def our_requests(asked: Prompts, turn: int) -> list[SampleRequest]:
    return [
        SampleRequest(
            messages=messages,
            seeds=tuple(attempt_seed(turn, "bench", str(i), s) for s in range(SAMPLES)),
        )
        for i, messages in enumerate(asked)
    ]


def our_engine() -> TransformersEngine:
    return TransformersEngine(MODEL, ModelConfig(path=MODEL, dtype="float32"))


def ours(asked: Prompts) -> Callable[[int], bench.Row]:
    engine = our_engine()
    settings = SamplingSettings(max_tokens=MAX_TOKENS)

    def run(turn: int) -> bench.Row:
        requests = our_requests(asked, turn)
        found = [one for many in engine.sample(requests, settings) for one in many]
        return {"tokens": sum(one.tokens for one in found), "attempts": len(found)}

    return lambda turn: _rate(lambda: run(turn))


def _rate(work: Callable[[], bench.Row]) -> bench.Row:
    row = bench.timed(work)
    each = {f"{key}_a_token": row[key] / row["tokens"] for key in ("seconds", "processor")}
    return row | each


def main() -> None:
    parser = bench.parser(__doc__, "sampling", 5)
    parser.add_argument("--requests", type=int, default=32)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    asked = prompts(arguments.requests)
    sizes = {size: plainly(asked, size)(0)["seconds_a_token"] for size in SIZES}
    best = min(sizes, key=lambda size: sizes[size])
    ways = {"ours": ours(asked), "batch": plainly(asked, best), "each": plainly(asked, 1)}
    rows = bench.take_turns(ways, arguments.repeats)
    found = bench.ratios(rows, "seconds_a_token")
    for name, own in rows.items():
        print(
            f"{name:6} {1 / bench.median(own, 'seconds_a_token'):8.0f} tokens/s, "
            f"{bench.median(own, 'tokens'):.0f} tokens in {bench.median(own, 'seconds'):.2f} s"
        )
    print(f"batches of {best} prompts (tokens/s by size: "
          + ", ".join(f"{s}: {1 / t:.0f}" for s, t in sizes.items()) + ")")  # fmt: skip
    used = bench.ratios(rows, "processor_a_token")
    for name, ratio in found.items():
        print(
            f"ours against {name}: {bench.spread(ratio)}; "
            f"by processor time {bench.spread(used[name])}"
        )
    bench.write(
        arguments.out,
        {"machine": bench.machine(), "samples": SAMPLES, "max_tokens": MAX_TOKENS,
         "requests": arguments.requests, "plain_batch": best, "ratios": found,
         "processor_ratios": used, "rows": rows},
    )  # fmt: skip


if __name__ == "__main__":
    main()
