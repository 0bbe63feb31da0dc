"""Run folders made by hand: a tiny recipe, a few problems, a labeller that reads marks like <a>."""

import re
from pathlib import Path

from manyways.context import Context
from manyways.measures.material import Material
from manyways.measures.seen import Seen
from manyways.problems import Source
from manyways.recipe.tree import Recipe
from manyways.records import Attempt, Exemplar, Heuristic, Problem, Segment, Verdict
from manyways.run_dir import RunDir
from manyways.stages.analyse import EARLIER
from manyways.tables import append_attempts

MARK = re.compile(r"<(\w+)>")


def load(split: str, source: Source) -> list[Problem]:
    """``made_runs:load/<split>?count=N``: questions whose answer is their number.

    Every split has its own questions, as training and evaluation must. ``options=N``: each has so
    many to choose from.
    """
    count = int(source.options.get("count", "4"))
    choices = tuple(map(str, range(int(source.options.get("options", "0")))))
    head = "" if split == "seed" else f"For {split}: "
    return [
        Problem(
            id=f"made/{split}/{i:03d}",
            question=f"{head}What is {i} + 0?",
            answer=str(i),
            choices=choices,
        )
        for i in range(count)
    ]


class MarkLabeller:
    """A step shows heuristic ``a`` when it holds ``<a>``; adherence is the share of such steps."""

    def segments(self, text: str) -> list[Segment]:
        found = ((line, MARK.search(line)) for line in text.splitlines() if line.strip())
        return [Segment(text=line, heuristic=mark[1] if mark else None) for line, mark in found]

    def adherence(self, text: str, heuristic: Heuristic) -> float:
        steps = self.segments(text)
        return sum(s.heuristic == heuristic.id for s in steps) / len(steps) if steps else 0.0


def labeller(pack: tuple[Heuristic, ...]) -> MarkLabeller:
    return MarkLabeller()


def heuristic(name: str) -> Heuristic:
    exemplar = Exemplar(question="1 + 1?", solution=f"<{name}> \\boxed{{2}}", answer="2")
    return Heuristic(
        id=name, name=name.upper(), family="f", question="?", instruction="Do it.",
        exemplars=(exemplar,),
    )  # fmt: skip


def context(
    root: Path,
    *,
    arms: tuple[str, ...] = ("vanilla", "star", "heuristics-2"),
    pack: tuple[str, ...] = ("a", "b", "c"),
    **changes: dict[str, object],
) -> Context:
    """A context over ``root``; ``changes`` override fields of sections of the recipe."""
    sections: dict[str, dict[str, object]] = {
        "model": {"path": "nowhere"},
        "heuristics": {"count": len(pack), "labeller": "made_runs:labeller"},
        "generate": {"problems": "made_runs:load/seed?count=4", "max_tokens": 9},
        "select": {},
        "probe": {},
        "midtrain": {"steps": 5, "learning_rate": 1e-4, "max_length": 64},
        "rl": {
            "problems": "made_runs:load/rl", "steps": 5, "learning_rate": 1e-5, "max_tokens": 9,
        },
        "evaluate": {
            "benchmarks": ["made_runs:load/test?count=12", "made_runs:load/hard?count=10"],
            "attempts": 4, "max_tokens": 9,
        },
        "analyse": {"bootstrap": 200, "explorer_problems": 3},
    }  # fmt: skip
    top = {key: changes.pop(key) for key in ("seeds",) if key in changes}
    for name, change in changes.items():
        sections[name] = sections.get(name, {}) | change
    recipe = Recipe.model_validate({"name": "made", "arms": list(arms), **top, **sections})
    ctx = Context(recipe=recipe, run=RunDir(root=root, writer=True))
    ctx.__dict__["pack"] = tuple(heuristic(name) for name in pack)
    return ctx


def attempt(problem: str, way: str = "plain", sample: int = 0, **fields: object) -> Attempt:
    """An attempt: correct, stopped, text of its own unless told otherwise."""
    status = str(fields.pop("status", "correct"))
    reason = str(fields.pop("reason", ""))
    defaults: dict[str, object] = {
        "seed": 1, "text": f"<{way}> {problem} try {sample} by {way} all alone", "finish": "stop",
        "prompt_tokens": 5, "tokens": 7, "prompt_hash": "p", "model_hash": "m",
    }  # fmt: skip
    verdict = Verdict(status=status, answer="1", rule="r", reason=reason)
    row = {"problem_id": problem, "heuristic": way, "sample": sample, "verdict": verdict}
    return Attempt(**(defaults | fields | row))  # type: ignore[arg-type]


def put_pool(ctx: Context, attempts: list[Attempt]) -> None:
    append_attempts(ctx.run.path("1-attempts"), attempts)


def put_evaluation(ctx: Context, checkpoint: str, benchmark: str, attempts: list[Attempt]) -> None:
    append_attempts(ctx.run.eval_path(checkpoint, benchmark), attempts)


def seen_of(ctx: Context) -> Seen:
    """The run while it is analysed."""
    return Seen(name="made", recipe=ctx.recipe, from_run=Material(ctx, EARLIER))
