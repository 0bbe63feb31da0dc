"""The stages of a run, in reading order."""
