"""``python -m manyways`` is ``manyways``."""

from manyways.cli.app import main

main()
