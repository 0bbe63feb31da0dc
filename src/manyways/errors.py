"""The errors that this package raises. A message says what is wrong and how to fix it.

ManywaysError                exit 1   anything this package raises on purpose
├── UserError                exit 2   the input has to change: no traceback is shown
│   ├── RecipeError                   unknown key, wrong type, value out of range
│   ├── DataError                     a problem set, pack or attempts file is missing or malformed
│   ├── ModelError                    a checkpoint cannot be found or loaded
│   ├── EngineError                   an engine cannot do what the recipe asks: package, server, key
│   ├── NotInstalled                  a package of an extra is not installed
│   ├── NoIsolation                   programs that a model wrote cannot be run safely here
│   ├── RunDirError                   not a run folder, or another process is writing to it
│   └── Untrusted                     code, a program or an address that nobody trusts; see trust
└── StageError               exit 3   the input was fine but a stage has nothing to hand on
    ├── NothingToTrainOn              no correct solutions were kept for an arm
    ├── GateRefused                   a checkpoint is not fit for RL
    ├── VerifierUnwell                too many answers were undecided for results to be trusted
    └── MissingWork                   something that the recipe asks for was not produced
"""


class ManywaysError(Exception):
    """Base of every error that this package raises on purpose."""

    exit_code = 1


class UserError(ManywaysError):
    """The caller's input has to change; the message names the fix."""

    exit_code = 2


class RecipeError(UserError):
    """A recipe has an unknown key, a wrong type or a value out of range."""


class DataError(UserError):
    """A problem set, heuristic pack or attempts file is missing or malformed."""


class ModelError(UserError):
    """A checkpoint cannot be found or loaded."""


class EngineError(UserError):
    """An engine cannot do what the recipe asks: package missing, server or key refused."""


class NotInstalled(UserError):
    """A package that this work needs is not installed; an extra of this package brings it."""


class NoIsolation(UserError):
    """Programs that a model wrote cannot be isolated from this machine. ``why``: the reason."""

    def __init__(self, why: str, fix: str) -> None:
        super().__init__(f"refusing to run generated code without a sandbox: {why}. {fix}")
        self.why = why


class RunDirError(UserError):
    """A path is not a run folder, or another process is writing to it."""


class Untrusted(UserError):
    """A name stands for code, a program or a key's address, and the user has not trusted it."""


class StageError(ManywaysError):
    """A stage ended without an error, but left nothing that the next stage can use."""

    exit_code = 3


class NothingToTrainOn(StageError):
    """No correct solutions were kept for an arm."""


class GateRefused(StageError):
    """A checkpoint is not fit for RL."""


class VerifierUnwell(StageError):
    """Too many answers were undecided for the results to be trusted."""


class MissingWork(StageError):
    """Something that the recipe asks for was not produced."""
