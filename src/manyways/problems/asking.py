r"""What a problem asks for when the run's own instruction does not fit it.

A recipe's instruction ("Put your final answer within \boxed{}.") suits maths and multiple choice;
what is judged otherwise says itself what to ask for (``Verifier.asks``).
"""

from manyways.records import Problem
from manyways.verifiers import verifier_of


def instruction_for(problem: Problem, default: str) -> str:
    """The line that asks for the answer's form: the verifier's, else ``default``."""
    asks = verifier_of(problem.verifier).asks
    return asks.format(name=problem.entry_point) if asks else default
