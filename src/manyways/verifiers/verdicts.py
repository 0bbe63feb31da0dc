"""Verdicts of a run: a fast path in this process, everything else in worker processes.

``Verifiers`` may be used from any thread, in a TRL reward function, and in a Ray actor (it can be
pickled and starts its own workers there). Workers start when an answer needs one.

A worker is killed when its answer's limit of wall clock is over. On a busy machine this could make
a verdict depend on the load. So an answer whose worker got almost no processor time is verified
once more under the same limit, when all others are done.
"""

import os
import threading
import time
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from manyways.errors import NoIsolation, UserError, VerifierUnwell
from manyways.plugins import load, require_trust
from manyways.records import Problem, Verdict
from manyways.verifiers import AUTO, BROUGHT, FUNCTIONS, Verifier, math, verifier_of
from manyways.verifiers.final_answer import Form, Policy, extract, reference

if TYPE_CHECKING:
    from manyways.verifiers.worker_process import Job, WorkerPool


MAX_TEXT = 1_000_000
"""Characters. A longer text is not verified: it is undecided."""
UNVERIFIED = Verdict(status="undecided", reason="not verified yet")
_TOLD_APART_BY = ("question", "answer", "alternatives", "choices", "tests", "entry_point")
LONGEST = 10**9
"""The largest timeout in seconds that clocks can handle."""


class Verifiers:
    """Gives verdicts on texts. Use as a context manager, or call ``close``.

    workers: number of processes for answers that the fast path cannot decide.
    timeout: seconds of wall clock for each answer.
    policy:  policy of extraction (``final_answer``); ``strict`` for rewards.
    form:    the form of final answer that the prompt asks for.
    allow_unsafe_code: run generated programs even without a sandbox.
    isolation, image: where generated programs run (``verifiers.sandbox``).
    """

    def __init__(
        self,
        *,
        workers: int = 2,
        timeout: float = 5.0,
        policy: Policy = "strict",
        form: Form = "boxed",
        allow_unsafe_code: bool = False,
        isolation: str = AUTO,
        image: str | None = None,
    ) -> None:
        if workers < 1 or not 0 < timeout <= LONGEST:
            raise UserError(
                f"verification needs at least 1 worker and a timeout from 0 to {LONGEST:,} seconds."
            )
        self.workers = workers
        self.timeout = timeout
        self.policy: Policy = policy
        self.form: Form = form
        self.allow_unsafe_code = allow_unsafe_code
        self.isolation = isolation
        self.image = image
        self._pool: WorkerPool | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> "Verifiers":
        """The object itself; workers start when needed."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close the workers."""
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        """The settings only: a copy in another process starts its own workers."""
        names = ("workers", "timeout", "policy", "form")
        return {name: getattr(self, name) for name in names} | self._programs

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Rebuild from settings."""
        self.__init__(**state)  # type: ignore[misc]

    def verdicts(
        self, pairs: Sequence[tuple[Problem, str]], *, policy: Policy | None = None
    ) -> list[Verdict]:
        """One verdict for each (problem, text), in order. No text makes it raise an error.

        policy: replaces its own policy for this call.

        Raises UserError when a problem names a verifier that cannot be imported, or when it needs
        to run generated code and there is no sandbox.
        """
        return [verdict for verdict, _ in self.timed(pairs, policy=policy)]

    def timed(
        self, pairs: Sequence[tuple[Problem, str]], *, policy: Policy | None = None
    ) -> list[tuple[Verdict, float]]:
        """``verdicts``, each with the seconds that it took. Equal answers share one job."""
        policy = policy or self.policy
        found: list[tuple[Verdict, float]] = []
        waiting: dict[_Waiting, list[int]] = {}
        for i, (problem, text) in enumerate(pairs):
            start = time.perf_counter()
            early = self._early(problem, text, policy)
            if isinstance(early, _Waiting):
                waiting.setdefault(early, []).append(i)
                early = UNVERIFIED
            found.append((early, time.perf_counter() - start))
        if waiting:
            jobs = [self._job(*pairs[places[0]], policy) for places in waiting.values()]
            replies = self._running().run(jobs)
            broken = next((reply["broken"] for reply in replies if "broken" in reply), None)
            if broken is not None:
                raise UserError(broken)
            for (what, places), reply in zip(waiting.items(), replies, strict=True):
                for i in places:
                    found[i] = (_read(reply, what), reply["seconds"])
        return found

    def why_not(self, verifier: str) -> str:
        """Why the ``verifier`` of this name cannot run here; empty when it can."""
        try:
            self._limit(verifier_of(verifier))
        except NoIsolation as error:
            return error.why
        return ""

    def close(self) -> None:
        """Kill the workers; a later call starts new ones."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    def _early(self, problem: Problem, text: str, policy: Policy) -> "Verdict | _Waiting":
        """A verdict without a worker, or the job to give to one."""
        verifier = verifier_of(problem.verifier)
        if len(text) > MAX_TEXT:
            return Verdict(status="undecided", reason=f"text over {MAX_TEXT} characters")
        if verifier.here == "fast path":
            return self._fast(problem, text, policy)
        if verifier.here == "all":
            verdict: Verdict = _function(verifier.verify)(
                problem, text, policy=policy, form=self.form
            )
            return verdict
        require_trust(verifier.verify, FUNCTIONS | BROUGHT, "verifier")
        return _Waiting((verifier.verify, text, problem.id, _verified_by(problem)))

    def _fast(self, problem: Problem, text: str, policy: Policy) -> "Verdict | _Waiting":
        answer = extract(text, policy=policy, form=self.form)
        if answer is None:
            return Verdict(status="no_answer", rule="none")
        early = math.fast_verdict(problem, answer.answer, answer.rule)
        if early is None and len(answer.answer) > math.MAX_ANSWER:
            reason = f"answer over {math.MAX_ANSWER} characters"
            return Verdict(status="undecided", rule=answer.rule, reason=reason)
        key = (problem.answer, problem.alternatives, answer)
        return early or _Waiting(key, answer.answer, answer.rule)

    def _job(self, problem: Problem, text: str, policy: Policy) -> "Job":
        options = {
            "policy": policy,
            "form": self.form,
            "timeout": self.timeout,
            **self._programs,
        }
        return {
            "verifier": problem.verifier,
            "problem": problem.fields(),
            "text": text,
            "options": options,
            "limit": self._limit(verifier_of(problem.verifier)),
        }

    def _limit(self, verifier: Verifier) -> float:
        if not verifier.seconds:
            return self.timeout
        return float(_function(verifier.seconds)(self.timeout, **self._programs))

    @property
    def _programs(self) -> dict[str, Any]:
        """The options that say where programs run."""
        names = ("allow_unsafe_code", "isolation", "image")
        return {name: getattr(self, name) for name in names}

    def _running(self) -> "WorkerPool":
        from manyways.verifiers.worker_process import WorkerPool  # many runs never need one

        with self._lock:
            if self._pool is None or self._pool.pid != os.getpid():
                self._pool = WorkerPool(self.workers)
            return self._pool


