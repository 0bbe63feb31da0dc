"""``python -m manyways`` is ``manyways``."""

import sys

try:
    from manyways.cli.app import main
except ModuleNotFoundError as error:
    sys.stderr.write(
        f"manyways: this Python ({sys.executable}) has no package '{error.name}', so manyways is "
        "not installed in it: activate the environment (. .venv/bin/activate), or pip install "
        "manyways.\n"
    )
    sys.exit(2)

main()
