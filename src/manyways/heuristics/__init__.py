"""Heuristic packs (TOML files with ways to attack a problem, in an order), and the prompt format.

Generation, mid-training, RL and evaluation use one ``PromptFormat``. A recipe's instruction
(``BOXED``) suits mathematics and multiple choice; other verifiers say what a prompt has to ask for
(``Verifier.asks``).
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from manyways.checkpoints import package_path
from manyways.errors import DataError
from manyways.plugins import nearest
from manyways.records import Exemplar, Heuristic, Message, Problem
from manyways.verifiers import verifier_of

BOXED = "Put your final answer within \\boxed{}."

Place = Literal["before", "after", "both"]
Exemplars = Literal["turns", "message"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """How a prompt under a heuristic is laid out.

    place:     where the heuristic is described: ``before`` everything that differs between
               problems, ``after`` each question, or ``both`` (first, and again after the problem).
    exemplars: whether exemplars are earlier ``turns`` of the chat, or part of one ``message``.
    """

    place: Place = "before"
    exemplars: Exemplars = "turns"


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptFormat:
    """How a question becomes chat messages.

    The tokenizer's chat template turns messages into tokens (``checkpoints.load_tokenizer``), so
    every stage and engine renders the same text.

    instruction: the line after every question that asks for the answer's form.
    system:      the system message; none if empty.
    layout:      the layout of prompts under a heuristic.
    """

    instruction: str = BOXED
    system: str = ""
    layout: Layout = Layout()

    def plain(self, question: str) -> tuple[Message, ...]:
        """The prompt without a heuristic: for mid-training, RL, evaluation and plain attempts."""
        return (*self._head(), Message(role="user", content=self._ask(question)))

    def under(self, heuristic: Heuristic, question: str, *, shots: int) -> tuple[Message, ...]:
        """The prompt that asks for one heuristic, with its first ``shots`` exemplars.

        With ``place = "before"`` the heuristic is described once, before everything that differs
        between problems. So requests under one heuristic share the longest possible prefix.
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
    """The line that asks for the answer's form: that of the problem's verifier, or ``default``."""
    asks = verifier_of(problem.verifier).asks
    return asks.format(name=problem.entry_point) if asks else default


PACKS: dict[str, str] = {
    "polya": "package:manyways.heuristics/polya.toml",
    "code": "package:manyways.heuristics/code.toml",
    "narrative": "package:manyways.heuristics/narrative.toml",
    "pocket": "package:manyways.pocket/heuristics.toml",
}
"""name -> the pack's TOML file; a recipe may name the path of a ``.toml`` file instead."""

_ADAPTER = TypeAdapter(Heuristic)
_LAYOUT = TypeAdapter(Layout)


def load_pack(name: str, count: int | None = None) -> tuple[Heuristic, ...]:
    """The first ``count`` heuristics of a pack, by its name, ``package:`` path or file path.

    Raises DataError when the file is missing, malformed, has duplicate ids or fewer than
    ``count`` heuristics.
    """
    path = _pack_path(name)
    rows = _read(path).get("heuristic", [])
    pack = tuple(_parse(row, number, path) for number, row in enumerate(rows, start=1))
    ids = [heuristic.id for heuristic in pack]
    if len(set(ids)) != len(ids):
        twice = sorted({i for i in ids if ids.count(i) > 1})
        raise DataError(f"heuristic pack {path}: ids appear twice: {', '.join(twice)}.")
    if not pack or (count is not None and count > len(pack)):
        raise DataError(
            f"heuristic pack {path} has {len(pack)} heuristics, {count or 'at least 1'} wanted: "
            "lower heuristics.count or add entries."
        )
    return pack[:count]


def load_layout(name: str) -> Layout:
    """The layout in a pack's table ``[prompt]``.

    Raises DataError when the pack is missing or malformed, or the table holds anything else.
    """
    path = _pack_path(name)
    given = _read(path).get("prompt", {})
    if not isinstance(given, dict):
        raise DataError(f"heuristic pack {path}: prompt is a table, [prompt].")
    unknown = set(given) - set(Layout.__dataclass_fields__)
    if unknown:
        raise DataError(f"heuristic pack {path}, [prompt]: unknown keys {unknown}.")
    try:
        return _LAYOUT.validate_python(given)
    except ValidationError as error:
        raise DataError(f"heuristic pack {path}, [prompt] {_first_of(error)}.") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"heuristic pack {path} is not valid TOML: {error}.") from error


def _pack_path(name: str) -> Path:
    target = PACKS.get(name, name)
    path = package_path(target) if target.startswith("package:") else Path(target)
    if not path.is_file():
        if path.suffix == ".toml":
            raise DataError(f"no heuristic pack '{name}': there is no such file in {Path.cwd()}.")
        raise DataError(f"no heuristic pack '{name}'.{nearest(name, PACKS)} Or give a .toml path.")
    return path


def _parse(row: dict[str, Any], number: int, path: Path) -> Heuristic:
    row = dict(row)
    row["exemplars"] = row.pop("exemplar", [])
    unknown = set(row) - set(Heuristic.__dataclass_fields__)
    try:
        if unknown:
            raise DataError(f"heuristic pack {path}, entry {number}: unknown keys {unknown}.")
        return _ADAPTER.validate_python(row)
    except ValidationError as error:
        named = f"entry {number} ({row.get('id', 'no id')})"
        raise DataError(f"heuristic pack {path}, {named}: {_first_of(error)}.") from error


def _first_of(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


_OPTION = re.compile(r"^([A-Z])\) (.+)$", re.MULTILINE)
_CALLED = re.compile(r"\bassert (?:not )?(\w+)\(")


def exemplar_problem(heuristic: Heuristic, number: int) -> Problem:
    """Exemplar ``number`` (from 0) as a problem, so that its solution can be verified.

    The verifier is ``python_tests`` for an answer of assert lines, ``choice`` for a letter under
    lettered options, and ``math`` for everything else.
    """
    exemplar = heuristic.exemplars[number]
    name = f"exemplar/{heuristic.id}/{number + 1}"
    called = _CALLED.search(exemplar.answer)
    if called:
        return Problem(
            id=name,
            question=exemplar.question,
            answer="",
            verifier="python_tests",
            tests=exemplar.answer,
            entry_point=called[1],
        )
    return _answered(name, exemplar)


def _answered(name: str, exemplar: Exemplar) -> Problem:
    options = _OPTION.findall(exemplar.question)
    if [letter for letter, _ in options[:2]] == ["A", "B"] and len(exemplar.answer.strip()) == 1:
        return Problem(
            id=name,
            question=exemplar.question,
            answer=exemplar.answer.strip(),
            verifier="choice",
            choices=tuple(text for _, text in options),
        )
    return Problem(id=name, question=exemplar.question, answer=exemplar.answer)
