"""What is asked of the Hub, what a mirror is for, and which commit is reported."""

from pathlib import Path
from typing import Any

import datasets
import pytest
from hub_layout import write_lines, write_repository

from manyways.errors import DataError
from manyways.problems import Source, load_set
from manyways.problems.datasets import ALL
from manyways.problems.rows import MIRROR, HubDataset, read_hub

COMMIT = "0123456789abcdef0123456789abcdef01234567"
WANTED = HubDataset(id="me/sums", split="test", columns=("question", "answer"))
ROWS = [{"question": "1 + 1?", "answer": "2"}]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MIRROR, raising=False)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))


class FakeHub:
    """Stands in for ``datasets.load_dataset``: keeps the requests, gives rows as from a cache."""

    def __init__(self, rows: list[dict[str, Any]], commit: str = COMMIT) -> None:
        self.rows, self.commit = rows, commit
        self.requests: list[tuple[str, str | None, str, str | None]] = []

    def __call__(
        self, path: str, config: str | None, *, split: str, revision: str | None
    ) -> object:
        self.requests.append((path, config, split, revision))
        rows, file = self.rows, f"/cache/me___sums/default/0.0.0/{self.commit}/sums-test.arrow"

        class Loaded(list):  # type: ignore[type-arg]
            column_names = tuple(rows[0])
            cache_files = ({"filename": file},)

        return Loaded(rows)


def test_every_published_set_asks_for_its_own_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = FakeHub([{"nothing": 1}])
    monkeypatch.setattr(datasets, "load_dataset", hub)
    for spec in ALL:
        for split in spec.splits:
            with pytest.raises(DataError, match="no column"):
                spec(split, Source(revision=COMMIT))
    assert hub.requests == [
        (spec.hub_id, spec.hub_config, split.hub, COMMIT)
        for spec in ALL
        for split in spec.splits.values()
    ]


def test_the_commit_is_that_of_the_rows_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "load_dataset", FakeHub(ROWS))
    assert read_hub(WANTED).commit == COMMIT
    assert load_set("hub:me/sums?split=test").provenance()["commit"] == COMMIT


def test_a_revision_in_the_name_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = FakeHub(ROWS)
    monkeypatch.setattr(datasets, "load_dataset", hub)
    load_set(f"hub:me/sums?split=test&revision={COMMIT}", revision="main")
    assert hub.requests == [("me/sums", None, "test", COMMIT)]


def test_a_folder_says_that_a_pinned_revision_was_not_checked(tmp_path: Path) -> None:
    rows = [{"id": f"aime24_{i}", "question": f"{i}?", "answer": "1"} for i in range(30)]
    write_lines(tmp_path / "aime24.jsonl", rows)
    loaded = load_set(f"aime24/test?revision={COMMIT}", data_dir=tmp_path)
    assert loaded.commit is None
    assert f"not checked against revision {COMMIT}" in loaded.origin


def test_no_commit_is_invented(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "load_dataset", FakeHub(ROWS, commit="abc"))
    assert read_hub(WANTED).commit is None


def test_another_commit_than_the_pinned_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "load_dataset", FakeHub(ROWS))
    pinned = HubDataset(id="me/sums", split="test", revision="f" * 40)
    with pytest.raises(DataError, match=f"the copy at hand .* is commit {COMMIT}"):
        read_hub(pinned)
    assert read_hub(HubDataset(id="me/sums", split="test", revision="main")).commit == COMMIT


def test_a_missing_column_names_those_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "load_dataset", FakeHub([{"query": "1 + 1?", "answer": "2"}]))
    with pytest.raises(DataError, match="no column question; it has query, answer"):
        read_hub(WANTED)


@pytest.mark.parametrize("failure", [ConnectionError("no route"), ValueError("Unknown split")])
def test_a_failure_to_load_says_what_to_do(
    failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(datasets, "load_dataset", fail)
    with pytest.raises(DataError, match=f"{failure}.*MANYWAYS_DATA.*{MIRROR}"):
        read_hub(WANTED)


def test_a_mirror_is_read_in_the_hubs_layout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_repository(tmp_path, "me/sums", "main", {"test": ROWS, "train": ROWS * 3})
    monkeypatch.setenv(MIRROR, str(tmp_path))
    train = HubDataset(id="me/sums", config="main", split="train")
    assert len(read_hub(train).rows) == 3
    found = read_hub(HubDataset(id="me/sums", config="main", split="test+train"))
    assert len(found.rows) == 4
    assert found.commit is None
    assert str(tmp_path) in found.origin


def test_a_mirror_honours_no_revision_and_needs_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MIRROR, str(tmp_path))
    with pytest.raises(DataError, match="cannot honour"):
        read_hub(HubDataset(id="me/sums", split="test", revision=COMMIT))
    with pytest.raises(DataError, match="no folder me/sums"):
        read_hub(WANTED)


def test_the_fake_is_called_as_datasets_is() -> None:
    import inspect

    parameters = inspect.signature(datasets.load_dataset).parameters
    assert list(parameters)[:2] == ["path", "name"]
    assert {"split", "revision"} <= set(parameters)
