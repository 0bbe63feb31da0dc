"""``manyways passk``: pass@k, avg@N and majority@k with intervals, of attempts from anywhere."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from manyways.commands.attempts_file import JudgedAttempt, read_sources
from manyways.commands.printing import open_table, print_result
from manyways.errors import UserError
from manyways.metrics.intervals import score_intervals
from manyways.metrics.majority import majority_at_k
from manyways.metrics.pass_at_k import pass_at_k, powers_of_two, sampling_variance
from manyways.metrics.resampling import Resampling
from manyways.progress import say
from manyways.records import Score
from manyways.tables import write_text


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """One score. ``left_out``: problems with too few attempts for it, which have no part in it."""

    score: Score
    left_out: int


@dataclass(frozen=True, kw_only=True, slots=True)
class FileScores:
    """The scores of one file or folder.

    least, most:   attempts at a problem.
    average_error: standard error of avg@N across attempts, None where a problem has only one.
    shares:        of all attempts: correct, wrong, no_answer, undecided, and truncated if known.
    majority:      empty where answers are not known or cannot vote; ``no_majority`` says why.
    """

    source: str
    attempts: int
    problems: int
    least: int
    most: int
    average: Measured
    average_error: float | None
    passes: tuple[Measured, ...]
    majority: tuple[Measured, ...]
    no_majority: str
    shares: dict[str, float]


def passk(path: Path, *, k: str | None, out: Path | None, workers: int) -> list[FileScores]:
    """Score every source at ``path``; print a table, and write JSON to ``out`` when given.

    k: for example ``1,8,64``; by default powers of two up to the most attempts at a problem.

    Raises DataError for a file that cannot be read, UserError for a k that nothing has.
    """
    ks = _numbers(k) if k is not None else None
    found = [
        score_attempts(name, attempts, ks)
        for name, attempts in read_sources(path, workers=workers).items()
    ]
    _print(found)
    if out is not None:
        write_text(out, json.dumps([asdict(one) for one in found], indent=1, ensure_ascii=False))
        say(f"passk: {out}")
    return found


def score_attempts(
    source: str, attempts: Sequence[JudgedAttempt], ks: Sequence[int] | None = None
) -> FileScores:
    """All scores of some attempts; undecided ones count as not correct.

    A problem with fewer than k attempts has no unbiased pass@k and is left out of that k alone.

    Raises UserError when a k of ``ks`` is larger than every problem's number of attempts.
    """
    groups: dict[str, list[JudgedAttempt]] = {}
    for attempt in attempts:
        groups.setdefault(attempt.problem, []).append(attempt)
    n_P = np.array([len(group) for group in groups.values()])
    c_P = np.array([sum(a.status == "correct" for a in group) for group in groups.values()])
    least, most = int(n_P.min()), int(n_P.max())
    ks = ks or powers_of_two(most)
    if max(ks) > most:
        raise UserError(f"--k {max(ks)}: no problem of '{source}' has more than {most} attempts.")
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
        passes=tuple(_measured(f"pass@{k}", pass_at_k(n_P, c_P, k)) for k in ks),
        majority=() if silent else tuple(_majority(list(groups.values()), ks)),
        no_majority=f"{silent} of {len(attempts)} attempts come without a known answer (programs, "
        'or lines without "answer")' if silent else "",
        shares=_shares(attempts),
    )  # fmt: skip


def _majority(groups: Sequence[Sequence[JudgedAttempt]], ks: Sequence[int]) -> Iterator[Measured]:
    values_PK = np.stack(
        [
            majority_at_k([a.vote for a in group], [a.status == "correct" for a in group], ks)
            for group in groups
        ]
    )
    for i, k in enumerate(ks):
        yield _measured(f"maj@{k}", values_PK[:, i])


def _measured(name: str, values_P: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> Measured:
    used_P = values_P[~np.isnan(values_P)]
    mean, low, high = (float(bound[0]) for bound in score_intervals(used_P, Resampling()))
    score = Score(name=name, value=mean, low=low, high=high, n=len(used_P))
    return Measured(score=score, left_out=len(values_P) - len(used_P))


def _shares(attempts: Sequence[JudgedAttempt]) -> dict[str, float]:
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
    yield f"{one.attempts} attempts at {one.problems} problems, {each} each: {shares}."
    if one.average_error is not None:
        yield f"standard error of {one.average.score.name} across attempts {one.average_error:.4f}."
    short = [m for m in one.passes if m.left_out]
    if short:
        yield (
            f"{short[0].score.name} and beyond leave out problems with too few attempts: no "
            "unbiased estimate exists for k above a problem's number of attempts."
        )
    if one.no_majority:
        yield f"no majority: {one.no_majority}."
