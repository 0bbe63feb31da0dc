"""What runs inside the sandbox: the candidate's side, the examiner's side, and the wire between.

These files import the standard library and each other only, because nothing else is visible where
they run.
"""
