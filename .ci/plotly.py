"""Renews the library that draws the figures of a page, by `python .ci/plotly.py 4.1.1`.

Takes plotly.js's basic bundle (scatter, bar, pie) from npm, whose client checks its hash, and packs
it; commit both files that it writes. A page holds the packed file, which is a third of the whole.
"""

import gzip
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ASSETS = Path(__file__).parents[1] / "src" / "manyways" / "reporting" / "assets"
PACKAGE, SCRIPT = "plotly.js-basic-dist-min", "plotly-basic.min.js"


def main() -> None:
    """Fetch the version on the command line."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", f"{PACKAGE}@{sys.argv[1]}"]
        done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
        with tarfile.open(Path(folder, done.stdout.split()[-1])) as archive:
            script, licence = (_file(archive, name) for name in (SCRIPT, "LICENSE"))
    packed = gzip.compress(script, 9, mtime=0)
    (ASSETS / f"{SCRIPT}.gz").write_bytes(packed)
    (ASSETS / "plotly-LICENSE.txt").write_bytes(licence)
    print(f"{SCRIPT}.gz: {len(packed):,} bytes. Run make check test-all before you commit it.")


def _file(archive: tarfile.TarFile, name: str) -> bytes:
    found = archive.extractfile(f"package/{name}")
    assert found is not None
    return found.read()


if __name__ == "__main__":
    main()
