"""How many files one question opens on its way to one figure of the report."""

import re
import subprocess
import sys

import pytest
from command_line import ROOT, environment

LOADED, WALK = (24_350, 99), (20_520, 83)
"""Lines and files."""


@pytest.mark.slow
def test_the_walk_is_no_longer_than_it_was() -> None:
    """The numbers may only fall; docs/architecture.md tells what they were last."""
    done = subprocess.run(
        [sys.executable, ROOT / "tests" / "walk.py"],
        env=environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    counts = re.findall(r"(\d+) lines in (\d+) files", done.stdout)
    loaded, walk = (tuple(map(int, pair)) for pair in counts)
    for (lines, files), (most_lines, most_files) in ((loaded, LOADED), (walk, WALK)):
        assert lines <= most_lines, done.stdout
        assert files <= most_files, done.stdout
