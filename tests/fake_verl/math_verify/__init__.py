"""Stands in for math-verify, which is only looked for: the answers here are integers."""
