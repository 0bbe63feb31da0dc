"""llama.cpp's own server, as the package ``xllamacpp`` brings it ready built, in a process."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from command_line import environment
from gguf_file import to_gguf

PROGRAM = """
import sys, time, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.n_parallel, params.n_ctx = sys.argv[1], 4, 8192
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(params)
print("listening on", server.listening_address, flush=True)
while True:
    time.sleep(10)
"""


@contextmanager
def llama_server(checkpoint: Path) -> Iterator[str]:
    """Serve a checkpoint of tiny_models.py with four slots on one thread; gives its address."""
    model = to_gguf(checkpoint, checkpoint / "llama.gguf")
    log = checkpoint / "log"
    with log.open("w") as noise:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(model)],
            env=environment(), stdout=subprocess.PIPE, stderr=noise, text=True,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            said = (line for line in process.stdout if line.startswith("listening on "))
            address = next(said, "")
            assert address, f"the server ended by itself: {log.read_text()[-500:]}"
            yield f"{address.split()[-1]}/v1"
        finally:
            process.kill()
            process.communicate()
