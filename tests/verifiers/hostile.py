"""Answers and programs written to break a verifier, as data for tests and for the bench."""

import socket
import sys
from dataclasses import dataclass
from pathlib import Path

SQUARES = "assert f(2) == 4\nassert f(3) == 9\n"
"""The tests that every attack has to pass to be judged correct."""
RIGHT = "def f(x):\n    return x * x\n"
"""The reference program. It says that ``f`` is a function, so objects of a class do not cross."""


ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Attack:
    """A program. ``tries``: what it attempts; ``stopped_by``: what must stop it.

    tests: ``SQUARES`` for attacks on the verdict or the machine. A probe brings its own tests,
        which pass only if it saw or reached nothing.
    """

    name: str
    tries: str
    stopped_by: str
    source: str
    tests: str = SQUARES
    correct: bool = False

    def written(self, *, port: int) -> str:
        """The source, knowing where the project lies and on which local port a server listens."""
        return self.source.replace("PROJECT", str(ROOT)).replace("PORT", str(port))


def _probe(name: str, tries: str, stopped_by: str, source: str, expected: str) -> Attack:
    tests = f"assert f() == {expected}\n"
    return Attack(name, tries, stopped_by, source, tests, correct=True)


ATTACKS = (
    Attack(
        "endless loop", "computes for ever", "CPU limit",
        "def f(x):\n    while True:\n        pass\n",
    ),
    Attack(
        "endless sleep", "waits for ever", "wall clock limit",
        "import time\ndef f(x):\n    time.sleep(10**6)\n",
    ),
    Attack(
        "deaf loop", "ignores SIGTERM, SIGINT, SIGALRM, SIGXCPU and loops", "SIGKILL",
        "import signal\nfor s in range(1, 32):\n    try:\n"
        "        signal.signal(s, signal.SIG_IGN)\n"
        "    except (OSError, ValueError):\n        pass\n"
        "def f(x):\n    while True:\n        pass\n",
    ),
    Attack(
        "memory bomb", "allocates without end", "memory limit",
        "def f(x):\n    kept = []\n    while True:\n        kept.append(bytearray(10**8))\n",
    ),
    Attack(
        "fork bomb", "forks without end", "system-call filter",
        "import os\ndef f(x):\n    while True:\n        os.fork()\n",
    ),
    Attack(
        "thread bomb", "starts threads without end", "memory limit, end of the sandbox",
        "import threading, time\ndef f(x):\n    while True:\n"
        "        threading.Thread(target=time.sleep, args=(10**6,)).start()\n",
    ),
    Attack(
        "output flood", "prints without end", "output goes nowhere, wall clock limit",
        "import sys\ndef f(x):\n    while True:\n        print('x' * 10**6)\n"
        "        print('x' * 10**6, file=sys.stderr)\n",
    ),
    Attack(
        "wire flood", "writes noise to every open descriptor", "message checks of the examiner",
        "import os\ndef f(x):\n    for d in range(64):\n        try:\n"
        "            os.write(d, b'\\xff' * 10**5)\n        except OSError:\n            pass\n"
        "    return 0\n",
    ),
    Attack(
        "forged report", "writes a passing report to every descriptor",
        "only the examiner holds the report",
        "import os\ndef f(x):\n    for d in range(64):\n        try:\n"
        "            os.write(d, b'{\"started\": true}\\n')\n"
        "            os.write(d, b'{\"passed\": true, \"rule\": \"passed\"}\\n')\n"
        "        except OSError:\n            pass\n    return 0\n",
    ),
    Attack(
        "forged reply", "answers its own calls in the examiner's language",
        "values are compared in the other process",
        "import sys\nwire = sys.modules['wire']\n"
        "wire.Peer.encode = lambda self, value: ['t']\ndef f(x):\n    return None\n",
    ),
    Attack(
        "clean exit", "sys.exit(0) while being tested", "an exit is no report",
        "import sys\ndef f(x):\n    sys.exit(0)\n",
    ),
    Attack(
        "hard exit", "prints the success marker and calls os._exit(0)", "an exit is no report",
        "import os\nprint('passed')\nos._exit(0)\ndef f(x):\n    return 0\n",
    ),
    Attack(
        "crash", "dereferences a null pointer", "a crash is no report",
        "import ctypes\ndef f(x):\n    ctypes.string_at(0)\n",
    ),
    Attack(
        "patched builtins", "replaces AssertionError, compile, isinstance and the import system",
        "the tests run in another process",
        "import builtins\nclass Calm(Exception):\n    pass\nbuiltins.AssertionError = Calm\n"
        "builtins.isinstance = lambda *a: True\nbuiltins.compile = lambda *a, **k: None\n"
        "builtins.__import__ = lambda *a, **k: builtins\ndef f(x):\n    return 0\n",
    ),
    Attack(
        "lying object", "returns an object that equals everything", "only plain data crosses",
        "class Yes:\n    def __eq__(self, other):\n        return True\n"
        "def f(x):\n    return Yes()\n",
    ),
    Attack(
        "lying integer", "returns an int that equals everything", "only plain data crosses",
        "class Yes(int):\n    def __eq__(self, other):\n        return True\n"
        "    __hash__ = int.__hash__\ndef f(x):\n    return Yes(7)\n",
    ),
    Attack(
        "lying class", "is a class whose objects equal everything",
        "objects are opaque where a function is asked for",
        "class f:\n    def __init__(self, x):\n        pass\n"
        "    def __eq__(self, other):\n        return True\n",
    ),
    Attack(
        "lying method", "returns an object that answers yes to everything",
        "objects are opaque where a function is asked for",
        "class f:\n    def __init__(self, x):\n        pass\n"
        "    def __getattr__(self, name):\n        return lambda *a: True\n",
        tests="assert f(2).startswith('4')\n",
    ),
    Attack(
        "spying caller", "looks for the tests behind a function that it is handed",
        "functions cross as stand-ins that can only be called",
        "def f(g):\n    return g.__globals__['secret']\n",
        tests="secret = 4\nassert f(lambda: secret) == 4\n",
    ),
    Attack(
        "forged request", "asks the examiner for more than calls of what it was handed",
        "the examiner answers calls alone",
        "import sys\ndef f(g):\n    peer = g._at[0]\n    for what in ('get', 'name', 'load'):\n"
        "        try:\n            return peer.ask(ask=what, of=0, name='secret', program='')\n"
        "        except Exception:\n            pass\n    return 4 if peer.ask(ask='call', of=7,\n"
        "        arguments=['l'], named=['d']) else 0\n",
        tests="secret = 4\nassert f(lambda: secret) == 4\n",
    ),
    Attack(
        "endless calls back", "calls a function that it is handed for ever", "wall clock limit",
        "def f(g):\n    while True:\n        g('x' * 10**6)\n",
        tests="kept = []\nassert f(kept.append) is None\n",
    ),
    Attack(
        "endless iterator", "returns an iterator without end", "item limit of the wire",
        "import itertools\ndef f(x):\n    return itertools.count()\n",
    ),
    Attack(
        "frame walker", "looks for the tests in frames and in the garbage collector",
        "the tests are in another process",
        "import gc\ndef f(x):\n"
        "    seen = [o for o in gc.get_objects() if isinstance(o, dict)]\n"
        "    text = ''.join(str(k) + str(v) for d in seen for k, v in list(d.items())[:50])\n"
        "    return x * x if 'f(2) == 4' in text.replace(\"'f(2) == 4'\", '') else 0\n",
    ),
    Attack(
        "early murder", "kills its parent, its group and everything it may", "own process space",
        "import os, signal\ndef f(x):\n    for target in (os.getppid(), 1, 0, -1):\n        try:\n"
        "            os.kill(target, signal.SIGKILL)\n        except OSError:\n            pass\n"
        "    return 0\n",
    ),
    Attack(
        "shell", "runs a shell command", "system-call filter, no shell to see",
        "import subprocess\ndef f(x):\n    subprocess.run(['/bin/sh', '-c', 'id'])\n"
        "    return x * x\n",
    ),
    _probe(
        "outside writer", "writes files in /, the home, /usr, /harness and a shared folder",
        "read-only and hidden file system",
        "import os\ndef f():\n    done = []\n"
        "    for path in ('/x', os.path.expanduser('~/x'), '/usr/lib/x', '/harness/x', '/root/x',\n"
        "                 '/home/x', '/var/x', '/dev/shm/x', 'PROJECT/x'):\n        try:\n"
        "            open(path, 'w').write('x')\n            done.append(path)\n"
        "        except OSError:\n            pass\n    return done\n",
        "[]",
    ),
    _probe(
        "disk filler", "fills its folder", "16 MiB folder, file size limit",
        "def f():\n    try:\n        with open('big', 'wb') as file:\n"
        "            for _ in range(100):\n                file.write(bytes(10**6))\n"
        "    except OSError:\n        return 'full'\n    return 'written'\n",
        "'full'",
    ),
    _probe(
        "environment reader", "reads the environment", "empty environment",
        "import os\ndef f():\n    return sorted(set(os.environ) - {'PWD', 'LC_CTYPE'})\n",
        "[]",
    ),
    _probe(
        "spy", "reads /proc, /etc/passwd, the home and the project", "hidden file system",
        "import os\ndef f():\n"
        "    return [p for p in ('/proc/self', '/proc/1/environ', '/etc/passwd', 'PROJECT',\n"
        "        '/home', '/root/.bashrc', '/root/.ssh', '/sys', '/var', '/dev/sda')\n"
        "        if os.path.exists(p)]\n",
        "[]",
    ),
    _probe(
        "caller", "connects to a server, to a name server, to a local socket",
        "own network space, system-call filter",
        "import socket\ndef f():\n    reached = []\n"
        "    for kind, address in ((socket.AF_INET, ('127.0.0.1', PORT)),\n"
        "                          (socket.AF_INET, ('8.8.8.8', 53)),\n"
        "                          (socket.AF_UNIX, '/tmp/.X11-unix/X0')):\n        try:\n"
        "            s = socket.socket(kind, socket.SOCK_STREAM)\n            s.settimeout(1)\n"
        "            s.connect(address)\n            reached.append(str(address))\n"
        "        except OSError:\n            pass\n    return reached\n",
        "[]",
    ),
    _probe(
        "escape artist", "unshare, mount, ptrace, setns and chroot through the C library",
        "no capabilities, system-call filter",
        "import ctypes\ndef f():\n    libc = ctypes.CDLL(None)\n"
        "    return [libc.unshare(0x10000000), libc.mount(b'none', b'/tmp', b'tmpfs', 0, None),\n"
        "            libc.ptrace(16, 1, 0, 0), libc.setns(0, 0), libc.chroot(b'/tmp')]\n",
        "[-1, -1, -1, -1, -1]",
    ),
)  # fmt: skip

