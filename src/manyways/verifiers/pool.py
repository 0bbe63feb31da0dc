"""Worker processes that judge what the fast path cannot: started late, killed when stuck.

Each worker is a fresh interpreter (never a fork), so it neither imports torch nor inherits the
caller's threads or accelerator state. It is talked to over two pipes, from any thread.
"""

import contextlib
import json
import os
import queue
import select
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil

Job = Mapping[str, Any]
Reply = dict[str, Any]

START_LIMIT = 120.0
"""Seconds that imports may take on a busy machine; not charged to the answer."""
PATIENCE = 2
"""How many times its limit an answer may take on a machine too busy to compute for it."""
MEMORY_LIMIT = 2 * 1024**3
"""Bytes of address space of one worker."""
_MAX_REPLY = 1_000_000
# The caller's import path goes last and its working folder is not implied, so that a file named
# like a standard module (math.py in the folder one happens to stand in) cannot break a worker.
_BOOT = (
    "import sys; sys.path += [p for p in sys.argv[1:] if p not in sys.path]; "
    "from manyways.verifiers.worker import main; main()"
)


class Worker:
    """One worker process; ``ask`` starts it when there is none."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._buffer = b""

    def ask(self, job: Job, *, timeout: float) -> Reply:
        """The worker's reply, or an undecided one when it was stuck or died."""
        process = self._started()
        start = time.monotonic()
        try:
            _write(process, json.dumps(job).encode() + b"\n")
            reply = self._line(time.monotonic() + START_LIMIT)
            if reply is not None and reply.get("started"):
                start = time.monotonic()
                reply = self._judged(timeout)
        except (BrokenPipeError, EOFError, ValueError):
            reply = {"status": "undecided", "reason": self._cause_of_death(), "ended": True}
        if reply is None:
            reply = {"status": "undecided", "reason": "timeout", "ended": True}
        if reply.get("ended") or reply.get("reason") == "memory":
            self.kill()
        return reply | {"seconds": time.monotonic() - start}

    def kill(self) -> None:
        """End the process and everything it started."""
        process, self._process, self._buffer = self._process, None, b""
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        process.wait()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.kill()
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _BOOT, *_import_path()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(),
                start_new_session=True,
                bufsize=0,
            )
        return self._process

    def _judged(self, timeout: float) -> Reply | None:
        """The verdict, None when time is up: ``timeout`` seconds, more if the machine is busy.

        A verdict must not depend on what else runs here, so a worker that got less than its share
        of a processor may go on, up to ``PATIENCE`` times the limit.
        """
        assert self._process is not None
        start, used = time.monotonic(), _cpu_seconds(self._process.pid)
        wait = timeout
        while wait > 0.01:
            reply = self._line(time.monotonic() + wait)
            if reply is not None:
                return reply
            left = timeout * PATIENCE - (time.monotonic() - start)
            wait = min(timeout - (_cpu_seconds(self._process.pid) - used), left)
        return None

    def _line(self, deadline: float) -> Reply | None:
        """The next line of the worker, None at the deadline; EOFError when it has died."""
        process = self._process
        assert process is not None and process.stdout is not None
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
        assert self._process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        code = self._process.returncode
        if code is not None and code < 0:
            return f"error: worker ended by {signal.Signals(-code).name}"
        return f"error: worker ended with exit code {code}"


def _cpu_seconds(pid: int) -> float:
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


def _write(process: subprocess.Popen[bytes], line: bytes) -> None:
    assert process.stdin is not None
    view = memoryview(line)
    while view:
        view = view[process.stdin.write(view) :]


def _environment() -> dict[str, str]:
    """What a worker sees: no accelerator, one thread, the caller's import path."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
    environment = {key: os.environ[key] for key in kept if key in os.environ}
    threads = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return environment | {
        **dict.fromkeys(threads, "1"),
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONHASHSEED": "0",
        "PYTHONWARNINGS": "ignore",
        "MANYWAYS_WORKER_MEMORY": str(MEMORY_LIMIT),
    }


def _import_path() -> list[str]:
    return [path or str(Path.cwd()) for path in sys.path]


class WorkerPool:
    """``size`` workers behind one call; safe from several threads at once."""

    def __init__(self, size: int) -> None:
        self._idle: queue.LifoQueue[Worker] = queue.LifoQueue()
        workers = [Worker() for _ in range(size)]
        for worker in workers:
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(max_workers=size, thread_name_prefix="manyways-judge")
        self._end = weakref.finalize(self, _end, workers, self._threads, os.getpid())
        self.pid = os.getpid()

    def run(self, jobs: Sequence[Job], *, timeout: float) -> list[Reply]:
        """Replies in the order of ``jobs``."""
        return list(self._threads.map(lambda job: self._one(job, timeout), jobs))

    def close(self) -> None:
        """Kill the workers."""
        self._end()

    def _one(self, job: Job, timeout: float) -> Reply:
        worker = self._idle.get()
        try:
            return worker.ask(job, timeout=timeout)
        finally:
            self._idle.put(worker)


def _end(workers: list[Worker], threads: ThreadPoolExecutor, pid: int) -> None:
    if os.getpid() != pid:
        return  # a forked child must not kill its parent's workers
    threads.shutdown(wait=False, cancel_futures=True)
    for worker in workers:
        worker.kill()
