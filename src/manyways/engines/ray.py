"""Sampling on a Ray cluster: each actor holds another engine and samples blocks of requests.

Ray Data is not used, because a data set starts new actors for every execution. Here actors live
longer, so that a large model is loaded once for all files and benchmarks of a checkpoint.
"""

from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from manyways import trust
from manyways.engines import (
    ENGINES,
    Completion,
    Ended,
    Engine,
    Event,
    Going,
    SampleRequest,
    SamplingSettings,
)
from manyways.engines.queueing import in_order, windows
from manyways.errors import EngineError, ManywaysError, MissingWork
from manyways.plugins import install_command, resolve
from manyways.recipe.engines import ModelConfig, RayConfig

if TYPE_CHECKING:
    from ray import ObjectRef

SIGN_SECONDS = 5.0
"""Time between ``Going`` events while no block is finished."""
RESTARTS = 100
"""How often a lost actor is started again. Without a limit, a model that does not fit into the
memory of its node would be loaded for ever."""
TRIES = 5
"""How often one block is given to another actor after its actor was lost."""

Block = tuple[list[list[Completion]], dict[str, str | int]]


class Worker:
    """Runs in an actor: an engine that is opened with the first block.

    It is not opened in the constructor, because Ray reports an error there as a dead actor.
    """

    def __init__(self, path: str, config: ModelConfig, trusted: Mapping[str, str]) -> None:
        # Another node does not have this process's variables.
        trust.take(trusted)
        self._path, self._config = path, config
        self._engine: Engine | None = None

    def sample(self, requests: list[SampleRequest], settings: SamplingSettings) -> Block:
        """(the completions of a block, the engine's facts)."""
        if self._engine is None:
            cls = cast(Any, resolve(self._config.engine, ENGINES, "engine"))
            self._engine = cast(Engine, cls(self._path, self._config))
        found = list(self._engine.sample(requests, settings))
        return found, dict(self._engine.facts())


class RayEngine:
    """``model.ray.workers`` copies of ``model.ray.engine`` on a cluster.

    A lost actor is started again on any node with room, and its block is sampled again. Every
    attempt has a seed, so this gives the same attempts (up to ties in floating point if the
    hardware differs).

    Raises EngineError when Ray is not installed, cannot be reached, or lacks room for the workers.
    """

    reads_ahead = True

    def __init__(self, path: str, model_config: ModelConfig) -> None:
        self._config = model_config.ray or RayConfig()
        self._ray, self._started = _connect(self._config)
        actor = self._ray.remote(Worker).options(
            num_cpus=self._config.cpus,
            num_gpus=self._config.gpus,
            max_restarts=RESTARTS,
            max_task_retries=TRIES,
        )
        inner = model_config.under(self._config.engine)
        self._workers = [
            actor.remote(path, inner, trust.environment()) for _ in range(self._config.workers)
        ]
        self._facts: dict[int, dict[str, str | int]] = {}

    def sample(
        self, requests: Iterable[SampleRequest], settings: SamplingSettings
    ) -> Iterator[list[Completion]]:
        """See ``Engine.sample``. Raises the errors of ``stream``."""
        return in_order(lambda read: self.stream(read, settings), requests)

    def stream(
        self, requests: Iterable[SampleRequest], settings: SamplingSettings
    ) -> Generator[Event]:
        """Yield events block by block; see ``Engine.stream``.

        Raises the errors of the engine in an actor; MissingWork when actors are lost too often.
        """
        blocks = windows(requests, self._config.block)
        running: dict[ObjectRef[Block], tuple[int, int, int]] = {}
        idle = deque(range(len(self._open_workers())))
        first = 0
        while True:
            while idle and (block := next(blocks, None)):
                worker = idle.popleft()
                reference = self._workers[worker].sample.remote(block, settings)
                running[reference] = (first, worker, sum(len(one.seeds) for one in block))
                first += len(block)
            if not running:
                return
            yield Going(running=sum(attempts for _, _, attempts in running.values()))
            ready, _ = self._ray.wait(list(running), num_returns=1, timeout=SIGN_SECONDS)
            for reference in ready:
                begin, worker, _ = running.pop(reference)
                found, self._facts[worker] = self._result(reference)
                idle.append(worker)
                for number, completions in enumerate(found, start=begin):
                    for place, one in enumerate(completions):
                        yield Ended(request=number, place=place, completion=one)

    def facts(self) -> Mapping[str, str | int]:
        """See ``Engine.facts``: those of the workers; numbers are added up."""
        counts: Counter[str] = Counter()
        words: dict[str, str | int] = {}
        for facts in self._facts.values():
            counts.update({key: value for key, value in facts.items() if isinstance(value, int)})
            words |= {key: value for key, value in facts.items() if isinstance(value, str)}
        return {
            "seeds": "not asked yet",
            **words,
            **counts,
            "cluster": f"ray {self._ray.__version__}",
            "workers": self._config.workers,
        }

    def close(self) -> None:
        """Stop the workers, and the cluster if it was started here."""
        for worker in self._workers:
            self._ray.kill(worker)
        self._workers = []
        if self._started:
            self._ray.shutdown()
            self._started = False

    def _open_workers(self) -> list[Any]:
        if not self._workers:
            raise EngineError("this engine was closed: open another one to sample again.")
        return self._workers

    def _result(self, reference: "ObjectRef[Block]") -> Block:
        errors = self._ray.exceptions
        try:
            return cast(Block, self._ray.get(reference))
        except errors.RayTaskError as error:
            # Ray's own message is a remote traceback; ours is a sentence with a fix.
            if isinstance(error.cause, ManywaysError):
                raise error.cause from error
            raise
        # Raised only after TRIES: before, Ray restarts the actor and gives it the block again.
        except errors.RayActorError as error:
            raise MissingWork(
                f"a worker on the Ray cluster was lost {TRIES + 1} times over one block "
                f"({str(error).splitlines()[0]}): not enough memory on its node? What is finished "
                "is kept: run the same command again."
            ) from error


def _connect(config: RayConfig) -> tuple[Any, bool]:
    """(the package, connected to a cluster; whether the cluster was started here).

    Raises EngineError as ``RayEngine`` does; Untrusted for a cluster that nobody trusts.
    """
    if config.elsewhere:
        trust.require(f"model.ray.address = '{config.address}' is another machine", config.address)
    try:
        import ray
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise EngineError(f"engine 'ray' needs Ray: {install_command('ray')}") from error
    started = not ray.is_initialized()
    if started:
        try:
            ray.init(
                address=config.address or None,
                include_dashboard=None if config.address else False,
                log_to_driver=False,
                logging_level="error",
            )
        except Exception as error:  # Ray raises bare Exception when a node is slow to start
            raise EngineError(
                f"Ray cannot start or reach a cluster (model.ray.address = '{config.address}'): "
                f"{error}"
            ) from error
    room = ray.cluster_resources()
    for kind, each in (("CPU", config.cpus), ("GPU", config.gpus)):
        if each * config.workers > room.get(kind, 0.0):
            if started:
                ray.shutdown()
            raise EngineError(
                f"model.ray wants {config.workers} workers with {each:g} {kind} each, but the "
                f"cluster has {room.get(kind, 0.0):g} {kind}: lower workers or {kind.lower()}s."
            )
    return ray, started
