"""GRPO by verl (0.9.1), which is installed in a Python environment of its own."""
