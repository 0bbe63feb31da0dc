"""Workers that judge what the fast path cannot: in order, in parallel, from any thread.

A worker is killed when its answer's wall clock limit is over, whatever the load of the machine.
So that a verdict does not depend on that load, an answer whose worker got next to no processor
time is judged once more, by a fresh attempt under the same limit, when all others are done.
"""

import os
import queue
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from manyways.verifiers.worker_process import Job, Reply, Worker


class WorkerPool:
    """``size`` workers behind one call; safe from several threads at once."""

    def __init__(self, size: int, *, new_worker: Callable[[], Worker] = Worker) -> None:
        self._idle: queue.LifoQueue[Worker] = queue.LifoQueue()
        workers = [new_worker() for _ in range(size)]
        for worker in workers:
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(max_workers=size, thread_name_prefix="manyways-judge")
        self._end = weakref.finalize(self, _end, workers, self._threads, os.getpid())
        self.pid = os.getpid()

    def run(self, jobs: Sequence[Job]) -> list[Reply]:
        """Replies in the order of ``jobs``; starved ones get one more attempt at the end."""
        replies = list(self._threads.map(self._one, jobs))
        starved = [i for i, reply in enumerate(replies) if reply.get("starved")]
        for i, reply in zip(
            starved, self._threads.map(self._one, [jobs[i] for i in starved]), strict=True
        ):
            reply["seconds"] = max(reply["seconds"], replies[i]["seconds"])
            if reply.get("starved"):
                reply["reason"] = "timeout: the machine was too busy, twice"
            replies[i] = reply
        return replies

    def close(self) -> None:
        """Kill the workers."""
        self._end()

    def _one(self, job: Job) -> Reply:
        worker = self._idle.get()
        try:
            return worker.ask(job)
        finally:
            self._idle.put(worker)


def _end(workers: list[Worker], threads: ThreadPoolExecutor, pid: int) -> None:
    if os.getpid() != pid:
        return  # a forked child must not kill its parent's workers
    threads.shutdown(wait=False, cancel_futures=True)
    for worker in workers:
        worker.close()
