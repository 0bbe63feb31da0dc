"""A Hub that only remembers what it was asked."""

from pathlib import Path


class FakeHub:
    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.created: list[tuple[str, str, bool]] = []
        self.uploaded: list[tuple[str, str, list[str]]] = []

    def create_repo(self, repo_id: str, *, repo_type: str, private: bool, exist_ok: bool) -> None:
        if self.error:
            raise self.error
        self.created.append((repo_id, repo_type, private))

    def upload_folder(
        self, *, repo_id: str, folder_path: Path, repo_type: str, commit_message: str
    ) -> None:
        files = sorted(str(p.relative_to(folder_path)) for p in Path(folder_path).rglob("*.*"))
        self.uploaded.append((repo_id, repo_type, files))
