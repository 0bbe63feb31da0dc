"""Settings of one arm: ``[arm."vanilla+entropy"]``, laid over the recipe's own sections."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from manyways.recipe.section import Section, laid_over

SECTIONS = ("rl", "midtrain", "select")
"""What may differ from arm to arm: one pool and one evaluation serve them all."""
ONE_SAMPLE = ("problems", "limit", "group_size", "temperature", "max_tokens")
"""Keys of ``[rl]`` that say how the base attempts RL's problems, once for all arms."""
_BARE = re.compile(r"[A-Za-z0-9_-]+")


class ArmConfig(Section):
    """Settings of one arm. Its name is the name of another arm, ``+`` and a word (docs/rl.md).

    ``[arm."vanilla+entropy"]`` with ``rl.extra.entropy_coef = 0.01`` makes an arm that differs from
    ``vanilla`` in that key alone.
    """

    base: str | None = None
    """The arm that this one changes. It is what stands before the ``+`` in the name."""

    rl: dict[str, Any] = Field(default_factory=dict)
    """The keys of ``[rl]`` that differ in this arm."""

    midtrain: dict[str, Any] = Field(default_factory=dict)
    """The keys of ``[midtrain]`` that differ in this arm."""

    select: dict[str, Any] = Field(default_factory=dict)
    """The keys of ``[select]`` that differ in this arm. Its solutions are then selected anew, from
    the same pool."""

    @property
    def given(self) -> dict[str, dict[str, Any]]:
        """Section -> its keys that are given here."""
        return {name: keys for name in SECTIONS if (keys := getattr(self, name))}

    def over(self, name: str, section: Section) -> dict[str, Any]:
        """The whole section ``name`` as this arm has it, as a tree that is to be validated."""
        given = self.given.get(name, {})
        tree = section.model_dump(mode="json", exclude_none=True)
        # Exactly one of the two is to be given, and this arm gives the other one.
        for one, other in (("steps", "epochs"), ("epochs", "steps")):
            if name == "midtrain" and one in given and other not in given:
                tree.pop(other, None)
        return laid_over(tree, given)


def dotted(path: tuple[object, ...]) -> str:
    """``("arm", "vanilla+entropy", "rl")`` -> ``arm."vanilla+entropy".rl``."""
    words = (str(part) for part in path)
    return ".".join(word if _BARE.fullmatch(word) else f'"{word}"' for word in words)


def leaves(tree: Mapping[str, Any], *above: str) -> Iterator[tuple[str, object]]:
    """Every value of nested tables with its key: ``("rl.extra.entropy_coef", 0.01)``."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, *above, key)
        else:
            yield dotted((*above, key)), value
