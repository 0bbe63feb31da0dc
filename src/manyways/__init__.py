"""manyways: teach a model many correct ways to solve a problem, then let RL combine them."""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.2.0"

if TYPE_CHECKING:
    from manyways.verifiers.judge import verify

__all__ = ["__version__", "verify"]


def __getattr__(name: str) -> object:
    """Import ``verify`` when it is first asked for: the package itself imports in no time."""
    if name == "verify":
        return import_module("manyways.verifiers.judge").verify
    raise AttributeError(f"module 'manyways' has no attribute '{name}'")
