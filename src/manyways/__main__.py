"""``python -m manyways`` is ``manyways``."""

import sys

try:
    from manyways.cli.app import main
except ModuleNotFoundError as error:
    sys.stderr.write(
        f"manyways: this Python ({sys.executable}) has no package '{error.name}', so manyways is "
        "not installed in it: activate the environment (. .venv/bin/activate), or install it in "
        "this Python.\n"
    )
    sys.exit(2)

main()
