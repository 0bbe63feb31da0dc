"""An OpenAI-compatible server without a model, and a proxy that breaks things on the way."""

import contextlib
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

WORDS = ("add", "then", "so", "the", "answer", "is", "first", "from", "back", "half", "twice", "\n")


@dataclass
class Said:
    """What an upstream answers with."""

    text: str
    finish: str
    tokens: int


def write(prompt: str, seed: int | None, body: dict) -> Said:
    """Words that follow from the prompt and the seed; without a seed they are any."""
    rng = random.Random() if seed is None else random.Random(f"{prompt}|{seed}")
    words = [rng.choice(WORDS) for _ in range(rng.randint(2, 40))]
    limit = body.get("max_tokens") or body.get("max_completion_tokens")
    text = " ".join(words[:limit])
    found = [text.index(s) for s in body.get("stop", []) if s in text]
    if found:
        text = text[: min(found)]
        return Said(text, "stop", len(text.split(" ")))
    if len(words) > limit:
        return Said(text, "length", limit)
    return Said(text, "stop", min(len(words) + 1, limit))


@dataclass
class Habits:
    """How a fake server deviates from the full protocol."""

    key: str = ""
    model: str = "fake"
    usage: bool = True
    counts: str = "all"  # or "one": its usage leaves out all choices but the first
    gives: int | None = None  # choices at most, whatever n says
    seeds: str = "honoured"  # or "ignored", "refused"
    limit: str = "max_tokens"
    forbids: str = ""  # prompts with this text are refused
    fails: str = ""  # prompts with this text end in status 500
    thinks: str = ""  # the field of a chat's message that holds what it thought
    writer: Callable[[str, int | None, dict], Said] = write
    bodies: list[dict] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


class Quiet(ThreadingHTTPServer):
    """One thread per connection; a client that went away is no news."""

    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        pass


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def reply(self, status: int, data: object, headers: dict[str, str] | None = None) -> None:
        raw = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))


@contextlib.contextmanager
def serving(handler: type[Handler]) -> Iterator[str]:
    """Serve ``handler`` on a free port; gives its address, ``/v1`` included."""
    with Quiet(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def fake_server(habits: Habits) -> Iterator[str]:
    """A server with these habits."""

    class Upstream(Handler):
        def do_GET(self):
            self.reply(200, {"object": "list", "data": [{"id": habits.model}]})

        def do_POST(self):
            body = json.loads(self.body())
            habits.bodies.append(body)
            habits.keys.append(self.headers.get("Authorization", ""))
            status, message = objection(self.path, body, self.headers.get("Authorization"), habits)
            if status:
                self.reply(status, {"error": {"message": message}})
            else:
                self.reply(200, answer(self.path, body, habits))

    with serving(Upstream) as url:
        yield url


def objection(path: str, body: dict, key: str | None, habits: Habits) -> tuple[int, str]:
    """The error status for this request and its reason; (0, "") when there is none."""
    model, limit = habits.model, habits.limit
    rules = (
        (
            path.removeprefix("/v1") not in ("/chat/completions", "/completions"),
            404,
            "no such page",
        ),
        (habits.key and key != f"Bearer {habits.key}", 401, f"wrong key {str(key)[7:]}"),
        (body["model"] != model, 404, f"the model {body['model']} does not exist"),
        (habits.seeds == "refused" and "seed" in body, 422, "unknown field: seed"),
        (limit not in body, 400, f"use '{limit}' instead of 'max_tokens'"),
        (habits.fails and habits.fails in json.dumps(body), 500, "made up"),
        (habits.forbids and habits.forbids in json.dumps(body), 400, "the prompt is too long"),
    )
    return next(((status, why) for broken, status, why in rules if broken), (0, ""))


def answer(path: str, body: dict, habits: Habits) -> dict:
    chat = path.endswith("/chat/completions")
    prompt = json.dumps(body["messages"]) if chat else body["prompt"]
    count = min(body.get("n", 1), habits.gives or 99)
    seed = body.get("seed") if habits.seeds == "honoured" else None
    seeds = [None if seed is None else seed + 1000 * i for i in range(count)]
    said = [habits.writer(prompt, seed, body) for seed in seeds]
    thought = {habits.thinks: "Let me see.\n"} if habits.thinks else {}
    data: dict = {
        "choices": [
            {"index": i, "finish_reason": one.finish}
            | ({"message": {"role": "assistant", "content": one.text, **thought}} if chat else
               {"text": one.text})
            for i, one in enumerate(said)
        ]
    }  # fmt: skip
    if habits.usage:
        counted = said if habits.counts == "all" else said[:1]
        data["usage"] = {
            "prompt_tokens": len(prompt.split()),
            "completion_tokens": sum(s.tokens for s in counted),
        }
    return data


@dataclass
class Faults:
    """Shares of requests that go wrong, drawn anew for each try; and what came of it.

    stall: seconds for which a stalled request gets no reply.
    delivered: whole replies by request body.
    """

    error: float = 0.10
    drop: float = 0.05
    busy: float = 0.03
    stalled: float = 0.01
    stall: float = 30.0
    retry_after: str = "0.2"
    seed: int = 0
    met: Counter = field(default_factory=Counter)
    delivered: Counter = field(default_factory=Counter)
    early: int = 0
    told: dict = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def draw(self, raw: bytes) -> str:
        """What happens to this try."""
        with self.lock:
            self._note_early(raw)
            number = self.met.total()
            luck, kind = random.Random(f"{self.seed}|{number}").random(), "none"
            for name in ("error", "drop", "busy", "stalled"):
                share = getattr(self, name)
                if luck < share:
                    kind = name
                    break
                luck -= share
            self.met[kind] += 1
            if kind == "busy":
                self.told[raw] = time.monotonic() + float(self.retry_after)
            return kind

    def _note_early(self, raw: bytes) -> None:
        if time.monotonic() < self.told.pop(raw, 0.0):
            self.early += 1


@contextlib.contextmanager
def fault_proxy(upstream: str, faults: Faults) -> Iterator[str]:
    """A proxy in front of ``upstream`` that does to requests what ``faults`` says."""
    target = urlsplit(upstream).netloc
    stop = threading.Event()

    class Proxy(Handler):
        def do_GET(self):
            self.forward("GET", None)

        def do_POST(self):
            raw = self.body()
            kind = faults.draw(raw)
            if kind == "error":
                self.reply(500, {"error": {"message": "made up"}})
            elif kind == "busy":
                self.reply(429, {"error": "slower"}, {"Retry-After": faults.retry_after})
            elif kind == "stalled":
                stop.wait(faults.stall)
                self.close_connection = True
            else:
                self.forward("POST", raw, half=kind == "drop")

        def forward(self, method, raw, *, half=False):
            connection = HTTPConnection(target, timeout=120)
            try:
                connection.request(method, self.path, raw, {"Content-Type": "application/json"})
                reply = connection.getresponse()
                data = reply.read()
            except (HTTPException, OSError):
                self.reply(502, {"error": "upstream"})
                return
            finally:
                connection.close()
            if half:
                self.send_response(reply.status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data[: len(data) // 2])
                self.close_connection = True
                return
            self.reply(reply.status, data)
            if reply.status == 200 and raw:
                with faults.lock:
                    faults.delivered[raw] += 1

    with serving(Proxy) as url:
        try:
            yield url
        finally:
            stop.set()
