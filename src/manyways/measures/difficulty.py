"""Problems of the right difficulty: those that a model solves as often as the recipe says.

One mechanism for the three places that may have such a range: the pool (``generate.pass_rate``),
RL (``rl.pass_rate``) and validation (``rl.evaluate_pass_rate``). Benchmarks have none. Rates come
from plain attempts that stay on disk. They are counted again whenever problems are chosen, so that
no stored choice can be out of date.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from manyways.arms import Line
from manyways.errors import DataError, MissingWork, Untrusted
from manyways.records import PLAIN, Problem
from manyways.run_dir import Stamp, benchmark_slug
from manyways.tables import count_correct

if TYPE_CHECKING:
    from manyways.context import Context

RL_FOLDER = "4-rates"
VALIDATION_FOLDER = "1-rates"


@dataclass(frozen=True, kw_only=True, slots=True)
class ProblemsInRange:
    """The problems of the right difficulty, and how many are left out."""

    problems: list[Problem]
    harder: int
    easier: int
    sentence: str

    @property
    def counts(self) -> dict[str, float]:
        """For the stamp of the work that chose them."""
        return {"too_hard": self.harder, "too_easy": self.easier}


@dataclass(frozen=True, kw_only=True, slots=True)
class RatedProblems:
    """Problems, and where the attempts lie that say how often each is solved.

    key:      the key of the range in the recipe.
    wanted:   the range itself; None takes every problem.
    folder:   where the attempts lie.
    attempts: number of plain attempts at each problem.
    use:      what a problem in the range is used for, in words.
    stage:    the verb that makes the attempts.
    """

    key: str
    wanted: tuple[float, float] | None
    problems: Sequence[Problem]
    folder: Path
    attempts: int
    use: str
    stage: str

    def in_range(self) -> ProblemsInRange:
        """The problems inside the range, which includes its ends.

        Raises MissingWork when a rate is not measured, DataError when no problem is left.
        """
        total = len(self.problems)
        if self.wanted is None:
            return ProblemsInRange(problems=list(self.problems), harder=0, easier=0, sentence="")
        rates = self._rates()
        if not all(problem.id in rates for problem in self.problems):
            raise MissingWork(f"{self.key}: the rates are not measured yet: run {self.stage}.")
        low, high = self.wanted
        kept = [problem for problem in self.problems if low <= rates[problem.id] <= high]
        harder = sum(rates[problem.id] < low for problem in self.problems)
        easier = total - len(kept) - harder
        if not kept:
            raise DataError(
                f"of {total} problems none is solved as often as {self.key} = [{low}, {high}] "
                f"wants ({harder} less often, {easier} more often): widen it, or choose other "
                "problems."
            )
        return ProblemsInRange(
            problems=kept,
            harder=harder,
            easier=easier,
            sentence=f"{len(kept)} of {total} problems are {self.use}; {harder} that are solved "
            f"less often than {self.key} says are left out, and {easier} that are solved more "
            "often.",
        )

    def _rates(self) -> dict[str, float]:
        """Problem -> share of correct attempts; undecided ones count as not correct."""
        counted = count_correct(self.folder, self.attempts, heuristic=PLAIN)
        return {
            name: right / tried
            for name, (tried, right) in counted.items()
            if tried == self.attempts
        }


def of_pool(ctx: "Context") -> RatedProblems:
    """The pool's problems. The base model's own pool says which, also for other pools of the run.

    Its plain attempts come first, at every problem.
    """
    while ctx.origin is not None:
        ctx = ctx.origin
    generate = ctx.recipe.generate
    return RatedProblems(
        key="generate.pass_rate",
        wanted=generate.pass_rate,
        problems=ctx.problems(generate.problems, generate.limit),
        folder=ctx.run.path("1-attempts"),
        attempts=generate.plain_samples,
        use="in the pool",
        stage="generate",
    )


def of_rl(ctx: "Context", line: Line) -> RatedProblems:
    """The problems of RL for ``line``, rated by attempts of the base model or of its gate."""
    rl = ctx.recipe.rl
    own = rl.pass_rate_of == "start"
    return RatedProblems(
        key="rl.pass_rate",
        wanted=rl.pass_rate,
        problems=ctx.problems(rl.problems, rl.limit),
        folder=ctx.run.arm_path(line.arm, line.seed, "4-gate") if own else ctx.run.path(RL_FOLDER),
        attempts=rl.group_size,
        use="trained on",
        stage="gate",
    )


def of_validation(ctx: "Context", name: str) -> RatedProblems:
    """The problems of ``name`` that evaluations during training use: the same for every arm."""
    rl = ctx.recipe.rl
    return RatedProblems(
        key="rl.evaluate_pass_rate",
        wanted=rl.evaluate_pass_rate,
        problems=ctx.problems(name, rl.evaluate_limit),
        folder=ctx.run.path(VALIDATION_FOLDER, benchmark_slug(name)),
        attempts=rl.evaluate_attempts,
        use=f"evaluated during training, of {name}",
        stage="generate",
    )


def range_in_request(wanted: tuple[float, float] | None) -> dict[str, object]:
    """What a range adds to the request of a piece of work; nothing where there is none."""
    return {"pass_rate": list(wanted)} if wanted else {}


def left_out_sentence(key: str, stamps: Iterable[Stamp]) -> str:
    """A sentence on what finished work left out by the range ``key``; empty without such work."""
    counts = [stamp.counts for stamp in stamps if "too_hard" in stamp.counts]
    harder, easier = (int(sum(c[name] for c in counts)) for name in ("too_hard", "too_easy"))
    if not counts:
        return ""
    return (
        f"{harder} problems that the base model solves less often than {key} says are left out, "
        f"and {easier} that it solves more often."
    )


def count_in_range(rated: Callable[[], RatedProblems], every: int) -> int:
    """The number of problems in the range; ``every`` while the rates are not known."""
    with suppress(MissingWork, DataError, Untrusted):
        return len(rated().in_range().problems)
    return every


def pool_size(ctx: "Context") -> int:
    """The number of problems of the pool; an upper bound while the rates are not known."""
    generate = ctx.recipe.generate
    return count_in_range(lambda: of_pool(ctx), ctx.count(generate.problems, generate.limit))
