"""Stands in for vLLM, which is only looked for."""
