"""What runs inside the sandbox: the candidate's side, the examiner's side, and their wire.

These files use the standard library alone and import nothing else of this package, because
nothing else is visible where they run.
"""
