"""A labeller for any pack, which learns the wording of each heuristic from its exemplars.

It is TF-IDF of words and word pairs, then logistic regression. It is weak: a pack has one or two
exemplars per heuristic, so it knows their phrases and the heuristic's own wording, but no
mathematics. It confuses heuristics with similar wording. On held-out exemplars by the same writers
it finds the right one of 8 heuristics for most texts, and of 48 for about half of them; it leaves
most single steps without a label. A model's texts are harder. Use its rates to compare checkpoints
under the same labeller. Absolute composition rates need a correction (``metrics.agreement``) by an
error that was measured on the model's texts.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from manyways.errors import DataError
from manyways.heuristics.labelling import (
    ANSWER,
    Guess,
    LabellerError,
    PromptedText,
    PromptedTexts,
    folds,
    halves,
    joined,
    step_labels,
)
from manyways.records import Heuristic, Segment
from manyways.verifiers.final_answer import extract

MARGIN = 0.15
"""A step is labelled when its best heuristic leads the second best by this much probability."""
STEP_END = re.compile(r"(?<=[.!?;])\s+(?=[A-Z\\$(\"'])|\n+")
DISPLAY = re.compile(
    r"^[ \t]*(?:\\\[(?:(?!\\\]).)*\\\]|\$\$(?:(?!\$\$).)+\$\$|\\begin\{(\w+\*?)\}.*?\\end\{\1\})"
    r"[.,;]?[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
"""A formula on lines of its own."""
HEAD = re.compile(
    r"[*_#>\s]*(?:(?:[-+*•–]|\(?(?:\d{1,3}|[a-z]|[ivx]{1,4})[.):]"
    r"|(?:step|part|case|stage|phase|method|way|approach|option)\s*(?:\d{1,3}|[a-z]|[ivx]{1,4})\b[.:)]*"
    r"|(?:solution|explanation|reasoning|proof)\s*:|\\\[|```\w+)[*_\s]*)+",
    re.IGNORECASE,
)
"""The head of a step, which has no content: "1.", "(b)", "**Step 2:**", "```python"."""
HEAD_LENGTH = 30
TITLE = re.compile(r"(?:^|\W)(?:Mrs?|Ms|Dr|Prof|St|vs|e\.g|i\.e)\.$")
"""Abbreviations whose full stop does not end a sentence."""
FENCE = "```"

NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_BOX = re.compile(r"\\boxed\s*\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}|</?\w+>")
_SIDE = r"[-−$]?(?:\w[\w.,]*%?|[\\({\[\"'])"
_RELATION = re.compile(
    r"(?:(?<![\w.,])\w[\w.,]{0,40}|[)\]}%\"'])\s*(?:[-+*/]?=|[≈≠≤≥→⇒<>]|[-=]>|"
    rf"\\(?:n?eq|[lg]eq?|approx|equiv|to|implies|Rightarrow)\b)+\s*({_SIDE})"
)
_ARITHMETIC = re.compile(
    r"(?:(?<![\w.,])(?:\d[\d.,]{0,20}[a-z%]?|[a-zA-Z])|[)}\]])\s*(?:[-−+/^×÷·]|(?<!\*)\*(?!\*)|\\(?:times|cdot|div)\b)"
    r"\s*(?:\$?\d[\d.,]*|[a-zA-Z]\b|[({\\])"
    rf"|\w\s+(?:[+×÷*]|\\(?:times|cdot|div)\b)\s+{_SIDE}"
    r"|\\[dt]?frac\s*\{[^{}]*\}\s*\{[^{}]*\}|(?<![\\\w.])[a-zA-Z_][\w.]{0,60}(?:\((?!s\))[^()]*\)?|\[[^\[\]]+\])"
)
"""Two things and an operation between them, a fraction, or a call as in a program."""
_WORD = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\d_]+")
"""A word, or a character of a script that puts no space between words."""
_STOP = re.compile("[。！？]")
_STEM = 5
_KNOWN = 0.8
"""A sentence is said again if this share of its words is known."""
_SAYS, _RESULTS, _CONCLUDES = 2, 3, 8
"""The least new words of a sentence that says something: of any, of one with the number of the
answer, of one that gives the answer."""
_MARKED = ("later", "boxed", "boxes", "tag", "hashes", "phrase", "unclosed box")
"""Rules of extraction that find an answer which is said to be one."""

Floats = NDArray[np.float64]


class ExemplarLabeller:
    """Labels steps by their likeness to the exemplars of each heuristic. Deterministic.

    It is fitted at its first use. Shapes: _H heuristics, in the order of ``ids``; _T texts.
    """

    def __init__(self, pack: Sequence[Heuristic], attempts: PromptedTexts | None = None) -> None:
        """``attempts``: more texts to learn from, each with the heuristic that it was asked for."""
        self.ids = sorted(h.id for h in pack)
        self._pack = pack
        self._attempts = attempts

    def segments(self, text: str) -> list[Segment]:
        """One segment per line or sentence; heuristic None if no heuristic leads clearly."""
        steps = split_steps(text)
        labels = [
            self._label(step, shares_H)
            for step, shares_H in zip(steps, self.shares(steps), strict=True)
        ]
        return [Segment(text=s, heuristic=h) for s, h in zip(steps, labels, strict=True)]

    def adherence(self, text: str, heuristic: Heuristic, question: str = "") -> float:
        """How much likelier ``heuristic`` is than the average other one, in [0, 1].

        With its probability p among H heuristics for the whole text: ``p / (p + (1-p)/(H-1))``.
        0.5 is neutral for every size of the pack. 0 for a heuristic that is not in the pack, and
        for a text without working of its own (``has_working``); 1 for a pack of one.
        """
        if heuristic.id not in self.ids or not has_working(text, question, heuristic):
            return 0.0
        if len(self.ids) == 1:
            return 1.0
        p = float(self.shares([text])[0, self.ids.index(heuristic.id)])
        return p / (p + (1 - p) / (len(self.ids) - 1))

    def shares(self, texts: Sequence[str]) -> Floats:
        """Probability of each heuristic for each text, shape (T, H); equal for unknown words."""
        even: Floats = np.full((len(texts), len(self.ids)), 1 / len(self.ids))
        if len(self.ids) == 1 or not texts:
            return even
        vectorizer, model = self._fitted
        features = vectorizer.transform(texts)
        found: Floats = model.predict_proba(features)
        return np.where(features.getnnz(axis=1)[:, None] == 0, even, found)

    def exemplar_error(self) -> LabellerError:
        """Its error at recognising composed texts, on exemplars that it was not fitted on.

        A held-out exemplar shows one heuristic. A composed text is the first half of one exemplar
        and the second half of another. The pack's writers wrote both; a model's texts are harder.
        """
        single: list[bool] = []
        composed: list[bool] = []
        for labeller, tests in self._folds:
            single += [labeller._is_composed(test.text) for test in tests]
            composed += map(labeller._is_composed, joined([split_steps(t.text) for t in tests]))
        return LabellerError(
            found=sum(composed),
            composed=len(composed),
            passed=len(single) - sum(single),
            single=len(single),
        )

    def held_out(self) -> list[Guess]:
        """A guess at every exemplar of the pack, by a labeller that was fitted without it."""
        return [guess for labeller, tests in self._folds for guess in labeller._guesses(tests)]

    def guesses(self, texts: Sequence[PromptedText]) -> list[Guess]:
        """Guesses at ``texts``, each by a labeller that was not fitted on its problem."""
        if self._attempts is None:
            return self._guesses(texts)
        taught = self._attempts()
        parts = halves([*taught, *texts])
        problems = [{text.problem_id for text in part} for part in parts]
        found = []
        for mine, others in (problems, problems[::-1]):
            lessons = [text for text in taught if text.problem_id in mine]
            labeller = ExemplarLabeller(self._pack, partial(list, lessons))
            found += labeller._guesses([t for t in texts if t.problem_id in others])
        return found

    @cached_property
    def _fitted(self) -> tuple[TfidfVectorizer, LogisticRegression]:
        lessons = [(text, h.id) for h in self._pack for text in _lessons(h)]
        attempts = self._attempts() if self._attempts else ()
        lessons += [(text.text, text.heuristic) for text in attempts if text.heuristic in self.ids]
        vectorizer = TfidfVectorizer(
            preprocessor=_mask, token_pattern=r"\w+|[^\w\s]", ngram_range=(1, 2), sublinear_tf=True
        )
        features = vectorizer.fit_transform([text for text, _ in lessons])
        model = LogisticRegression(C=30.0, max_iter=1000, class_weight="balanced")
        return vectorizer, model.fit(features, [label for _, label in lessons])

    @cached_property
    def _folds(self) -> list[tuple["ExemplarLabeller", list[PromptedText]]]:
        return [
            (ExemplarLabeller(seen, self._attempts), tests) for seen, tests in folds(self._pack)
        ]

    def _guesses(self, texts: Sequence[PromptedText]) -> list[Guess]:
        shares = self.shares([text.text for text in texts])
        order = np.argsort(-shares, axis=1, kind="stable")[:, :3]
        return [
            Guess(
                heuristic=text.heuristic,
                ranked=tuple(self.ids[i] for i in best),
                unit=text.problem_id,
            )
            for text, best in zip(texts, order, strict=True)
        ]

    def _is_composed(self, text: str) -> bool:
        return len({label for label in step_labels(self.segments(text)) if label}) > 1

    def _label(self, step: str, shares_H: Floats) -> str | None:
        if ANSWER.search(step):
            return None
        if len(self.ids) == 1:
            return self.ids[0]
        second, best = np.argsort(shares_H, kind="stable")[-2:]
        return self.ids[best] if shares_H[best] - shares_H[second] >= MARGIN else None


def load(pack: Sequence[Heuristic]) -> ExemplarLabeller:
    """The labeller for ``pack``.

    Raises:
        DataError: the pack is empty.
    """
    if not pack:
        raise DataError("the labeller 'exemplars' needs a pack with at least one heuristic.")
    return ExemplarLabeller(pack)


def load_taught(pack: Sequence[Heuristic], attempts: PromptedTexts) -> ExemplarLabeller:
    """The labeller for ``pack`` that also learns from a run's correct attempts under heuristics.

    It takes each attempt as an example of the heuristic that it was asked for. So it learns how the
    model writes under a heuristic, even if the model does not follow it.

    Raises:
        DataError: the pack is empty.
    """
    load(pack)
    return ExemplarLabeller(pack, attempts)


def has_working(text: str, question: str, heuristic: Heuristic) -> bool:
    """Whether ``text`` has a step besides the question restated and the final answer.

    A step computes, relates two things, has a number that is in neither question nor answer, or
    says something in new words. Known are the words of two neighbouring sentences of the question
    and those of the heuristic. A line that asks or announces ("?", ":") says nothing. There is no
    list of words, so every language is read alike. In doubt it is a step.

    question: may be empty; then nothing counts as restated.
    """
    found = extract(text, policy="lenient")
    answer = "".join(found.answer.split()) if found and found.rule in _MARKED else ""
    given = "".join(f"{question}\n{answer}".split())
    results = set(_numbers(answer) if answer else _numbers(text)[-1:])
    numbers = {*_numbers(question), *results}
    asked = f"{heuristic.name}\n{heuristic.question}\n{heuristic.instruction}"
    known, echo = _windows(question), _windows(asked)
    for step in split_steps(_STOP.sub("\\g<0>\n", text)):
        head = HEAD.match(step)
        said = _BOX.sub(" ", step[head.end() :] if head else step)
        formulas = [m[0] for m in _ARITHMETIC.finditer(said)]
        formulas += [m[0] for m in _RELATION.finditer(said) if m[1].strip(".,") != answer]
        if any("".join(formula.split()) not in given for formula in formulas):
            return True
        if not numbers.issuperset(_numbers(said)):
            return True
        if said.rstrip(" *_").endswith(("?", ":", "？", "：")):
            continue
        words, least = _words(said), _SAYS
        if _gives_answer(step):
            least = _CONCLUDES
        elif results.intersection(_numbers(said)):
            least = _RESULTS
        if _new(words, known) >= least and _new(words, echo) >= _SAYS:
            return True
    return False


def _gives_answer(step: str) -> bool:
    found = extract(step, policy="lenient")
    return bool(ANSWER.search(step)) or (found is not None and found.rule in _MARKED)


def _windows(text: str) -> list[set[str]]:
    """The words of each two neighbouring sentences."""
    told = [_words(sentence) for sentence in split_steps(text)] or [[]]
    return [{*one, *two} for one, two in zip(told, [*told[1:], []], strict=True)]


def _new(words: list[str], known: list[set[str]]) -> int:
    """How many of ``words`` the likest window lacks; 0 if it has nearly all."""
    new = min(sum(word not in window for word in words) for window in known)
    return new if new > (1 - _KNOWN) * len(words) else 0


def _numbers(text: str) -> list[float]:
    numbers = (number.replace(",", "") for number in NUMBER.findall(text))
    return [float(number) for number in numbers if number.count(".") < 2]


def _words(text: str) -> list[str]:
    return [word[:_STEM] for word in _WORD.findall(text.lower())]


def split_steps(text: str) -> list[str]:
    """The steps of ``text``: its lines and sentences, in order, without blank ones.

    A formula on lines of its own is one step. The number or mark of a list, "Step 2:" and the like
    belong to the step after them. A piece without a letter or digit belongs to the step before it.
    """
    spans: list[tuple[int, int]] = []
    head: int | None = None
    for begin, end in _pieces(text):
        start = begin if head is None else head
        head = None
        if _heads(text, begin, end):
            head = start
        elif spans and start == begin and not re.search(r"\w", text[begin:end]):
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    if head is not None:
        rest = spans.pop()[0] if spans else head
        spans.append((rest, len(text)))
    return [text[begin:end].strip() for begin, end in spans]


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of each line or sentence that is not blank."""
    whole = DISPLAY.sub(lambda found: "x" * len(found[0]), text)
    begin = 0
    for end, after in [*(m.span() for m in STEP_END.finditer(whole)), (len(text), len(text))]:
        if text[begin:end].strip():
            yield begin, end
        begin = after


def _heads(text: str, begin: int, end: int) -> bool:
    """Whether a piece is only the head of the step that follows."""
    piece = text[begin:end].strip()
    if piece == FENCE:
        return text.count(FENCE, 0, begin) % 2 == 0
    short = len(piece) <= HEAD_LENGTH and HEAD.fullmatch(piece)
    return bool(short or TITLE.search(piece))


def _lessons(heuristic: Heuristic) -> list[str]:
    """Texts to learn a heuristic from: its wording, its exemplars, their lines and sentences."""
    wording = [heuristic.name, heuristic.instruction, *heuristic.signs]
    solutions = [exemplar.solution for exemplar in heuristic.exemplars]
    parts = (part.strip() for text in solutions for part in STEP_END.split(text))
    return [*wording, *solutions, *filter(None, parts)]


def _mask(text: str) -> str:
    """``text`` in lower case with every number as 0: numbers belong to the problem."""
    return NUMBER.sub("0", text.lower())
