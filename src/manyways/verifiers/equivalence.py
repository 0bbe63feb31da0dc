"""The second step of the comparison: what the text means. Only ever runs in a worker process.

Parsing is latex2sympy's and the comparison is Math-Verify's. Nothing here prints a sympy object:
their string form can take for ever.
"""

from typing import Any

from manyways.verifiers import fast

Decision = tuple[bool | None, str]
"""(equal?, rule); None with a reason when it could not be decided."""


def same_answer(gold: str, answer: str) -> Decision:
    """Are the two the same answer? ``gold`` is the reference: the comparison follows its form."""
    outcome = fast.decide(gold, answer)
    if outcome is not None:
        return outcome
    left = _parse(gold)
    if left is None:
        return None, "error: the reference answer cannot be parsed"
    right = _parse(answer)
    if right is None:
        return False, "unparsed"
    import math_verify

    equal = math_verify.verify(left, right, timeout_seconds=None, raise_on_error=True)
    return bool(equal), "math-verify"


def _parse(text: str) -> list[Any] | None:
    import math_verify

    boxed = text if "\\boxed" in text else f"\\boxed{{{text}}}"
    parsed = math_verify.parse(boxed, parsing_timeout=None, raise_on_error=True)
    return [part for part in parsed if not isinstance(part, str)] or None


def warm_up() -> None:
    """Import and build everything that the first comparison would otherwise be charged for."""
    import math_verify

    one = math_verify.parse(r"\boxed{\frac{x}{2}+1}", parsing_timeout=None)
    math_verify.verify(one, one, timeout_seconds=None)
