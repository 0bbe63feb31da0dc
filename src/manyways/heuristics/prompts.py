"""The prompt format: one object for generation, mid-training, RL and evaluation alike."""

from dataclasses import dataclass

from manyways.records import Heuristic, Message

BOXED = "Put your final answer within \\boxed{}."


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptFormat:
    """How a question becomes chat messages.

    The chat template that turns messages into tokens belongs to the tokenizer (see
    ``checkpoints.load_tokenizer``), so every stage and engine renders the same text.

    instruction: the line that asks for the answer's form, appended to every question.
    system:      system message, omitted when empty.
    """

    instruction: str = BOXED
    system: str = ""

    def plain(self, question: str) -> tuple[Message, ...]:
        """The prompt of mid-training, RL, evaluation and plain generation: no heuristic named."""
        return (*self._head(), Message(role="user", content=self._ask(question)))

    def under(self, heuristic: Heuristic, question: str, *, shots: int) -> tuple[Message, ...]:
        """The prompt that asks for one heuristic, with its first ``shots`` exemplars as turns.

        The heuristic is described once, before everything that differs between problems, so that
        requests under one heuristic share the longest possible prefix.
        """
        lead = f"{heuristic.name}: {heuristic.instruction}\n\n"
        turns = list(self._head())
        for exemplar in heuristic.exemplars[:shots]:
            turns.append(Message(role="user", content=lead + self._ask(exemplar.question)))
            turns.append(Message(role="assistant", content=exemplar.solution))
            lead = ""
        turns.append(Message(role="user", content=lead + self._ask(question)))
        return tuple(turns)

    def _head(self) -> tuple[Message, ...]:
        return (Message(role="system", content=self.system),) if self.system else ()

    def _ask(self, question: str) -> str:
        return f"{question}\n\n{self.instruction}" if self.instruction else question
