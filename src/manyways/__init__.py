"""manyways: teach a model many correct ways to solve a problem, then let RL combine them."""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.2.0"

if TYPE_CHECKING:
    from manyways.api import (
        Run,
        heuristic_pack,
        open,  # noqa: A004 - read as manyways.open
        pass_at_k,
        reward,
    )
    from manyways.verifiers.verdicts import verify

__all__ = ["Run", "__version__", "heuristic_pack", "open", "pass_at_k", "reward", "verify"]

_HOMES = {
    "Run": "manyways.api",
    "heuristic_pack": "manyways.api",
    "open": "manyways.api",
    "pass_at_k": "manyways.api",
    "reward": "manyways.api",
    "verify": "manyways.verifiers.verdicts",
}
"""Public name -> the module that it is imported from at its first use."""


def __getattr__(name: str) -> object:
    """Import a public name at its first use, so that ``import manyways`` itself is fast."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'manyways' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
