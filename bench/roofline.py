"""How far sampling and training on the embedded model are from what this machine could do.

    python bench/roofline.py [--threads 1] [--repeats 3] [--out OUT.json]

The machine first: float32 matrix products of 2048 x 2048 (FLOP/s) and copies of 256 MiB (bytes/s,
read and written), the best of several. Then three pieces of work as a run calls them: sampling 16
attempts at each of 16 prompts, mid-training steps of 32 examples, GRPO steps of 128 attempts. Each
is done once under PyTorch's counter of FLOPs (matrix products and attention), some times under a
clock alone, and once under PyTorch's profiler. All draw the same attempts.

The floor of a piece is the larger of its FLOPs at the machine's rate and its bytes at the machine's
bandwidth. Bytes are, for every call of the model without gradients, all weights and the keys and
values that each row sees; for every optimizer step, 14 times the weights (read forwards and
backwards; gradients written, read for their norm, clipped, read and zeroed; weights and two moments
read and written). Activations are left out, as if they stayed in the processor's cache.

``fed`` is how many positions went through the model for a token of an attempt or example.
Shares of the profile are of its wall clock; what is no operation of PyTorch's is Python's.
"""

import os

os.environ.setdefault("GOMP_SPINCOUNT", "2000")  # as the command line does

import statistics
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpo_step
import midtrain
import sampling
import sidebyside as bench
import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count
from transformers import AutoModelForCausalLM, PrinterCallback
from transformers.models.llama.modeling_llama import LlamaDecoderLayer

from manyways.engines import SamplingSettings
from manyways.train.trainer_log import quiet

PROMPTS, MIDTRAIN_STEPS, GRPO_STEPS = 16, 8, 4
WEIGHTS: int = AutoModelForCausalLM.from_pretrained(midtrain.MODEL).num_parameters()
MOVED = 14
"""Times that each weight, or what belongs to it, moves in an optimizer step."""
ON_CPU = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: (
        lambda q, k, v, *_, **__: sdpa_flop_count(q, k, v)
    ),
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: (
        lambda grad, q, k, v, *_, **__: sdpa_backward_flop_count(grad, q, k, v)
    ),
}
"""Attention that PyTorch's counter of FLOPs does not know by itself."""
GROUPS = {
    "attention": ("scaled_dot_product", "softmax", "aten::bmm", "aten::baddbmm"),
    "matrix products": ("aten::mm", "aten::addmm", "aten::linear"),
    "moving rows": ("copy_", "cat", "index", "gather", "scatter", "clone", "stack", "embedding"),
    "optimizer": ("_foreach", "_fused_adam", "Optimizer."),
}
"""Where operations belong, by a part of their name and the first that fits; others: elementwise."""


@dataclass(frozen=True, slots=True)
class Done:
    """A piece of work that was done: its seconds, its tokens, its optimizer steps."""

    seconds: float
    tokens: float
    steps: int = 0


def main() -> None:
    parser = bench.parser(__doc__, "roofline", 3)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads or 1)
    warnings.filterwarnings("ignore")
    rate, bandwidth = matmul_rate(), copy_rate()
    print(f"this machine: {rate / 1e9:.0f} GFLOP/s, {bandwidth / 1e9:.1f} GB/s")
    rows = midtrain.data(120)
    pieces: dict[str, Callable[[Watch], Done]] = {
        "sampling": sample,
        "mid-training": lambda watch: train(rows, watch),
        "GRPO": reinforce,
    }
    found = {}
    for name, work in pieces.items():
        found[name] = row = measure(work, rate, bandwidth, arguments.repeats)
        print(
            f"{name}: {row['tokens']:.0f} tokens in {row['seconds']:.2f} s; fed {row['fed']:.2f} "
            f"of a token, {row['gflop']:.1f} GFLOP, {row['gigabytes']:.2f} GB: at least "
            f"{row['floor']:.2f} s by {row['bound']}, {row['reached']:.0%} reached. Time: "
            + ", ".join(f"{part} {share:.0%}" for part, share in row["profile"].items())
        )
    bench.write(
        arguments.out,
        {"machine": bench.machine(), "flops_a_second": rate, "bytes_a_second": bandwidth,
         "pieces": found},
    )  # fmt: skip


