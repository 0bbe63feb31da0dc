"""What each arm mid-trains on: every arm's examples come from a pool of solutions.

Besides the run's own pool there are pools of later rounds (``RUN/pools/<arm>/seed-<s>/``) and of
another model (``RUN/pools/distilled/``). Each has 1-attempts, 2-solutions.parquet and stamps, like
the run folder. The stages that make and read a pool do not know which one it is: their context has
the pool's folder as its run folder and the pool's model as its writer.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from manyways.arms import Arm, Line, parse_arm
from manyways.arms.kinds import Kept
from manyways.context import Context, Writer, model_hash, place_of, served_hash
from manyways.errors import MissingWork, NothingToTrainOn, RecipeError
from manyways.measures.difficulty import of_pool
from manyways.recipe.pool import DistillConfig
from manyways.records import PLAIN, Problem
from manyways.run_dir import POOLS
from manyways.tables import parts, read_attempts_table, read_table

DISTILLED = "distilled"
SAMPLES = 16
"""Default of ``distill.samples``: attempts of another model at each problem."""


def pool_of(ctx: Context, line: Line) -> Context:
    """The context of the pool that ``line`` is trained on: ``ctx`` itself, except for these arms.

    | arm         | pool                                                                        |
    |-------------|-----------------------------------------------------------------------------|
    | ...@roundR  | attempts of the checkpoint of round R - 1 of the same arm and seed, under   |
    |             | the heuristics that the arm trains on                                       |
    | distilled-N | attempts of ``[distill]``, plain prompts                                    |

    Raises MissingWork when the checkpoint of the round before does not exist yet.
    """
    arm = parse_arm(line.arm)
    if arm.kind.foreign:
        return distilled_pool(ctx)
    if arm.round == 1 or ctx.writer is not None:
        return ctx
    path = ctx.path_of(line.origin)
    # A seed of its own for each round: with the same seeds, texts tend to be the same.
    writer = Writer(path=path, hash=model_hash(ctx, path), seed=1000 * arm.round + line.seed)
    return _beside(
        ctx, line.name, writer, ways=ways_of(ctx, arm), plain=arm.kind.prompts == "plain"
    )


def distilled_pool(ctx: Context) -> Context:
    """The context of the pool of another model, which has plain prompts only.

    Its writer is the model of ``[distill]``. For attempts from a file it is a name that cannot be
    loaded.

    Raises RecipeError without ``[distill]``.
    """
    if ctx.writer is not None:
        return ctx
    settings = distill_settings(ctx)
    model = settings.model
    if model is None:
        writer = Writer(path=str(settings.attempts), hash="unknown", seed=0)
    else:
        path = place_of(model)
        known = served_hash(model) if model.remote else model_hash(ctx, path)
        writer = Writer(path=path, hash=known, seed=0)
    made = _beside(ctx, DISTILLED, writer, ways=0, plain=True)
    generate = made.recipe.generate.model_copy(
        update={
            "plain_samples": settings.samples or SAMPLES,
            "max_tokens": settings.max_tokens or ctx.recipe.generate.max_tokens,
            "engine": None,
            "sampling": "fixed",
        }
    )
    recipe = made.recipe.model_copy(
        update={"generate": generate, "model": model or ctx.recipe.model}
    )
    return replace(made, recipe=recipe)


def distill_settings(ctx: Context) -> DistillConfig:
    """The table ``[distill]``. Raises RecipeError when the recipe has none."""
    if ctx.recipe.distill is None:
        raise RecipeError(
            "distilled arms train on attempts of another model: say which in [distill], "
            "attempts = '<file>' or model = { path = '...' }."
        )
    return ctx.recipe.distill


def ready(ctx: Context, line: Line) -> bool:
    """Whether the pool of ``line`` can be sampled: the model that writes it is trained."""
    return line.before is None or Path(ctx.path_of(line.origin), "config.json").is_file()


def written_by(ctx: Context, line: Line) -> str:
    """The model that wrote the texts that ``line`` is trained on, in words."""
    if line.distils:
        settings = distill_settings(ctx)
        return f"another model: {settings.model.path if settings.model else settings.attempts}"
    return line.origin.name


def ways_of(ctx: Context, arm: Arm) -> int:
    """The number of heuristics of the pack that the arm's data comes from."""
    several = {"first": arm.ways, "all": ctx.recipe.heuristics.count}
    return several.get(arm.kind.prompts, 0)


