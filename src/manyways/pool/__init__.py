"""The pool of attempts: how it is sampled and stored, and what arms select from it."""
