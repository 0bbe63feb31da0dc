"""Attempts, in whatever order they end, become parts in the order of their cells."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace

from manyways.context import Context
from manyways.engines import Completion, SampleRequest
from manyways.fingerprint import prompt_hash
from manyways.pool import attempt_files
from manyways.pool.attempt_files import Key
from manyways.pool.journal import Journal, Line, Origin
from manyways.pool.requests import Cell, Piece, Sampling
from manyways.records import Attempt
from manyways.tables import append_attempts

ENOUGH = 200
"""Attempts before the undecided share is looked at while sampling goes on."""


class Saver:
    """Takes attempts as they end and writes each part as soon as it and those before it are whole.

    Until then the journal holds them. What the journal of a stopped run holds is taken over.
    """

    def __init__(
        self, ctx: Context, parts: Sequence[Sequence[Piece]], sampling: Sampling, journal: Journal
    ) -> None:
        self._ctx, self._sampling, self._journal = ctx, sampling, journal
        self._parts = list(parts)
        self._lines: dict[Key, Line] = {}
        self._next = 0
        self._seen = Counter(attempt_files.statuses(sampling.folder))
        self._part_of: dict[Key, int] = {}
        for number, part in enumerate(self._parts):
            for piece in part:
                for key in piece.keys:
                    line = journal.find(key)
                    if line and line.origin == self._origin(piece.cell, key):
                        self._lines[key] = line
                    else:
                        self._part_of[key] = number
        self._open = Counter(self._part_of.values())
        self.taken_over = len(self._lines)

    def wanted(self) -> list[list[Piece]]:
        """What has to be sampled for each part; a part that is whole wants nothing."""
        return [[left for piece in part if (left := self._left(piece)).samples]
                for part in self._parts]  # fmt: skip

    def request(self, piece: Piece) -> SampleRequest:
        """The wish for the samples of ``piece``."""
        seeds = tuple(self._sampling.seed(key) for key in piece.keys)
        return SampleRequest(messages=piece.cell.messages, seeds=seeds)

    def add(self, piece: Piece, place: int, completion: Completion) -> None:
        """Take the attempt at ``piece.samples[place]``."""
        key = piece.keys[place]
        line = Line(key=key, origin=self._origin(piece.cell, key), completion=completion)
        self._lines[key] = line
        self._open[self._part_of.pop(key)] -= 1
        self._journal.add(line)

    def write(self) -> bool:
        """Write the parts that are whole now, and the rest to the journal; whether there were any.

        Raises VerifierUnwell once more than ``verify.max_undecided`` of many are undecided.
        """
        first = self._next
        while self._next < len(self._parts) and not self._open[self._next]:
            self._write(self._parts[self._next])
            self._next += 1
        self._journal.save()
        return self._next > first

    def _left(self, piece: Piece) -> Piece:
        wanted = zip(piece.samples, piece.keys, strict=True)
        return replace(piece, samples=tuple(s for s, key in wanted if key in self._part_of))

    def _write(self, part: Sequence[Piece]) -> None:
        attempts = self._judged(part)
        append_attempts(self._sampling.folder, attempts)
        keys = [key for piece in part for key in piece.keys]
        self._journal.fold(keys)
        for key in keys:
            del self._lines[key]
        self._seen.update(attempt.verdict.status for attempt in attempts)
        limit, seen = self._ctx.recipe.verify.max_undecided, self._seen
        if seen.total() >= ENOUGH and seen["undecided"] > limit * seen.total():
            attempt_files.check_undecided(self._sampling.folder, limit=limit)

    def _judged(self, part: Sequence[Piece]) -> list[Attempt]:
        """Attempts in the order of ``part``, judged in one go."""
        rows = [(piece.cell, self._lines[key]) for piece in part for key in piece.keys]
        texts = [(cell.problem, line.completion.text) for cell, line in rows]
        return [
            Attempt(
                problem_id=cell.problem.id,
                heuristic=cell.heuristic,
                sample=line.key[2],
                text=line.completion.text,
                finish=line.completion.finish,
                prompt_tokens=line.completion.prompt_tokens,
                tokens=line.completion.tokens,
                verdict=verdict,
                **asdict(line.origin),
            )
            for (cell, line), verdict in zip(rows, self._ctx.judge.verdicts(texts), strict=True)
        ]

    def _origin(self, cell: Cell, key: Key) -> Origin:
        return Origin(
            seed=self._sampling.seed(key),
            prompt_hash=prompt_hash(cell.messages),
            model_hash=self._sampling.model_hash,
        )
