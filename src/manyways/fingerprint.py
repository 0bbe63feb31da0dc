"""What identifies an input: hashes of settings and contents, and versions of packages."""

import hashlib
import json
import platform
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from manyways.records import Message, Problem

PACKAGES = (
    "manyways", "torch", "transformers", "vllm", "trl", "datasets", "accelerate", "math-verify",
)  # fmt: skip


def fingerprint(value: object) -> str:
    """16 hex digits of a JSON-able value; equal values give equal digits."""
    text = json.dumps(value, sort_keys=True, default=str, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def content_hash(lines: Iterable[str]) -> str:
    """16 hex digits over texts in order."""
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode("utf-8", "surrogatepass"))
        digest.update(b"\x00")
    return digest.hexdigest()[:16]


def problems_hash(problems: Iterable[Problem]) -> str:
    """16 hex digits over whitespace-normalised questions and answers, whatever their order."""
    return content_hash(sorted(f"{' '.join(p.question.split())}\t{p.answer}" for p in problems))


def prompt_hash(messages: Iterable[Message]) -> str:
    """16 hex digits over the turns of a prompt."""
    return content_hash(part for m in messages for part in (m.role, m.content))


def attempt_seed(run_seed: int, problem_id: str, heuristic: str, sample: int) -> int:
    """The 63-bit seed of one attempt. With it, one attempt can be sampled again alone."""
    key = f"{run_seed}\t{problem_id}\t{heuristic}\t{sample}".encode()
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big") >> 1


@cache
def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a result depends on, if they are installed."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
