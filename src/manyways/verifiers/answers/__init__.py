"""Are two answers the same? Everything that compares answers, behind one door.

``decide`` is the first step: cheap, exact, in the caller's own process. ``same_answer`` is the
second: it may parse, so it only ever runs in a worker process.
"""