@cache
def _function(name: str) -> Any:  # noqa: ANN401 - what the table of verifiers names
    return load(name)


class _Waiting:
    """An answer that a worker has to verify. Answers with equal keys share one job."""

    __slots__ = ("answer", "key", "rule")

    def __init__(self, key: object, answer: str | None = None, rule: str = "") -> None:
        self.key, self.answer, self.rule = key, answer, rule

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Waiting) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


def _verified_by(problem: Problem) -> tuple[object, ...]:
    """The fields that a verdict depends on. The id is not enough: a user's file may repeat one."""
    return tuple(getattr(problem, name) for name in _TOLD_APART_BY)


def _read(reply: dict[str, Any], waiting: _Waiting) -> Verdict:
    return Verdict(
        status=reply["status"],
        answer=reply.get("answer") or waiting.answer,
        rule=reply.get("rule") or waiting.rule,
        reason=reply.get("reason", ""),
    )


def undecided_share(verdicts: Sequence[Verdict]) -> float:
    """The share of verdicts that are undecided, 0.0 for none at all."""
    undecided = sum(verdict.status == "undecided" for verdict in verdicts)
    return undecided / len(verdicts) if verdicts else 0.0


def check_health(verdicts: Sequence[Verdict], *, limit: float) -> None:
    """Raise VerifierUnwell, with the reasons, when the undecided share is above ``limit``."""
    share = undecided_share(verdicts)
    if share <= limit:
        return
    reasons = Counter(v.reason.split("\n")[0] for v in verdicts if v.status == "undecided")
    counts = "; ".join(f"{count} x {reason}" for reason, count in reasons.most_common(5))
    raise VerifierUnwell(
        f"{sum(reasons.values())} of {len(verdicts)} answers ({share:.1%}) could not be verified, "
        f"above the limit of {limit:.1%}: {counts}. Timeouts: raise the verifier's timeout or use "
        "fewer workers than cores. Errors: run `manyways problems check` on the problem set, and "
        "try one answer alone with `manyways verify`."
    )


_own: list[Verifiers] = []
_own_lock = threading.Lock()


def verify(
    gold: str, prediction: str, *, verifier: str = "math", choices: Sequence[str] = ()
) -> Verdict:
    r"""The verdict whether ``prediction`` (an answer, or a text that ends in one) equals ``gold``.

    Extraction is lenient. All calls in a process share one worker. Raises UserError when an
    argument is no text.

    >>> verify("1/2", r"\boxed{0.5}").status
    'correct'
    """
    if isinstance(choices, str) or not isinstance(choices, Sequence):
        raise UserError(f"choices is a list of texts, not {choices!r:.60}: give one an option.")
    texts = {"gold": gold, "prediction": prediction, "verifier": verifier}
    for name, value in [*texts.items(), *(("a choice", choice) for choice in choices)]:
        if not isinstance(value, str):
            raise UserError(f"{name} is {value!r:.60}, no text: give it as one, such as str(...).")
    problem = Problem(
        id="verify/one/0",
        question="",
        answer=reference(gold),
        verifier=verifier,
        choices=tuple(choices),
    )
    with _own_lock:
        if not _own:
            _own.append(Verifiers(workers=1, policy="lenient"))
    return _own[0].verdicts([(problem, prediction)])[0]
