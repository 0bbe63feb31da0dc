"""A worker process: it reads jobs as JSON lines, verifies, and writes verdicts as JSON lines.

It never imports torch, has one thread, and may be killed at any time. The first answer to a job is
``{"started": true}``, when everything is imported; then the caller's clock starts. The second
answer is the verdict. ``{"load": verifier}`` imports a verifier ahead of time and gets no answer.
"""

import contextlib
import inspect
import json
import logging
import os
import resource
import sys
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, cast

from manyways.plugins import load, own_lines, resolve
from manyways.records import Problem, Verdict
from manyways.verifiers import BROUGHT, FUNCTIONS, Verify, verifier_of


def main() -> None:
    """Serve jobs from standard input until it closes."""
    replies = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a verifier prints must not mix with the replies
    limit = int(os.environ.get("MANYWAYS_WORKER_MEMORY", "0"))
    if limit:
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    logging.disable(logging.CRITICAL)
    verifiers: dict[str, Verify] = {}
    for line in sys.stdin.buffer:
        job = json.loads(line)
        if "load" in job:
            with contextlib.suppress(Exception):  # told when an answer needs it
                verifiers[job["load"]] = _load(job["load"])
        else:
            serve(job, verifiers, replies)


def serve(job: Mapping[str, Any], verifiers: dict[str, Verify], replies: BinaryIO) -> None:
    """Answer one job. An exception in a verifier becomes an undecided verdict.

    If a verifier cannot be imported, the answer is ``{"broken": why}``.
    """
    name = job["verifier"]
    try:
        verify = verifiers.get(name) or verifiers.setdefault(name, _load(name))
    except Exception as error:  # noqa: BLE001 - a user's module may fail in any way; told as is
        return _send(replies, {"broken": _with_line(str(error) or type(error).__name__, error)})
    try:
        problem = Problem.of(job["problem"])
        options = _accepted(verify, job["options"])
        _send(replies, {"started": True})
        _limit_cpu(job["limit"])
        verdict = verify(problem, job["text"], **options)
        if not isinstance(verdict, Verdict):
            raise TypeError(f"verifier '{name}' returned {type(verdict).__name__}, not a Verdict")
        reply = {
            "status": verdict.status,
            "answer": verdict.answer,
            "rule": verdict.rule,
            "reason": verdict.reason,
        }
    except MemoryError:
        _send(replies, {"status": "undecided", "reason": "memory"})
        os._exit(1)  # what is left of this process cannot be trusted to allocate
    except RecursionError:
        reply = {"status": "undecided", "reason": "error: nested too deeply"}
    except Exception as error:  # noqa: BLE001 - a verifier's failure is data on the verdict
        reply = {"status": "undecided", "reason": _describe(error)}
    _send(replies, reply)


def _load(name: str) -> Verify:
    verify = cast(Verify, resolve(name, FUNCTIONS | BROUGHT, "verifier"))
    warm_up = verifier_of(name).warm_up
    if warm_up:
        cast(Callable[[], None], load(warm_up))()
    return verify


def _accepted(verify: Verify, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that this verifier takes; a user's own usually takes none."""
    parameters = inspect.signature(verify).parameters
    return {key: value for key, value in options.items() if key in parameters}


def _limit_cpu(seconds: float) -> None:
    """Limit CPU time, so that a worker whose parent was killed does not run for ever."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    total = int(used.ru_utime + used.ru_stime + seconds + 5)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (total, resource.RLIM_INFINITY))


def _describe(error: Exception) -> str:
    try:
        words = str(error)[:200]
    except Exception:  # noqa: BLE001 - printing a half-built object may itself fail
        words = ""
    return _with_line(f"error: {type(error).__name__}" + (f": {words}" if words else ""), error)


def _with_line(words: str, error: Exception) -> str:
    """``words`` and the line of the user's own code that raised the error."""
    own = own_lines(error)
    return f"{words} ({own[-1]})" if own else words


def _send(replies: BinaryIO, reply: Mapping[str, Any]) -> None:
    replies.write(json.dumps(reply).encode() + b"\n")


if __name__ == "__main__":
    main()
