"""What identifies a checkpoint, on disk and on the Hub."""

from pathlib import Path

import pytest

from manyways.checkpoints import checkpoint_hash
from manyways.errors import ModelError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def no_connection(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The Hub's cache, with nobody to ask for what is newest."""
    from huggingface_hub import HfApi, constants

    class Unreachable(Exception):
        """Like the HTTP library's: no OSError."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise Unreachable("Name or service not known")

    monkeypatch.setattr(HfApi, "model_info", refuse)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def test_without_a_connection_and_a_copy_the_error_names_the_fix(no_connection: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot reach 'some/model'.*or give a local folder"):
        checkpoint_hash("some/model")


def test_without_a_connection_the_cached_commit_counts(no_connection: Path) -> None:
    hashes = []
    for commit in (COMMIT, COMMIT[::-1]):
        repo = no_connection / "models--some--model"
        (repo / "snapshots" / commit).mkdir(parents=True)
        (repo / "snapshots" / commit / "config.json").write_text("{}")
        (repo / "refs").mkdir(exist_ok=True)
        (repo / "refs" / "main").write_text(commit)
        hashes.append(checkpoint_hash("some/model"))
    assert len(set(hashes)) == 2


def test_a_name_that_no_checkpoint_can_have_is_answered(no_connection: Path) -> None:
    with pytest.raises(ModelError, match="check the name"):
        checkpoint_hash("a b")