def _beside(ctx: Context, name: str, writer: Writer, *, ways: int, plain: bool) -> Context:
    recipe = ctx.recipe
    # A server holds the base model only; a checkpoint of the run is sampled by ``model.engine``.
    served = recipe.model.under(recipe.generate.engine).remote
    changed = {"samples": recipe.generate.samples if ways else 0}
    changed |= {"plain_samples": recipe.generate.plain_samples if plain else 0}
    generate = recipe.generate.model_copy(update=changed | ({"engine": None} if served else {}))
    heuristics = recipe.heuristics.model_copy(update={"count": ways})
    return Context(
        recipe=recipe.model_copy(update={"generate": generate, "heuristics": heuristics}),
        # The pool is in the run folder, so the run's lock holds for it, too.
        run=replace(ctx.run, root=ctx.run.path(POOLS, *name.split("/"))),
        origin=ctx,
        writer=writer,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingRow:
    r"""One example of mid-training. ``heuristic`` and ``sample`` identify the attempt.

    Example: ``TrainingRow(problem_id="gsm8k/train/00042", question="Ann has 3 ...",
    heuristic="induction", sample=3, text="First ... \boxed{12}")``.
    """

    problem_id: str
    question: str
    heuristic: str
    sample: int
    text: str


def training_rows(ctx: Context, line: Line) -> list[TrainingRow]:
    """The examples of one line, by ``pick`` of its arm's kind; ordered by problem and pack.

    They come from the pool of ``pool_of``.

    Raises:
        MissingWork: selection has not been run.
        NothingToTrainOn: the arm would be empty; the sentence says what to change.
    """
    arm, ctx = parse_arm(line.arm), ctx.of(line)
    if arm.kind.pick is None:
        return []
    pool = Solutions(pool_of(ctx, line), ctx)
    drawn = arm.kind.pick(pool, arm.ways, line.seed)
    if not drawn:
        raise NothingToTrainOn(_nothing(pool.ctx, arm))
    return [
        TrainingRow(
            problem_id=problem,
            question=pool.problems[problem].question,
            heuristic=way,
            sample=sample,
            text=text,
        )
        for problem, way, (sample, text) in drawn
    ]


@dataclass(frozen=True)
class Solutions:
    """The solutions of a pool, as arms select from it; an ``arms.kinds.Pool``.

    ctx: the context of the pool.
    run: the context of the run, which has the problems.
    """

    ctx: Context
    run: Context

    @cached_property
    def problems(self) -> Mapping[str, Problem]:
        """The run's problems by id, in order."""
        return {p.id: p for p in of_pool(self.run).in_range().problems}

    @property
    def heuristics(self) -> Sequence[str]:
        """Ids of the pool's heuristics, in the pack's order."""
        return [heuristic.id for heuristic in self.ctx.pack]

    @property
    def budget(self) -> int | None:
        """``select.budget``."""
        return self.ctx.recipe.select.budget

    @property
    def favourites(self) -> bool:
        """Whether ``select.budget_way`` is ``favourite``."""
        return self.ctx.recipe.select.budget_way == "favourite"

    def kept(self, *, wrong: bool = False) -> Kept:
        """The kept solutions (or the wrong ones), with problems and ways in the run's order.

        Raises MissingWork when selection has not been run, or was run with another pack.
        """
        columns = ["problem_id", "heuristic", "sample", "text"]
        table = self._read(columns, where="wrong_pool" if wrong else "kept")
        found: dict[str, dict[str, tuple[int, str]]] = {name: {} for name in self.problems}
        rows = zip(*(table[c].to_pylist() for c in columns), strict=True)
        for problem, way, sample, text in rows:
            if problem in found:
                found[problem][way] = (sample, text)
        order = {name: i for i, name in enumerate([*self.heuristics, PLAIN])}
        check_ways(self.ctx, {way for ways in found.values() for way in ways})
        return {
            problem: dict(sorted(ways.items(), key=lambda item: order[item[0]]))
            for problem, ways in found.items()
            if ways
        }

    def correct(self) -> Mapping[str, Mapping[str, int]]:
        """Problem -> heuristic of the pack -> number of correct attempts.

        Raises MissingWork when selection has not been run.
        """
        table = self._read(["problem_id", "heuristic", "status"])
        table = table.filter(pc.equal(table["status"], "correct"))
        cells = zip(table["problem_id"].to_pylist(), table["heuristic"].to_pylist(), strict=True)
        counts = Counter(cells)
        return {
            problem: {way: counts[problem, way] for way in self.heuristics}
            for problem in self.problems
        }

    def plain(self) -> Mapping[str, Sequence[tuple[int, str]]]:
        """Problem -> its plain attempts that are correct and not truncated, by sample.

        Raises MissingWork when the pool has no attempts.
        """
        folder = self.ctx.run.path("1-attempts")
        if not parts(folder):
            raise MissingWork(f"'{folder}' holds no attempts: run the stage generate first.")
        columns = ["problem_id", "heuristic", "sample", "text", "status", "finish"]
        table = read_attempts_table(folder, columns)
        for column, value in (("heuristic", PLAIN), ("status", "correct"), ("finish", "stop")):
            table = table.filter(pc.equal(table[column], value))
        found: dict[str, list[tuple[int, str]]] = {problem: [] for problem in self.problems}
        for row in table.sort_by("sample").to_pylist():
            if row["problem_id"] in found:
                found[row["problem_id"]].append((row["sample"], row["text"]))
        return found

    def _read(self, columns: list[str], where: str | None = None) -> pa.Table:
        path = self.ctx.solutions
        if not path.is_file():
            raise MissingWork(f"'{path}' does not exist: run the stages generate and select first.")
        return read_table(path, columns, where=where)


def check_ways(ctx: Context, ways: Iterable[str]) -> None:
    """Raise MissingWork when a pool has solutions under heuristics that the recipe lacks."""
    if strange := set(ways) - {PLAIN, *(heuristic.id for heuristic in ctx.pack)}:
        settings, root = ctx.recipe.heuristics, ctx.run.root
        raise MissingWork(
            f"'{root}' was sampled under heuristics that are not among the first "
            f"{settings.count} of '{settings.pack}': {', '.join(sorted(strange)[:3])}. Run "
            f"`manyways generate {root}` and `manyways select {root}` again, or set "
            "heuristics.pack and heuristics.count to what they were."
        )


def _nothing(ctx: Context, arm: Arm) -> str:
    if arm.kind.foreign:
        attempts = read_attempts_table(ctx.run.path("1-attempts"), ["status"]).num_rows
        return (
            f"none of the {attempts} attempts of the other model is correct and whole: "
            f"nothing to mid-train arm '{arm.name}' on; see [distill]."
        )
    columns = ["heuristic", "status", "reason"]
    table = read_table(ctx.solutions, columns)
    plain = arm.kind.prompts == "plain"
    is_plain = pc.equal(table["heuristic"], PLAIN)
    table = table.filter(is_plain if plain else pc.invert(is_plain))
    wanted = "wrong" if arm.kind.wrong else "correct"
    hits = table.filter(pc.equal(table["status"], wanted))
    head = f"{hits.num_rows} of {table.num_rows} {'plain ' if plain else ''}attempts {wanted}"
    end = f"nothing to mid-train arm '{arm.name}' on"
    if not hits.num_rows:
        more = "plain_samples" if plain else "samples"
        advice = "" if wanted == "wrong" else ", choose easier problems"
        return (
            f"{head}: {end}; raise generate.{more}{advice} or check the verifier with "
            "`manyways verify`."
        )
    counts = hits["reason"].value_counts().to_pylist()
    reasons = sorted(counts, key=lambda row: (-row["counts"], row["values"]))[:3]
    listed = "; ".join(f"{row['counts']} x {row['values']}" for row in reasons)
    return f"{head} but none kept ({listed}): {end}; lower select.min_adherence or look at them."
