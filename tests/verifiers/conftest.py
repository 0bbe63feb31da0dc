"""What tests of verifiers share."""

import pytest

from manyways.verifiers import worker_process


@pytest.fixture
def started(monkeypatch):
    """Each worker process that is started while the test runs, in order."""
    processes = []
    start = worker_process._new_process

    def noted():
        processes.append(start())
        return processes[-1]

    monkeypatch.setattr(worker_process, "_new_process", noted)
    return processes
