"""The base class of a recipe's sections, and the types of their keys."""

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Self, cast, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from manyways import trust
from manyways.errors import RecipeError


def _at_most(largest: int) -> AfterValidator:
    """A limit. Larger numbers are typing errors, or do not fit clocks and 64-bit counters."""

    def check(value: float) -> float:
        if value > largest:
            raise ValueError(f"at most {largest:,}")
        return value

    return AfterValidator(check)


class BelowError(ValueError):
    """Says what is wrong with the value at ``below`` of an ``Extra`` table."""

    def __init__(self, below: str, message: str) -> None:
        super().__init__(message)
        self.below = below


def _plain(table: dict[str, Any]) -> dict[str, Any]:
    for key, value in trust.leaves(table):
        if not isinstance(value, bool | int | float | str):
            raise BelowError(key, "text, numbers, true and false, lists and tables alone")
        if isinstance(value, float) and not math.isfinite(value):
            raise BelowError(key, "a finite number")
    return table


Extra = Annotated[dict[str, Any], AfterValidator(_plain)]
"""A table for another library, which defines its keys; values may be tables and lists."""
Names = Annotated[tuple[str, ...], Field(strict=False)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[int, Field(ge=1), _at_most(10**12)]
Rate = Annotated[float, Field(gt=0.0), _at_most(10**9)]


def _rises(range_: tuple[float, float]) -> tuple[float, float]:
    if range_[0] >= range_[1]:
        raise ValueError("give the lower rate first, [0.05, 0.95]")
    return range_


PassRate = Annotated[tuple[Share, Share], Field(strict=False), AfterValidator(_rises)]
"""A range of pass rates, both ends included."""


class Section(BaseModel):
    """Base of every section: frozen, no unknown keys, no silent conversions, no inf and no nan.

    The text below a key is its description, which ``manyways keys`` prints: every key has one.
    (Pydantic could read it by ``use_attribute_docstrings``, at a cost to every command's start.)
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @classmethod
    def left_out(cls) -> Self:
        """The section, if the recipe lacks it: only keys with a default have a value."""
        return cast("Self", cls.model_construct())

    @property
    def there(self) -> bool:
        """Whether the recipe has the section, so that the keys without a default have a value."""
        return not self.lacks()

    @classmethod
    def required(cls) -> list[str]:
        """The keys that the section must have."""
        return [name for name, field in cls.model_fields.items() if field.is_required()]

    def lacks(self) -> list[str]:
        """The required keys that have no value, because the recipe lacks the section."""
        return [name for name in self.required() if name not in self.__dict__]

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> object:
            """Called for attributes that do not exist: keys of a section that the recipe lacks."""
            if name in type(self).model_fields:
                raise RecipeError(f"the recipe has no section that gives '{name}' of {type(self)}")
            return super().__getattr__(name)


def laid_over(base: dict[str, Any], tree: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with the keys of ``tree``: tables are joined, other values and lists replaced."""
    laid = dict(base)
    for key, value in tree.items():
        # A list is replaced as a whole: joined lists could never be made shorter.
        below = laid.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            laid[key] = laid_over(below, value)
        else:
            laid[key] = value
    return laid


def defaults_of(section: type[BaseModel]) -> dict[str, object]:
    """The optional keys with their defaults."""
    return {
        name: field.get_default(call_default_factory=True)
        for name, field in section.model_fields.items()
        if not field.is_required()
    }


def section_of(annotation: object) -> type[BaseModel] | None:
    """The section class in a key's type, which may be optional; None for a plain value."""
    kinds = [kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type)]
    return next((kind for kind in kinds if issubclass(kind, BaseModel)), None)


def toml_value(value: object) -> str:
    """A value as TOML writes it, tables inline."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    if isinstance(value, dict):
        inner = ", ".join(f"{toml_value(k)} = {toml_value(v)}" for k, v in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    # A text of JSON is one of TOML, but for one control character.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
