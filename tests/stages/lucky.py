"""Verdicts for models that can do nothing."""

import hashlib

from manyways.records import Verdict


class LuckyVerifiers:
    """Half of all texts are right, the same ones each time."""

    def verdicts(self, pairs) -> list[Verdict]:
        odd = (hashlib.sha256(f"{p.id}{text}".encode()).digest()[0] % 2 for p, text in pairs)
        return [Verdict(status="correct" if right else "wrong") for right in odd]

    def why_not(self, verifier: str) -> str:
        """Nothing is asked for that needs isolation."""
        return ""
