"""``manyways passk``: pass@k, avg@N and majority@k with intervals, of attempts of any tool.

Attempts lie in folders of parquet parts, which ``manyways evaluate`` or ``generate`` wrote, or in a
file of rows. A row is ``{"problem": "p1", "correct": true}``; for a majority it also has
``"answer": "12"`` (or null). Any row that ``answers`` reads will do as well, if it names its
problem. It is verified here as ``manyways verify`` does. Rows may have any order, and problems any
number of attempts.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from manyways.commands.answers import Case, Reader, Reading
from manyways.errors import DataError, UserError
from manyways.metrics.intervals import Resampling, rising_bounds, score_intervals
from manyways.metrics.majority import majority_at_k
from manyways.metrics.pass_at_k import pass_at_k, powers_of_two, sampling_variance
from manyways.progress import Meter, open_table, print_result, say
from manyways.records import Problem, Score
from manyways.reporting.words import plural
from manyways.row_files import Row, read_rows
from manyways.tables import read_attempts_table, write_text
from manyways.verifiers import verifier_of
from manyways.verifiers.answers.votes import Said, same_votes
from manyways.verifiers.verdicts import Verifiers

BATCH = 512
FORMS = (
    'a row is {"problem": "p1", "correct": true} or '
    '{"problem": "p1", "gold": "1/2", "prediction": "0.5"}, or what `manyways verify` reads; '
    "--problem names the column that says which problem a row is about."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifiedAttempt:
    """What scores need of one attempt.

    Example: ``VerifiedAttempt(problem="p1", status="correct", vote="1/2")``.

    vote:      its answer in a majority, None for no answer (``verifiers.answers.votes``).
    votes:     whether ``vote`` is known. If not, there is no majority.
    truncated: None if it is not known.
    """

    problem: str
    status: str
    vote: str | None = None
    votes: bool = True
    truncated: bool | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FileScore:
    """One score. ``left_out``: how many problems have too few attempts and do not count in it."""

    score: Score
    left_out: int


@dataclass(frozen=True, kw_only=True, slots=True)
class FileScores:
    """The scores of one file or folder.

    least, most:   the fewest and the most attempts at a problem.
    average_error: standard error of avg@N across attempts, None if a problem has only one.
    shares:        of all attempts: correct, wrong, no_answer, undecided, and truncated if known.
    majority:      empty if answers are not known or cannot vote; ``no_majority`` says why.
    """

    source: str
    attempts: int
    problems: int
    least: int
    most: int
    average: FileScore
    average_error: float | None
    passes: tuple[FileScore, ...]
    majority: tuple[FileScore, ...]
    no_majority: str
    shares: dict[str, float]


def passk(
    path: Path, *, k: str | None, out: Path | None, workers: int, reading: Reading | None = None
) -> list[FileScores]:
    """Score every file or folder at ``path``. Print a table, and write JSON to ``out`` if given.

    k:       for example ``1,8,64``. Default: powers of two up to the most attempts at a problem.
    reading: how to read rows that are not ours.

    Raises DataError for a file that cannot be read, UserError for a k that is too large.
    """
    ks = _numbers(k) if k is not None else None
    found = [
        score_attempts(name, attempts, ks)
        for name, attempts in read_sources(path, workers=workers, reading=reading).items()
    ]
    _print(found)
    if out is not None:
        write_text(out, json.dumps([asdict(one) for one in found], indent=1, ensure_ascii=False))
        say(f"passk: {out}")
    return found


def score_attempts(
    source: str, attempts: Sequence[VerifiedAttempt], ks: Sequence[int] | None = None
) -> FileScores:
    """All scores of ``attempts``. Undecided attempts count as not correct.

    A problem with fewer than k attempts has no unbiased pass@k and is left out of that k only.

    Raises UserError when a k of ``ks`` is larger than every problem's number of attempts.
    """
    # Problems are sorted by name. So intervals do not depend on the order of rows, and they equal
    # those of the report, which resamples the same problems in this order.
    groups: dict[str, list[VerifiedAttempt]] = {
        name: [] for name in sorted({a.problem for a in attempts})
    }
    for attempt in attempts:
        groups[attempt.problem].append(attempt)
    n_P = np.array([len(group) for group in groups.values()])
    c_P = np.array([sum(a.status == "correct" for a in group) for group in groups.values()])
    least, most = int(n_P.min()), int(n_P.max())
    ks = ks or powers_of_two(most)
    if max(ks) > most:
        raise UserError(f"--k {max(ks)}: no problem of '{source}' has more than {most} attempts.")
    # One attempt without a known answer rules majorities out: those of the others would be biased.
    silent = sum(not attempt.votes for attempt in attempts)
    variance = float(sampling_variance(n_P, c_P).sum()) / len(n_P) ** 2
    name = f"avg@{least}" if least == most else f"avg@{least}-{most}"
    return FileScores(
        source=source,
        attempts=len(attempts),
        problems=len(n_P),
        least=least,
        most=most,
        average=_measured(name, c_P / n_P),
        average_error=None if np.isnan(variance) else variance**0.5,
        passes=_rising([_measured(f"pass@{k}", pass_at_k(n_P, c_P, k)) for k in ks]),
        majority=() if silent else tuple(_majority(list(groups.values()), ks)),
        no_majority=f"the answers of {silent} of {len(attempts)} attempts are not known (programs, "
        'or rows without "answer")' if silent else "",
        shares=_shares(attempts),
    )  # fmt: skip


def _rising(passes: Sequence[FileScore]) -> tuple[FileScore, ...]:
    """The scores with the bounds of the report, which do not fall with k on the same problems."""
    if any(one.left_out for one in passes):
        return tuple(passes)
    low_K, high_K = rising_bounds(*(np.array([getattr(one.score, end) for one in passes])
                                    for end in ("low", "high")))  # fmt: skip
    return tuple(
        replace(one, score=replace(one.score, low=float(low), high=float(high)))
        for one, low, high in zip(passes, low_K, high_K, strict=True)
    )


def _majority(
    groups: Sequence[Sequence[VerifiedAttempt]], ks: Sequence[int]
) -> Iterator[FileScore]:
    values_PK = np.stack(
        [
            majority_at_k([a.vote for a in group], [a.status == "correct" for a in group], ks)
            for group in groups
        ]
    )
    for i, k in enumerate(ks):
        yield _measured(f"maj@{k}", values_PK[:, i])


def _measured(name: str, values_P: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> FileScore:
    used_P = values_P[~np.isnan(values_P)]
    mean, low, high = (float(bound[0]) for bound in score_intervals(used_P, Resampling()))
    score = Score(name=name, value=mean, low=low, high=high, n=len(used_P))
    return FileScore(score=score, left_out=len(values_P) - len(used_P))


def _shares(attempts: Sequence[VerifiedAttempt]) -> dict[str, float]:
    total = len(attempts)
    shares = {
        status: sum(attempt.status == status for attempt in attempts) / total
        for status in ("correct", "wrong", "no_answer", "undecided")
    }
    if all(attempt.truncated is not None for attempt in attempts):
        shares["truncated"] = sum(bool(attempt.truncated) for attempt in attempts) / total
    return shares


def _numbers(text: str) -> list[int]:
    try:
        ks = sorted({int(part) for part in text.split(",")})
    except ValueError:
        ks = [0]
    if ks[0] < 1:
        raise UserError(f"--k {text}: write whole numbers from 1 on, like --k 1,8,64.")
    return ks


def _print(found: Sequence[FileScores]) -> None:
    table = open_table("attempts of", "score", "value", "95% interval", "problems", "left out")
    for one in found:
        for measured in (one.average, *one.passes, *one.majority):
            score = measured.score
            table.add_row(
                one.source, score.name, f"{score.value:.4f}",
                f"{score.low:.4f} to {score.high:.4f}", str(score.n), str(measured.left_out),
            )  # fmt: skip
    print_result(table)
    for one in found:
        for sentence in _sentences(one):
            say(f"{one.source}: {sentence}")


def _sentences(one: FileScores) -> Iterator[str]:
    each = str(one.least) if one.least == one.most else f"{one.least} to {one.most}"
    shares = ", ".join(f"{100 * share:.1f}% {name}" for name, share in one.shares.items())
    yield f"{one.attempts} attempts at {plural(one.problems, 'problem')}, {each} each: {shares}."
    if one.average_error is not None:
        yield f"standard error of {one.average.score.name} across attempts {one.average_error:.4f}."
    short = [m for m in one.passes if m.left_out]
    if short:
        yield (
            f"from {short[0].score.name} on, problems with fewer than k attempts are left out: "
            "there is no unbiased estimate for them."
        )
    if one.no_majority:
        yield f"no majority: {one.no_majority}."


def read_sources(
    path: Path, *, workers: int, reading: Reading | None = None
) -> dict[str, list[VerifiedAttempt]]:
    """Name of each file or folder -> its attempts, in order.

    Raises DataError if there are none, and with the line for a row that cannot be read.
    """
    with Verifiers(workers=workers, policy="lenient") as verifiers:
        if str(path) != "-" and path.is_dir():
            folders = sorted({part.parent for part in path.rglob("part-*.parquet")})
            folders = [one for one in folders if "stale" not in one.relative_to(path).parts]
            if not folders:
                raise DataError(
                    f"'{path}' holds no attempts, as it has no part-*.parquet: name a file, or a "
                    "folder that `manyways generate` or `manyways evaluate` wrote."
                )
            return {
                str(one.relative_to(path)) if one != path else one.name: _of_folder(one, verifiers)
                for one in folders
            }
        found = _of_file(path, reading, verifiers)
    if not found:
        raise DataError(f"'{path}' holds no attempts: {FORMS}")
    return {path.name: found}


def _of_folder(folder: Path, verifiers: Verifiers) -> list[VerifiedAttempt]:
    table = read_attempts_table(folder, ["problem_id", "status", "answer", "rule", "finish"])
    rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
    said = [
        # The rule says if a letter of an option was read.
        Said(name, answer, "choice" if rule.endswith("/letter") else "math")
        for name, _, answer, rule, _ in rows
    ]
    return [
        VerifiedAttempt(
            problem=problem,
            status=status,
            vote=vote,
            votes=not rule.startswith("tests/"),  # the rule of a program
            truncated=finish == "length",
        )
        for (problem, status, _, rule, finish), vote in zip(
            rows, same_votes(said, verifiers), strict=True
        )
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Given:
    """An attempt as its row gives it: with its status, or with the case to verify."""

    name: str
    status: str = "no_answer"
    said: str | None = None
    votes: bool = True
    case: Case | None = None


def _of_file(path: Path, reading: Reading | None, verifiers: Verifiers) -> list[VerifiedAttempt]:
    given = list(_given(path, reading))
    with Meter("passk", total=len(given), unit="attempts") as meter:
        verified: list[_Given] = []
        for start in range(0, len(given), BATCH):
            batch = given[start : start + BATCH]
            verified += _verified(batch, verifiers)
            meter.advance(len(batch))
    said = [
        Said(one.name, one.said, *_voting(one.case.problem if one.case else None))
        for one in verified
    ]
    return [
        VerifiedAttempt(problem=one.name, status=one.status, vote=vote, votes=one.votes)
        for one, vote in zip(verified, same_votes(said, verifiers), strict=True)
    ]


def _voting(problem: Problem | None) -> tuple[str, tuple[str, ...]]:
    return ("math", ()) if problem is None else (problem.verifier, problem.choices)


def _given(path: Path, reading: Reading | None) -> Iterator[_Given]:
    reader = Reader(path, reading, once=True, forms=FORMS)
    for row in read_rows(path):
        value = row.value
        if isinstance(value, Mapping) and "correct" in value and "gold" not in value:
            try:
                yield _stated(value)
            except ValueError as error:
                raise DataError(f"{path}, {row.where}: {error}; {FORMS}") from None
            continue
        for case in reader.cases(row):
            yield _to_verify(path, row, case)


def _stated(record: Mapping[str, Any]) -> _Given:
    name = record.get("problem", record.get("problem_id"))
    if isinstance(name, bool) or not isinstance(name, str | int):
        raise ValueError("no 'problem' that says which problem was attempted (a text or a number)")
    correct, answer = record["correct"], record.get("answer")
    if correct not in (0, 1):
        raise ValueError(f"'correct' is {correct!r}, not true or false (or 1 or 0)")
    if answer is not None and not isinstance(answer, str | int | float):
        raise ValueError("'answer' is no text")
    return _Given(
        name=str(name),
        status="correct" if correct else "wrong",
        said=None if answer is None else str(answer),
        votes="answer" in record,
    )


def _to_verify(path: Path, row: Row, case: Case) -> _Given:
    if case.name is None:
        raise DataError(
            f"{path}, {row.where}: no 'problem' that says which problem was attempted; {FORMS}"
        )
    return _Given(
        name=case.name, votes=verifier_of(case.problem.verifier).votes != "none", case=case
    )


def _verified(given: Sequence[_Given], verifiers: Verifiers) -> Iterator[_Given]:
    pairs = [(one.case.problem, one.case.text) for one in given if one.case]
    verdicts = iter(verifiers.verdicts([(p, text) for p, text in pairs if text is not None]))
    for one in given:
        if one.case is None or one.case.text is None:
            yield one
        else:
            verdict = next(verdicts)
            yield replace(one, status=verdict.status, said=verdict.answer)
