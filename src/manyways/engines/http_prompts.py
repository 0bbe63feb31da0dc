"""Prompts and token counts for servers that leave one of them to us."""

from typing import Any

from manyways.checkpoints import BASE_MODEL_TEMPLATE, load_tokenizer, model_path
from manyways.engines.rendering import split_begun
from manyways.errors import UserError
from manyways.recipe.engines import HttpConfig
from manyways.records import Message

Prompt = str | tuple[Message, ...]


class Prompts:
    """What is sent as the prompt: the turns for ``chat``, rendered text for ``completions``.

    Without ``config.tokenizer`` text is rendered by the template of base models, and no tokenizer
    is loaded.
    """

    def __init__(self, config: HttpConfig) -> None:
        self._chat = config.endpoint == "chat"
        self._tokenizer: Any = None
        if config.tokenizer:
            self._tokenizer = load_tokenizer(model_path(config.tokenizer))

    def prompt(self, messages: tuple[Message, ...]) -> Prompt:
        """What to send for ``messages``.

        Raises UserError where a server of the ``chat`` kind is asked to go on with an answer.
        """
        if not self._chat:
            return self._render(messages)
        if split_begun(messages)[1]:
            raise UserError(
                "a chat endpoint starts a new answer, it does not go on with one: set "
                'model.http.endpoint = "completions".'
            )
        return messages

    def counts(
        self, messages: tuple[Message, ...], texts: tuple[str, ...]
    ) -> tuple[int, list[int]] | None:
        """Tokens of the prompt and of each text (ends of text not counted); None: no tokenizer."""
        if self._tokenizer is None:
            return None
        return self._count(self._render(messages)), [self._count(text) for text in texts]

    def _count(self, text: str) -> int:
        return len(self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def _render(self, messages: tuple[Message, ...]) -> str:
        asked, begun = split_begun(messages)
        turns = [{"role": message.role, "content": message.content} for message in asked]
        if self._tokenizer is None:
            return _render_base(turns) + begun
        text = str(
            self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        )
        bos = self._tokenizer.bos_token
        return (text.removeprefix(bos) if bos and self._adds_bos() else text) + begun

    def _adds_bos(self) -> bool:
        """Whether a server's tokenizer writes BOS by itself, so that ours would be a second one."""
        ids = self._tokenizer("", verbose=False)["input_ids"]
        return self._tokenizer.bos_token_id in ids


def _render_base(turns: list[dict[str, str]]) -> str:
    from jinja2 import Template

    # What ends a text is the server's business: turns are told apart by the blank line.
    return str(
        Template(BASE_MODEL_TEMPLATE).render(
            messages=turns, add_generation_prompt=True, eos_token=""
        )
    )
