"""Renews constraints.txt: the newest versions of every package that agree with each other.

Run by `make constraints`. pip resolves all extras together, without installing anything.
"""

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEAD = """\
# Every package of the environment with all extras, transitive ones too, at the version that the
# tests ran with (vllm and what only it needs: resolved, not run). Renewed by: make constraints
"""


def main() -> None:
    """Resolve the extras and the requirements on the command line, and write the pins."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = ",".join(sorted(project["project"]["optional-dependencies"]))
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run"]
        command += ["--ignore-installed", "--report", str(report), *sys.argv[1:]]
        command += [*project["build-system"]["requires"], f"{ROOT}[{extras}]"]
        subprocess.run(command, check=True)
        chosen = [one["metadata"] for one in json.loads(report.read_text())["install"]]
    own = project["project"]["name"]
    pins = {
        re.sub(r"[-_.]+", "-", one["name"]).lower(): one["version"].partition("+")[0]
        for one in chosen
    }
    lines = [f"{name}=={version}" for name, version in sorted(pins.items()) if name != own]
    (ROOT / "constraints.txt").write_text(HEAD + "\n".join(lines) + "\n")
    print(f"constraints.txt: {len(lines)} packages. Run make check test-all before you commit it.")


if __name__ == "__main__":
    main()
