"""What the prompts of 16 and 64 heuristics cost, and how much of it a prefix cache can share.

The tokenizer is a byte-level BPE of 4,096 entries trained here on the packs themselves, because no
model's tokenizer comes with this package: a real one of 100,000 entries or more, trained on other
text, differs by tens of percent. Ratios between rows are what to take from it; for exact counts run
``manyways heuristics check PACK --tokenizer CHECKPOINT``.

Sharing counts, request by request, the tokens that the prompt has in common with the one before it,
which is what even the smallest prefix cache finds. Problems are first questions of the code pack
(short) and of the narrative pack (long), which no prompt of the mathematical pack holds.

    python bench/prompt_tokens.py [--out OUT.json]
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manyways.commands.heuristics import prompt_tokens
from manyways.heuristics import PromptFormat, load_pack
from manyways.records import Heuristic
from manyways.rendering import prompt_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

ENTRIES = 4096
PROBLEMS = 8
TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    pack = load_pack("polya")
    tokenizer = train([*pack, *load_pack("code"), *load_pack("narrative")])
    results = {"cost": cost(pack, tokenizer), "sharing": sharing(pack, tokenizer)}
    print("tokens of a prompt before the problem's own text (mean, least, most, sum over n)")
    for row in results["cost"]:
        print("  n {n:2}  shots {shots}:  {mean:6.1f}  {least:4}  {most:4}  {sum:6}".format(**row))
    print(
        f"tokens sent for n heuristics x {PROBLEMS} problems, 2 shots, and the share computed anew"
    )
    for row in results["sharing"]:
        print(
            "  n {n:2}  {problems}: {sent:7} sent; heuristic by heuristic {heuristic_major:5.1%}, "
            "problem by problem {problem_major:5.1%} computed".format(**row)
        )
    if arguments.out:
        arguments.out.write_text(json.dumps(results, indent=1) + "\n")


def train(pack: Sequence[Heuristic]) -> "PreTrainedTokenizerFast":
    """A byte-level BPE over everything that the packs say."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast

    texts = [h.instruction for h in pack]
    texts += [text for h in pack for e in h.exemplars for text in (e.question, e.solution)]
    special = ["<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
    backend = ByteLevelBPETokenizer()
    backend.train_from_iterator(
        texts, vocab_size=ENTRIES, special_tokens=special, show_progress=False
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend._tokenizer, eos_token="<|end|>", chat_template=TEMPLATE
    )


def cost(pack: Sequence[Heuristic], tokenizer: "PreTrainedTokenizerFast") -> list[dict[str, Any]]:
    """One row per n and number of exemplars."""
    rows = []
    for n in (16, 64):
        for shots in (0, 1, 2):
            counts = [
                prompt_tokens(heuristic, tokenizer, prompts=PromptFormat(), shots=shots)
                for heuristic in pack[:n]
            ]
            rows.append(
                {"n": n, "shots": shots, "mean": sum(counts) / n, "least": min(counts),
                 "most": max(counts), "sum": sum(counts)}
            )  # fmt: skip
    return rows


def sharing(
    pack: Sequence[Heuristic], tokenizer: "PreTrainedTokenizerFast"
) -> list[dict[str, Any]]:
    """Share of the tokens not found in the request before, for both orders of requests."""
    short = [h.exemplars[0].question for h in load_pack("code")[:PROBLEMS]]
    long = [h.exemplars[0].question for h in load_pack("narrative")[:PROBLEMS]]
    rows = []
    for n in (16, 64):
        for name, questions in (("short problems", short), ("long problems", long)):
            by_heuristic = [
                [
                    list(prompt_ids(tokenizer, PromptFormat().under(h, q, shots=2))[0])
                    for q in questions
                ]
                for h in pack[:n]
            ]
            heuristic_major = [ids for row in by_heuristic for ids in row]
            problem_major = [row[i] for i in range(PROBLEMS) for row in by_heuristic]
            sent = sum(map(len, heuristic_major))
            rows.append(
                {"n": n, "problems": name, "sent": sent,
                 "heuristic_major": computed(heuristic_major) / sent,
                 "problem_major": computed(problem_major) / sent}
            )  # fmt: skip
    return rows


def computed(requests: Sequence[Sequence[int]]) -> int:
    """Tokens of the requests that do not continue the request before them."""
    total, before = 0, []
    for ids in requests:
        shared = next(
            (i for i, (a, b) in enumerate(zip(before, ids, strict=False)) if a != b),
            min(len(before), len(ids)),
        )
        total += len(ids) - shared
        before = ids
    return total


if __name__ == "__main__":
    main()
