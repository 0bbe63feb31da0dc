"""``python -m manyways.cli`` is ``manyways``."""

from manyways.cli.app import main

main()
