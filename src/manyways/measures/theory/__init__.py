"""The theory's quantities as measured in a run: what is expected of each, and whether it agrees."""
