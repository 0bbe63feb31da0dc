r"""The prompt format: one object for generation, mid-training, RL and evaluation alike.

A recipe's instruction ("Put your final answer within \boxed{}.") suits maths and multiple choice;
what is judged otherwise says itself what to ask for (``Verifier.asks``).
"""

from dataclasses import dataclass
from typing import Literal

from manyways.records import Heuristic, Message, Problem
from manyways.verifiers import verifier_of

BOXED = "Put your final answer within \\boxed{}."

Place = Literal["before", "after", "both"]
Exemplars = Literal["turns", "message"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """How a prompt under a heuristic is laid out.

    place:     where the heuristic is described: ``before`` everything that differs between
               problems, ``after`` each question, or ``both``: first, and again after the problem.
    exemplars: ``turns`` of the chat before the problem's own, or all in its one ``message``.
    """

    place: Place = "before"
    exemplars: Exemplars = "turns"


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptFormat:
    """How a question becomes chat messages.

    The chat template that turns messages into tokens belongs to the tokenizer (see
    ``checkpoints.load_tokenizer``), so every stage and engine renders the same text.

    instruction: the line that asks for the answer's form, appended to every question.
    system:      system message, omitted when empty.
    layout:      of prompts under a heuristic.
    """

    instruction: str = BOXED
    system: str = ""
    layout: Layout = Layout()

    def plain(self, question: str) -> tuple[Message, ...]:
        """The prompt of mid-training, RL, evaluation and plain generation: no heuristic named."""
        return (*self._head(), Message(role="user", content=self._ask(question)))

    def under(self, heuristic: Heuristic, question: str, *, shots: int) -> tuple[Message, ...]:
        """The prompt that asks for one heuristic, with its first ``shots`` exemplars.

        A heuristic described ``before`` is described once, before everything that differs between
        problems, so that requests under one heuristic share the longest possible prefix.
        """
        write = self._turns if self.layout.exemplars == "turns" else self._message
        return (*self._head(), *write(heuristic, question, shots))

    def _turns(self, heuristic: Heuristic, question: str, shots: int) -> tuple[Message, ...]:
        lead, after = self._lead(heuristic), self._after(heuristic)
        behind = after if self.layout.place == "after" else ""
        turns = []
        for exemplar in heuristic.exemplars[:shots]:
            turns.append(Message(role="user", content=lead + self._ask(exemplar.question, behind)))
            turns.append(Message(role="assistant", content=exemplar.solution))
            lead = ""
        turns.append(Message(role="user", content=lead + self._ask(question, after)))
        return tuple(turns)

    def _message(self, heuristic: Heuristic, question: str, shots: int) -> tuple[Message, ...]:
        shown = [
            f"Example problem: {exemplar.question}\n\nSolution:\n{exemplar.solution.strip()}\n\n"
            for exemplar in heuristic.exemplars[:shots]
        ]
        asked = self._ask(question, self._after(heuristic))
        own = f"The problem to solve: {asked}" if shown else asked
        return (Message(role="user", content="".join([self._lead(heuristic), *shown, own])),)

    def _lead(self, heuristic: Heuristic) -> str:
        return "" if self.layout.place == "after" else f"{_described(heuristic)}\n\n"

    def _after(self, heuristic: Heuristic) -> str:
        return "" if self.layout.place == "before" else f"Use this way. {_described(heuristic)}"

    def _head(self) -> tuple[Message, ...]:
        return (Message(role="system", content=self.system),) if self.system else ()

    def _ask(self, question: str, way: str = "") -> str:
        return "\n\n".join([question, *(part for part in (way, self.instruction) if part)])


def _described(heuristic: Heuristic) -> str:
    return f"{heuristic.name}: {heuristic.instruction}"


def instruction_for(problem: Problem, default: str) -> str:
    """The line that asks for the answer's form: the verifier's, else ``default``."""
    asks = verifier_of(problem.verifier).asks
    return asks.format(name=problem.entry_point) if asks else default
