"""From attempts as they end to completions in order, and back."""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from typing import cast

from manyways.engines import (
    Completion,
    Ended,
    Engine,
    Event,
    Going,
    SampleRequest,
    SamplingSettings,
)


def stream(
    engine: Engine, requests: Iterable[SampleRequest], settings: SamplingSettings
) -> Iterator[Event]:
    """Attempts as they end, from any engine: one without ``stream`` gives request after request."""
    own = getattr(engine, "stream", None)
    if own is None:
        return _request_by_request(engine, requests, settings)
    return cast(Iterator[Event], own(requests, settings))


def _request_by_request(
    engine: Engine, requests: Iterable[SampleRequest], settings: SamplingSettings
) -> Iterator[Event]:
    for request, completions in enumerate(engine.sample(requests, settings)):
        for place, completion in enumerate(completions):
            yield Ended(request=request, place=place, completion=completion)
        yield Going(running=0)


def in_order(
    events_of: Callable[[Iterable[SampleRequest]], Generator[Event]],
    requests: Iterable[SampleRequest],
) -> Iterator[list[Completion]]:
    """What ``Engine.sample`` yields, from an engine's stream.

    events_of: the stream of the requests that it is given; it may read them as it goes.
    """
    sizes: list[int] = []
    done: dict[int, dict[int, Completion]] = {}

    def read() -> Iterator[SampleRequest]:
        for request in requests:
            sizes.append(len(request.seeds))
            yield request

    given = 0
    with closing(events_of(read())) as events:
        for event in events:
            if isinstance(event, Going):
                continue
            done.setdefault(event.request, {})[event.place] = event.completion
            while given < len(sizes) and len(done.get(given, ())) == sizes[given]:
                yield _listed(done.pop(given, {}))
                given += 1
    # Requests without seeds have no event of their own.
    yield from (_listed(done.pop(number, {})) for number in range(given, len(sizes)))


def _listed(places: dict[int, Completion]) -> list[Completion]:
    return [places[place] for place in range(len(places))]
