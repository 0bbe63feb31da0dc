"""1 generate, for distilled arms: attempts of another model are sampled or read, and verified.

A file has one attempt in each line: ``{"problem": "gsm8k/train/00042", "text": "..."}``. It may
give the problem's ``question`` in place of its id, and ``prediction`` or ``completion`` in place of
``text``. ``"finish": "length"`` says that the attempt was cut off. A folder holds files of attempts
that manyways wrote in any run. Verdicts in the source are not used.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from manyways.context import VERDICTS, Context, settings_of, verify_identity
from manyways.errors import DataError
from manyways.fingerprint import content_hash
from manyways.measures.difficulty import of_pool, pool_size, range_in_request
from manyways.pool import attempt_files, sampling
from manyways.pool.training_rows import DISTILLED, SAMPLES, distill_settings, distilled_pool
from manyways.progress import Meter, say
from manyways.records import PLAIN, Attempt, Finish, Problem
from manyways.row_files import read_rows
from manyways.run_dir import Amount, Work
from manyways.stages import generate
from manyways.stages.generate import one_spelling
from manyways.tables import append_attempts, parts, read_attempts_table
from manyways.verifiers.verdicts import UNVERIFIED

TEXTS = ("text", "prediction", "completion")
FORM = 'a line is {"problem": "<id>", "text": "..."} or {"question": "...", "text": "..."}.'


@dataclass(frozen=True, kw_only=True, slots=True)
class Trace:
    """One attempt of the source. ``problem``: the id of its problem, or its question.

    Example: ``Trace(problem="gsm8k/train/00042", text="First ...", finish="stop")``.
    """

    problem: str
    text: str
    finish: Finish


def plan(ctx: Context) -> Work:
    """The pool of another model as a piece of work.

    Raises RecipeError without ``[distill]``, DataError when its file or folder does not exist.
    """
    pool, settings = distilled_pool(ctx), distill_settings(ctx)
    if settings.model is not None:
        return generate.plan(pool)
    generating = ctx.recipe.generate
    return pool.run.work(
        "generate",
        identity={
            "format": generate.FORMAT,
            "attempts": source_hash(Path(str(settings.attempts))),
            "problems": ctx.sets.load(generating.problems).fingerprint,
            "limit": generating.limit,
            **range_in_request(generating.pass_rate),
            "distill": settings_of(settings, "attempts", "model", "samples", "max_tokens"),
            "prompt": settings_of(ctx.recipe.prompt),
            "verify": verify_identity(ctx.recipe.verify),
            "verdicts": VERDICTS,
        },
        outputs=(pool.run.path("1-attempts"),),
    )


def run(ctx: Context) -> None:
    """Sample or read the attempts of another model.

    Raises DataError when no attempt of the source is at a problem of the run, or when a line cannot
    be read; VerifierUnwell when too many answers are undecided.
    """
    pool, settings = distilled_pool(ctx), distill_settings(ctx)
    if settings.model is not None:
        generate.run(pool)
        return
    work = plan(ctx)
    if work.done:
        say("generate/distilled: finished earlier.")
        return
    with work:
        counts = _take_over(
            ctx, pool, path=Path(str(settings.attempts)), source=work.identity["attempts"]
        )
        work.counts.update(counts)
    say(sampling.sentence("generate/distilled", work))


def amount(ctx: Context) -> list[Amount]:
    """The attempts to sample; none if they are read from a file."""
    settings = distill_settings(ctx)
    attempts = pool_size(ctx) * (settings.samples or SAMPLES) if settings.model else 0
    return [
        Amount(
            work=f"generate/{DISTILLED}",
            stage="generate",
            attempts=attempts,
            bound=attempts * (settings.max_tokens or ctx.recipe.generate.max_tokens),
            prompts="plain",
        )
    ]


def check_source(path: Path) -> None:
    """Raises DataError when ``path`` is neither a file nor a folder of attempts."""
    if not (path.is_file() or (path.is_dir() and parts(path))):
        raise DataError(
            f"distill.attempts: '{path}' is neither a file nor a folder with part-*.parquet; {FORM}"
        )


def source_hash(path: Path) -> str:
    """16 hex digits over a file, or over the files of a folder. Raises as ``check_source``."""
    check_source(path)
    if path.is_file():
        return content_hash([path.read_bytes().decode("utf-8", "replace")])
    return content_hash(f"{part.name} {part.stat().st_size}" for part in parts(path))


def read_traces(path: Path) -> Iterator[Trace]:
    """The attempts of a file or folder, in order. Raises DataError naming the line."""
    if path.is_dir():
        table = read_attempts_table(path, ["problem_id", "text", "finish"])
        for row in table.to_pylist():
            yield Trace(problem=row["problem_id"], text=row["text"], finish=row["finish"])
        return
    for row in read_rows(path):
        try:
            yield _trace(row.value)
        except ValueError as error:
            raise DataError(f"{path}, {row.where}: {error}; {FORM}") from None


def _trace(record: object) -> Trace:
    if not isinstance(record, dict):
        raise ValueError("not a JSON object")
    named = (record.get(key) for key in ("problem", "problem_id", "question"))
    problem = next((name for name in named if isinstance(name, str)), None)
    text = next((record[key] for key in TEXTS if isinstance(record.get(key), str)), None)
    if problem is None or text is None:
        missing = "'problem' or 'question'" if problem is None else "'text'"
        raise ValueError(f"no {missing} that is a text")
    finish = record.get("finish", "stop")
    if finish not in ("stop", "length", "error"):
        raise ValueError(f"'finish' is {finish!r}, not 'stop' or 'length'")
    return Trace(problem=problem, text=text, finish=cast(Finish, finish))


def _attempts(
    problems: Sequence[Problem], path: Path, source: object
) -> list[tuple[Problem, Attempt]]:
    """(problem, attempt) for every attempt at one of ``problems``.

    ``sample`` counts the attempts at a problem in the order of the source. ``source``: its hash.
    """
    by_name = {one_spelling(problem.question): problem for problem in problems}
    by_name |= {one_spelling(problem.id): problem for problem in problems}
    model, strangers = f"file:{source}", 0
    numbers: Counter[str] = Counter()
    found = []
    for trace in read_traces(path):
        problem = by_name.get(one_spelling(trace.problem))
        if problem is None:
            strangers += 1
            continue
        attempt = Attempt(
            problem_id=problem.id, heuristic=PLAIN, sample=numbers[problem.id], seed=0,
            text=trace.text, finish=trace.finish, prompt_tokens=0, tokens=0, prompt_hash="",
            model_hash=model, verdict=UNVERIFIED,
        )  # fmt: skip
        numbers[problem.id] += 1
        found.append((problem, attempt))
    if not found:
        raise DataError(
            f"distill.attempts: none of the {strangers} attempts in '{path}' is at a problem of "
            f"generate.problems, whose ids look like '{problems[0].id}'; {FORM}"
        )
    if strangers:
        say(f"generate/distilled: {strangers} attempts are at other problems and left out.")
    return found


def _take_over(ctx: Context, pool: Context, *, path: Path, source: object) -> dict[str, float]:
    """Verify the attempts that the pool lacks and append them; returns the counts of the pool."""
    folder = pool.run.path("1-attempts")
    attempt_files.remove_leftovers(folder)
    generating = ctx.recipe.generate
    asked = _attempts(of_pool(ctx).in_range().problems, path, source)
    there = attempt_files.held(folder).keys
    missing = [(p, a) for p, a in asked if (a.problem_id, a.heuristic, a.sample) not in there]
    with Meter("generate/distilled", total=len(missing), unit="attempts") as meter:
        for start in range(0, len(missing), generating.part_size):
            batch = missing[start : start + generating.part_size]
            verdicts = ctx.verifiers.verdicts([(problem, one.text) for problem, one in batch])
            verified = zip(batch, verdicts, strict=True)
            append_attempts(folder, [replace(one, verdict=found) for (_, one), found in verified])
            meter.advance(len(batch))
    attempt_files.check_undecided(folder, limit=ctx.recipe.verify.max_undecided)
    wanted = Counter((a.problem_id, a.heuristic) for _, a in asked)
    return {**attempt_files.counts(folder, wanted), "problems": len(wanted)}
