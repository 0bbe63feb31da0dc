"""Stands in for verl 0.9: the command lines, files and log of its trainer and merger, no model."""
