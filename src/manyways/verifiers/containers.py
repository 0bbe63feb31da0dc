"""Programs in a container, or wherever a function of the user's own starts them.

The command line of a container (podman, docker): no network, no capabilities and no new ones,
nobody's user, a read-only view of the image, an empty 16 MiB folder, limits on memory and on the
number of processes, the runtime's own system-call filter. Nothing of this machine is mounted, so a
daemon elsewhere will do. An image is never fetched unasked. A container ends by its own clock, too:
killing the client that started it does not end it.
"""

import shutil
import subprocess
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from manyways.errors import UserError
from manyways.plugins import resolve

RUNTIMES = ("podman", "docker")
IMAGE = "docker.io/library/python:3.12-slim"
PROCESSES = 64
"""Most processes of a container."""
_PYTHON = (3, 10)
"""What the harness is written for."""
_CHECK = "import sys; print(*sys.version_info[:2])"
_START_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """A command that is to run elsewhere, its standard input, output and error connected.

    words:   Python and its arguments; nothing is needed there but Python 3.10 or newer.
    name:    of this start and no other.
    seconds: after which it has to be gone, whatever becomes of the process that started it.
    """

    words: tuple[str, ...]
    name: str
    seconds: float


def order(words: Sequence[str], seconds: float) -> Order:
    """An order under a name of its own."""
    name = f"manyways-{uuid.uuid4().hex}"
    return Order(words=("python3", *words), name=name, seconds=seconds)


def command(runtime: str, image: str | None, wish: Order, *, memory: int, folder: int) -> list[str]:
    """The command that carries out ``wish`` in a container of ``image``; sizes in bytes.

    image: ``IMAGE`` when None.
    """
    return [
        runtime, "run", "--rm", "--interactive", "--pull", "never", "--name", wish.name,
        "--network", "none", "--ipc", "none", "--read-only", "--cap-drop", "ALL",
        "--security-opt", "no-new-privileges", "--user", "65534:65534",
        "--pids-limit", str(PROCESSES), "--memory", str(memory), "--memory-swap", str(memory),
        "--ulimit", "nofile=64:64", "--ulimit", "nproc=256:256",
        "--tmpfs", f"/tmp:rw,size={folder},mode=1777", "--workdir", "/tmp",
        "--entrypoint", "timeout", image or IMAGE, "-s", "KILL", f"{wish.seconds:.0f}", *wish.words,
    ]  # fmt: skip


def ending(runtime: str, wish: Order) -> list[str]:
    """The command that ends what ``command`` started."""
    return [runtime, "rm", "--force", wish.name]


def remote(name: str, wish: Order) -> list[str]:
    """The command that the function ``module:function`` makes of ``wish``.

    Raises UserError when it returns anything but words, Untrusted when nobody trusts it.
    """
    function = cast(Callable[[Order], list[str]], resolve(name, {}, "isolation"))
    words = function(wish)
    if not isinstance(words, list) or not all(isinstance(one, str) for one in words) or not words:
        raise UserError(f"verify.isolation = '{name}' must return a list of words, not {words!r}.")
    return words


def why_not(start: Sequence[str], what: str) -> str:
    """Why ``start``, the order of ``check``, is not carried out; empty when it is."""
    if shutil.which(start[0]) is None:
        return f"{what} is not installed" if what == start[0] else f"{what}: no '{start[0]}' here"
    try:
        done = subprocess.run(start, capture_output=True, timeout=_START_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{what} does not work: {error}"
    said = done.stdout.decode(errors="replace").split()
    if done.returncode != 0 or len(said) != 2 or not all(part.isdigit() for part in said):
        words = " ".join(done.stderr.decode(errors="replace").split())[:300]
        return f"{what} does not work: {words or f'exit code {done.returncode}'}"
    if tuple(map(int, said)) < _PYTHON:
        return f"{what} has Python {'.'.join(said)}; 3.10 or newer is needed"
    return ""


def check(flags: Sequence[str]) -> Order:
    """An order that says which Python there is."""
    return order([*flags, "-c", _CHECK], _START_SECONDS)
