"""GRPO by verl, in an environment of its own: what it is given, what it writes, what becomes of it.

Written against verl 0.9.1.
"""
