"""The caller's side of worker processes: start them when needed, kill them when time is up.

A worker is a new interpreter and not a fork, so it does not import torch and inherits no threads
and no accelerator state. Two pipes connect it to the caller. It runs ``verifiers.worker``.
"""

import contextlib
import json
import os
import queue
import select
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil

from manyways import trust

Job = Mapping[str, Any]
Reply = dict[str, Any]

START_LIMIT = 120.0
"""Seconds that imports may take on a busy machine. They do not count for the answer's limit."""
STARVED = 0.1
"""An answer that got less than this share of its limit as CPU time is verified again."""
MEMORY_LIMIT = 2 * 1024**3
"""Bytes of address space of one worker."""
_MAX_REPLY = 1_000_000
# The worker must run the caller's copy of this package, even if another one is installed. The rest
# of the caller's import path goes last and its working folder is not implied, so that a file named
# like a standard module (math.py in the folder one happens to stand in) cannot break a worker.
_BOOT = (
    "import sys; ours, *paths = sys.argv[1:]; sys.path.insert(0, ours); import manyways; "
    "del sys.path[0]; sys.path += [p for p in paths if p not in sys.path]; "
    "from manyways.verifiers.worker import main; main()"
)
_OURS = str(Path(__file__).parents[2])


class Worker:
    """One worker process; ``ask`` starts it when there is none."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._buffer = b""
        self._dying: list[subprocess.Popen[bytes]] = []
        self._closed = False
        self._lock = threading.RLock()  # against a close() from another thread

    def ask(self, job: Job) -> Reply:
        """The worker's reply, or an undecided one when it was stuck or died.

        job: ``limit`` is the verifier's limit of wall clock in seconds, without imports.

        In the reply, ``seconds`` is the time that the answer took, including the end of its worker;
        ``starved`` says that the load of the machine may be why there is no verdict.
        """
        start = time.monotonic()
        try:
            self._start()
            self._write(job, deadline=start + START_LIMIT)
            reply = self._line(start + START_LIMIT)
            if reply is not None and reply.get("started"):
                start = time.monotonic()
                reply = self._verified(job["limit"])
        except (OSError, EOFError, ValueError):
            reply = {"status": "undecided", "reason": self._cause_of_death(), "ended": True}
        if reply is None:
            reply = {"status": "undecided", "reason": "timeout", "ended": True}
        if reply.get("ended") or reply.get("reason") == "memory":
            self.kill()
            reply["seconds"] = time.monotonic() - start
            self._prepare(job["verifier"])
            return reply
        return reply | {"seconds": time.monotonic() - start}

    def kill(self) -> None:
        """Kill the process and everything that it started, without waiting for its end.

        On a busy machine the end of a process may take long.
        """
        with self._lock:
            process, self._process, self._buffer = self._process, None, b""
            if process is None:
                return
            self._dying.append(process)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def close(self) -> None:
        """Kill the process, start no other one, and wait until all have ended."""
        with self._lock:
            self._closed = True
            self.kill()
            for process in self._dying:
                process.wait()

    def _start(self) -> None:
        with self._lock:
            if self._closed:
                raise EOFError
            self._dying = [dead for dead in self._dying if dead.poll() is None]
            if self._process is None or self._process.poll() is not None:
                self.kill()
                self._process = _new_process()

    def _running(self) -> "subprocess.Popen[bytes]":
        process = self._process
        if process is None:
            raise EOFError  # closed by another thread
        return process

    def _prepare(self, verifier: str) -> None:
        """Start the next process, so that its imports run while the caller does other things."""
        with contextlib.suppress(OSError, EOFError, ValueError):
            self._start()
            self._write({"load": verifier}, deadline=time.monotonic() + 1)

    def _verified(self, limit: float) -> Reply | None:
        """The verdict, or a timeout that says whether the worker was starved of CPU time."""
        pid = self._running().pid
        before, _ = _usage(pid)
        reply = self._line(time.monotonic() + limit)
        if reply is not None:
            return reply
        after, state = _usage(pid)
        starved = is_starved(after - before, limit=limit, state=state)
        return {"status": "undecided", "reason": "timeout", "ended": True, "starved": starved}

    def _write(self, job: Job, *, deadline: float) -> None:
        """Send a job. Raises BrokenPipeError when the process does not read it in time."""
        stdin = self._running().stdin
        assert stdin is not None
        descriptor = stdin.fileno()
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        view = memoryview(json.dumps(job).encode() + b"\n")
        while view:
            if not poll.poll(max(deadline - time.monotonic(), 0) * 1000):
                raise BrokenPipeError
            view = view[os.write(descriptor, view) :]

    def _line(self, deadline: float) -> Reply | None:
        """The worker's next reply, None at the deadline. Raises EOFError when it has died."""
        process = self._running()
        assert process.stdout is not None
        poll = select.poll()
        poll.register(process.stdout.fileno(), select.POLLIN)
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not poll.poll(left * 1000):
                return None
            chunk = os.read(process.stdout.fileno(), 65536)
            if not chunk or len(self._buffer) > _MAX_REPLY:
                raise EOFError
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        reply: Reply = json.loads(line)
        return reply

    def _cause_of_death(self) -> str:
        process = self._process
        if process is None:
            return "error: verification was closed"
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)
        code = process.returncode
        if code is None:
            return "error: worker stopped answering"
        if code < 0:
            return f"error: worker ended by {signal.Signals(-code).name}"
        return f"error: worker ended with exit code {code}"


