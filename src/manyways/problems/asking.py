r"""What a problem asks for when the run's own instruction does not fit it.

A recipe's instruction ("Put your final answer within \boxed{}.") suits maths and multiple choice.
A program cannot be boxed: the text that python_tests reads is a fenced block or a continuation of
the prompt.
"""

from manyways.records import Problem

PROGRAM = (
    "Write the whole program, including what it imports, in one ```python block. "
    "It must define {name}."
)


def instruction_for(problem: Problem, default: str) -> str:
    """The line that asks for the answer's form: ``default``, but for programs."""
    if problem.verifier == "python_tests":
        return PROGRAM.format(name=problem.entry_point)
    return default