class Watch(AbstractContextManager["Watch"]):
    """Sees what goes through the model while it is open."""

    def __init__(self, inner: AbstractContextManager[Any] | None = None) -> None:
        self.inner = inner or nullcontext()
        self.fed = 0
        self.bytes = 0

    def __enter__(self) -> "Watch":
        self._own, watch = LlamaDecoderLayer.forward, self

        def forward(layer: Any, hidden: Any, *args: Any, **kwargs: Any) -> Any:
            if layer.self_attn.layer_idx == 0:
                watch._see(layer, hidden, kwargs["position_ids"])
            return watch._own(layer, hidden, *args, **kwargs)

        LlamaDecoderLayer.forward = forward
        self.inner.__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        self.inner.__exit__(*raised)
        LlamaDecoderLayer.forward = self._own

    def _see(self, layer: Any, hidden: torch.Tensor, position_ids: torch.Tensor) -> None:
        rows, positions, width = hidden.shape
        self.fed += rows * positions
        if not torch.is_grad_enabled():
            seen = (position_ids[:, -1] + 1).expand(rows).sum().item()
            layers = layer.self_attn.config.num_hidden_layers
            self.bytes += WEIGHTS * 4 + int(seen) * 2 * layers * width * 4


def sample(watch: Watch) -> Done:
    engine = sampling.our_engine()
    requests = sampling.our_requests(sampling.prompts(PROMPTS), 1)
    settings = SamplingSettings(max_tokens=sampling.MAX_TOKENS)
    with watch:
        began = time.perf_counter()
        done = [one for many in engine.sample(requests, settings) for one in many]
        seconds = time.perf_counter() - began
    return Done(seconds, sum(one.tokens for one in done))


def train(rows: list[Any], watch: Watch) -> Done:
    with tempfile.TemporaryDirectory() as folder, quiet():
        trainer, _ = midtrain.our_trainer(rows, 1, MIDTRAIN_STEPS, Path(folder))
        trainer.remove_callback(PrinterCallback)
        with watch:
            began = time.perf_counter()
            trainer.train()
            seconds = time.perf_counter() - began
        tokens = next(row["num_tokens"] for row in trainer.state.log_history[::-1] if "loss" in row)
    return Done(seconds, tokens, MIDTRAIN_STEPS)


def reinforce(watch: Watch) -> Done:
    job = grpo_step.pocket()
    with watch:
        rows = grpo_step.our_training(job, GRPO_STEPS, 1)
    tokens = sum(row["length"] for row in rows) * job.attempts
    return Done(sum(row["seconds"] for row in rows), tokens, GRPO_STEPS)


def measure(
    work: Callable[[Watch], Done], rate: float, bandwidth: float, repeats: int
) -> bench.Row:
    """A piece counted, timed and profiled."""
    counter = FlopCounterMode(display=False, custom_mapping=ON_CPU)
    watch = Watch(counter)
    counted = work(watch)
    timed = [work(Watch()).seconds for _ in range(repeats)]
    seconds = statistics.median(timed)
    moved = watch.bytes + counted.steps * MOVED * 4 * WEIGHTS
    flops = counter.get_total_flops()
    floors = {"FLOPs": flops / rate, "bytes": moved / bandwidth}
    bound = max(floors, key=lambda name: floors[name])
    return {
        "tokens": counted.tokens,
        "seconds": seconds,
        "each": timed,
        "fed": watch.fed / counted.tokens,
        "gflop": flops / 1e9,
        "gigabytes": moved / 1e9,
        "floors": floors,
        "floor": floors[bound],
        "bound": bound,
        "reached": floors[bound] / seconds,
        "profile": shares(work),
    }


def shares(work: Callable[[Watch], Done]) -> dict[str, float]:
    """Group of operations -> its part of the wall clock, the largest first."""
    profiler = profile(activities=[ProfilerActivity.CPU])
    done = work(Watch(profiler))
    spent: Counter[str] = Counter()
    for row in profiler.key_averages():
        fits = (group for group, parts in GROUPS.items() if any(p in row.key for p in parts))
        spent[next(fits, "elementwise")] += row.self_cpu_time_total / 1e6
    spent["Python"] = max(0.0, done.seconds - sum(spent.values()))
    whole = sum(spent.values())
    return {group: seconds / whole for group, seconds in spent.most_common()}


def matmul_rate(size: int = 2048, repeats: int = 8) -> float:
    a, b = torch.rand(size, size), torch.rand(size, size)
    return 2 * size**3 / min(_seconds(lambda: a @ b) for _ in range(repeats))


def copy_rate(mib: int = 256, repeats: int = 8) -> float:
    source = torch.rand(mib * 2**18)
    target = torch.empty_like(source)
    return 2 * mib * 2**20 / min(_seconds(lambda: target.copy_(source)) for _ in range(repeats))


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
