"""Where the attempts of another model come from."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from manyways.recipe.engines import ModelConfig
from manyways.recipe.section import Positive, Section


class DistillConfig(Section):
    """Attempts of another model, for the arms ``distilled-N``; see docs/controls.md.

    Give exactly one of ``attempts`` and ``model``.
    """

    attempts: Annotated[str, Field(min_length=1)] | None = None
    """A file of JSON lines, or a folder of attempts that manyways wrote."""

    model: ModelConfig | None = None
    """Sampled here with plain prompts, with the temperature and top_p of ``[generate]``."""

    samples: Positive | None = None
    """Attempts of ``model`` at each problem, 16 when left out."""

    max_tokens: Positive | None = None
    """Longest attempt of ``model``; that of ``[generate]`` when left out."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.attempts is None) == (self.model is None):
            raise ValueError("give exactly one of attempts and model")
        if self.attempts is not None and (self.samples or self.max_tokens):
            raise ValueError("samples and max_tokens are for model: attempts are all read")
        return self
