"""Are the first n heuristics of a pack the n most different? Vendi score of nested sets.

For n = 1, 2, 4, ...: the Vendi score of all exemplars' solutions of the first n entries, beside
random orders of the same pack. Two embedders: the one of ``metrics.texts``, by which the order was
chosen (so that it flatters the order), and character n-grams, which had no part in the choice.
It measures wording, not mathematics: no embedder that runs offline knows what an invariant is.

    python bench/distinctness.py [--out OUT.json] [--choose]

``--choose`` also repeats the choice of the mathematical pack's order and compares it with the file.
"""

import argparse
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyways.heuristics import load_pack
from manyways.metrics.diversity import EMBEDDER, embed, vendi
from manyways.metrics.pass_at_k import powers_of_two
from manyways.records import Heuristic

Floats = NDArray[np.float64]
PACKS = ("polya", "code", "narrative")
SHUFFLES = 200
CHARACTERS = "TF-IDF of character 3- to 5-grams, numbers masked"
BROAD = {
    "working-backwards", "casework", "setting-up-equations", "small-cases", "draw-bars",
    "cut-into-pieces", "pair-opposites", "guess-and-adjust", "units-chain", "complement",
    "false-position", "all-of-one-kind", "ordered-list", "common-unit", "round-and-mend",
    "restate", "convenient-number", "act-it-out", "two-routes", "compare-two-scenes", "invariant",
    "one-unknown",
}  # fmt: skip
"""Judged by hand to fit many grade-school problems; the first 16 come from here."""
FIRST = BROAD - {
    "false-position", "ordered-list", "common-unit", "round-and-mend", "restate",
    "convenient-number", "act-it-out", "two-routes", "one-unknown",
}  # fmt: skip
"""Of those, the ones that may be among the first 8."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--choose", action="store_true")
    arguments = parser.parse_args()
    results = {name: measure(load_pack(name)) for name in PACKS}
    for name, rows in results.items():
        print(f"{name}: Vendi score of the first n, (mean and 95% range of {SHUFFLES} shuffles)")
        for row in rows:
            words, characters = said(row["words"]), said(row["characters"])
            print(f"  n {row['n']:3}   words {words}   characters {characters}")
    if arguments.choose:
        pack = load_pack("polya")
        same = choose(pack) == [heuristic.id for heuristic in pack]
        print(f"the order of polya, chosen again: {'the same' if same else 'different'}")
    if arguments.out:
        arguments.out.write_text(json.dumps(results, indent=1) + "\n")


def measure(pack: Sequence[Heuristic]) -> list[dict[str, Any]]:
    """One row per n, the same shuffles under both embedders."""
    texts = [[e.solution for e in heuristic.exemplars] for heuristic in pack]
    words, characters = Prefixes(texts, embed), Prefixes(texts, embed_characters)
    random = np.random.default_rng(0)
    orders = [list(random.permutation(len(pack))) for _ in range(SHUFFLES)]
    return [
        {"n": n, "words": words.row(n, orders), "characters": characters.row(n, orders)}
        for n in powers_of_two(len(pack))
    ]


class Prefixes:
    """Vendi scores of any selection of heuristics, each with all its exemplars."""

    def __init__(
        self, texts: Sequence[Sequence[str]], embedder: Callable[[Sequence[str]], Floats]
    ) -> None:
        self._rows = np.split(
            embedder([text for group in texts for text in group]),
            np.cumsum([len(group) for group in texts])[:-1],
        )

    def score(self, chosen: Sequence[int]) -> float:
        return vendi(np.concatenate([self._rows[i] for i in chosen]))

    def row(self, n: int, orders: Sequence[Sequence[int]]) -> dict[str, float]:
        shuffled = np.array([self.score(order[:n]) for order in orders])
        low, high = np.percentile(shuffled, [2.5, 97.5])
        return {
            "order": self.score(range(n)),
            "shuffled": float(shuffled.mean()),
            "low": float(low),
            "high": float(high),
        }


def said(row: dict[str, float]) -> str:
    return "{order:6.2f} ({shuffled:6.2f}, {low:6.2f} to {high:6.2f})".format(**row)


def embed_characters(texts: Sequence[str]) -> Floats:
    """Unit rows; the vocabulary and its weights are those of the texts themselves."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)
    features = vectorizer.fit_transform([re.sub(r"\d+", "0", text) for text in texts])
    return np.asarray(features.todense())


def choose(pack: Sequence[Heuristic]) -> list[str]:
    """Greedy: always the entry that raises the Vendi score most.

    The first is working backwards; the first 8 come from FIRST and the first 16 from BROAD, each
    of another family.
    """
    pack = sorted(pack, key=lambda heuristic: heuristic.id)
    scores = Prefixes([[e.solution for e in h.exemplars] for h in pack], embed)
    chosen = [next(i for i, h in enumerate(pack) if h.id == "working-backwards")]
    while len(chosen) < len(pack):
        families = {pack[i].family for i in chosen}
        allowed = FIRST if len(chosen) < 8 else BROAD
        candidates = [
            i
            for i, heuristic in enumerate(pack)
            if i not in chosen
            and (
                len(chosen) >= 16 or (heuristic.id in allowed and heuristic.family not in families)
            )
        ]
        best = max(candidates, key=lambda i: (scores.score([*chosen, i]), pack[i].id))
        chosen.append(best)
    return [pack[i].id for i in chosen]


if __name__ == "__main__":
    print(f"words: {EMBEDDER}\ncharacters: {CHARACTERS}")
    main()
