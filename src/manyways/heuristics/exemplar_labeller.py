"""A labeller for any pack: learns what each heuristic sounds like from its own exemplars.

TF-IDF of words and word pairs, then logistic regression. It is weak: a pack has one or two
exemplars per heuristic, so it knows phrases of those and of the heuristic's own wording, nothing of
mathematics, and it confuses heuristics that are phrased alike. On exemplars that it has not seen,
by the same writers, it names the right one of 8 heuristics for most texts and of 48 for about half;
it leaves most single steps unlabelled. Texts of a model will be harder. Its rates serve to compare
checkpoints under the same labeller; as absolute composition rates they need its sensitivity and
specificity on texts labelled by hand (``metrics.composition.corrected_rate``).
"""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from manyways.errors import DataError
from manyways.heuristics.labelling import ANSWER
from manyways.records import Heuristic, Segment

MARGIN = 0.15
"""A step is labelled when its best heuristic leads the second best by this much probability."""
STEP_END = re.compile(r"(?<=[.!?;])\s+(?=[A-Z\\$(\"'])|\n+")
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")

Floats = NDArray[np.float64]


class ExemplarLabeller:
    """Labels steps by their likeness to the exemplars of each heuristic. Deterministic.

    Shapes: _H heuristics, in the order of ``ids``; _T steps.
    """

    def __init__(self, pack: Sequence[Heuristic]) -> None:
        lessons = [(text, h.id) for h in pack for text in _lessons(h)]
        self.ids = sorted({label for _, label in lessons})
        self._vectorizer = TfidfVectorizer(
            preprocessor=_mask, token_pattern=r"\w+|[^\w\s]", ngram_range=(1, 2), sublinear_tf=True
        )
        features = self._vectorizer.fit_transform([text for text, _ in lessons])
        self._model: LogisticRegression | None = None
        if len(self.ids) > 1:
            self._model = LogisticRegression(C=30.0, max_iter=1000, class_weight="balanced")
            self._model.fit(features, [label for _, label in lessons])

    def segments(self, text: str) -> list[Segment]:
        """One segment per line or sentence; None where no heuristic leads clearly."""
        steps = split_steps(text)
        labels = [
            self._label(step, shares_H)
            for step, shares_H in zip(steps, self.shares(steps), strict=True)
        ]
        return [Segment(text=s, heuristic=h) for s, h in zip(steps, labels, strict=True)]

    def adherence(self, text: str, heuristic: Heuristic) -> float:
        """How much likelier ``heuristic`` is than the average other one, in [0, 1].

        With its probability p over the whole text among H heuristics: ``p / (p + (1-p)/(H-1))``.
        0.5 says nothing either way, whatever the size of the pack. 0 for a text without steps or a
        heuristic outside the pack; 1 for a pack of one.
        """
        if heuristic.id not in self.ids or not text.strip():
            return 0.0
        if len(self.ids) == 1:
            return 1.0
        p = float(self.shares([text])[0, self.ids.index(heuristic.id)])
        return p / (p + (1 - p) / (len(self.ids) - 1))

    def shares(self, texts: Sequence[str]) -> Floats:
        """Probability of each heuristic for each text, (T, H); equal for unknown words."""
        even: Floats = np.full((len(texts), len(self.ids)), 1 / len(self.ids))
        if self._model is None or not texts:
            return even
        features = self._vectorizer.transform(texts)
        found: Floats = self._model.predict_proba(features)
        return np.where(features.getnnz(axis=1)[:, None] == 0, even, found)

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


def split_steps(text: str) -> list[str]:
    """The lines and sentences of ``text``, in order, blank ones left out."""
    return [step for part in STEP_END.split(text) if (step := part.strip())]


def _lessons(heuristic: Heuristic) -> list[str]:
    """What a heuristic sounds like: its wording, whole exemplars and their single steps."""
    wording = [heuristic.name, heuristic.instruction, *heuristic.signs]
    solutions = [exemplar.solution for exemplar in heuristic.exemplars]
    return [*wording, *solutions, *(step for text in solutions for step in split_steps(text))]


def _mask(text: str) -> str:
    """Lower case, every number the same: figures belong to the problem, not to the way."""
    return NUMBER.sub("0", text.lower())