ANSWERS = {
    "power tower": "9^{9^{9^{9^{9}}}}",
    "power tower in Python": "9**9**9**9",
    "repeated factorial": "9!!!!!",
    "endless sum": r"\sum_{n=1}^{10^{12}} \frac{1}{n}",
    "huge binomial": r"\binom{10^{9}}{10^{8}}",
    "hopeless integral": r"\int_0^1 e^{\sin(x^{x})} dx",
    "large power": "(x+1)^{10000}",
    "nested fractions": r"\frac{1}{" * 200 + "2" + "}" * 200,
    "deeper fractions": r"\frac{1}{" * 5000 + "2" + "}" * 5000,
    "nested roots": r"\sqrt{" * 100 + "2" + "}" * 100,
    "100k digits": "9" * 100_000,
    "100k letters": "x" * 100_000,
    "100k brackets": "(" * 50_000 + ")" * 50_000,
    "100k braces": "{" * 100_000,
    "open braces": r"\frac{1}{2",
    "many commas": ",".join(map(str, range(5000))),
    "many inequalities": "x<" * 3000 + "1",
    "many backslashes": "\\" * 10_000,
    "open text commands": r"\text{" * 3000,
    "unicode digits": "١٢",
    "null": "1\x002",
    "lone surrogate": "\ud800",
    "giant exponent": "1e999999999",
    "tiny exponent": "1e-999999999",
    "Python import": "__import__('os').system('touch pwned')",
    "Python in text": r"\text{__import__('os').system('touch pwned')}",
    "Python lambda": "(lambda: open('pwned', 'w'))()",
    "wide matrix": r"\begin{pmatrix}" + "&".join(["1"] * 2000) + r"\end{pmatrix}",
}


def _try_all(isolation: str, image: str) -> None:
    """What becomes of every program under another isolation, one a line."""
    from manyways.records import Problem
    from manyways.verifiers.python_tests import verify

    for attack in ATTACKS:
        with socket.create_server(("127.0.0.1", 0)) as server:
            source = attack.written(port=server.getsockname()[1])
            problem = Problem(
                id="code/test/0", question="Write f.", answer=RIGHT, verifier="python_tests",
                tests=attack.tests, entry_point="f",
            )  # fmt: skip
            found = verify(problem, source, timeout=1.0, isolation=isolation, image=image)
        held = found.status == ("correct" if attack.correct else "wrong")
        print(
            f"{attack.name:20} {found.status:10} {found.rule:22} {'held' if held else 'NOT HELD'}"
        )


if __name__ == "__main__":
    _try_all(*sys.argv[1:3])
