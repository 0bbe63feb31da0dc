"""One line of ``manyways doctor``."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "missing", "warning"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """Something looked at, and what to do about it.

    Example: ``Check(group="engine", name="vllm", state="missing", detail="no module vllm",
    fix="pip install 'manyways[vllm]'")``.

    state: ``missing`` is an option that is not installed; ``warning`` can spoil a run.
    """

    group: str
    name: str
    state: State = "ok"
    detail: str = ""
    fix: str = ""
