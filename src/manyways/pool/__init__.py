"""The pool of attempts: how it is sampled and kept, what of it counts, what each arm takes."""