def _new_process() -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", _BOOT, _OURS, *(path or str(Path.cwd()) for path in sys.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_environment(),
        start_new_session=True,
        bufsize=0,
    )
    assert process.stdin is not None
    os.set_blocking(process.stdin.fileno(), False)
    return process


def is_starved(cpu_seconds: float, *, limit: float, state: str) -> bool:
    """Whether a worker wanted the CPU and did not get it. A worker that sleeps did not want it.

    state: psutil's status of the process when its limit was over.
    """
    wanted = state in (psutil.STATUS_RUNNING, psutil.STATUS_DISK_SLEEP, psutil.STATUS_WAKING)
    return wanted and cpu_seconds < STARVED * limit


def _usage(pid: int) -> tuple[float, str]:
    """(CPU seconds of a process so far, psutil's status of it); (0, "") if it is gone."""
    try:
        process = psutil.Process(pid)
        times = process.cpu_times()
        return float(times.user + times.system), str(process.status())
    except psutil.Error:
        return 0.0, ""


def _environment() -> dict[str, str]:
    """A worker's environment: no accelerator, one thread, the caller's import path."""
    kept = (
        "PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV",
        # Clients of containers read these to find their daemons, folders and keys.
        "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "CONTAINER_HOST", "CONTAINERS_CONF",
        "XDG_RUNTIME_DIR", "KUBECONFIG", "SSH_AUTH_SOCK",
    )  # fmt: skip
    environment = {key: os.environ[key] for key in kept if key in os.environ}
    threads = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return environment | {
        **trust.environment(),
        **dict.fromkeys(threads, "1"),
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONHASHSEED": "0",
        "PYTHONWARNINGS": "ignore",
        "MANYWAYS_WORKER_MEMORY": str(MEMORY_LIMIT),
    }


class WorkerPool:
    """``size`` workers behind one call; safe from several threads at once."""

    def __init__(self, size: int, *, new_worker: Callable[[], Worker] = Worker) -> None:
        self._idle: queue.LifoQueue[Worker] = queue.LifoQueue()
        workers = [new_worker() for _ in range(size)]
        for worker in workers:
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(max_workers=size, thread_name_prefix="manyways-verify")
        self._end = weakref.finalize(self, _end, workers, self._threads, os.getpid())
        self.pid = os.getpid()

    def run(self, jobs: Sequence[Job]) -> list[Reply]:
        """Replies in the order of ``jobs``. Starved jobs are run once more at the end."""
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
