"""Vendi score: the effective number of different items in a set, from a similarity kernel.

exp of the entropy of the eigenvalues of K/n (Friedman and Dieng 2022, arXiv 2210.02410). With the
cosine kernel K = X X^T the non-zero eigenvalues of the n x n matrix K/n are those of the d x d
matrix X^T X / n, so any number of texts costs d x d memory and texts can be streamed.

Shapes: _N items, _D dimensions, _G groups of problems.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
BLOCK = 4096
GROUPS = 20


def vendi(x_ND: Floats) -> float:
    """Vendi score of unit rows; between 1 and min(n, d), nan for no rows.

    Rows that are all alike give 1, orthogonal rows give n.
    """
    n, d = x_ND.shape
    if not n:
        return float("nan")
    return from_gram((x_ND @ x_ND.T if n < d else x_ND.T @ x_ND) / n)


def from_gram(gram_DD: Floats) -> float:
    """The score from X^T X / n, or from any positive semi-definite matrix of trace 1."""
    values = np.linalg.eigvalsh(gram_DD)
    values = values[values > 1e-12]
    return float(np.exp(-(values * np.log(values)).sum()))


def vendi_of_texts(
    texts: Sequence[str],
    problems: Sequence[object],
    embed: Callable[[Sequence[str]], Floats],
    groups: int = GROUPS,
) -> tuple[float, float, float]:
    """Vendi score of any number of texts with an interval over problems.

    The interval is value +- t standard errors of a jackknife that leaves out one group of
    problems at a time: the d x d matrices of groups add up, so it costs ``groups`` eigenvalue
    problems. (A bootstrap would repeat texts, and repeats lower the score.)

    Args:
        texts: the items.
        problems: what each text is about; texts on one problem stay together.
        embed: texts -> unit rows (N, D).
        groups: how many groups of problems; fewer when there are fewer problems.

    Returns:
        (score, low, high); the bounds are nan for fewer than two problems.
    """
    names = {name: i for i, name in enumerate(dict.fromkeys(problems))}
    count = min(groups, len(names))
    if not count:
        return float("nan"), float("nan"), float("nan")
    group_N = np.array([names[name] % count for name in problems])
    grams_GDD, sizes_G = _grams(texts, group_N, count, embed)
    total, n = grams_GDD.sum(axis=0), sizes_G.sum()
    score = from_gram(total / n)
    if count < 2:
        return score, float("nan"), float("nan")
    left = [
        from_gram((total - gram) / (n - size))
        for gram, size in zip(grams_GDD, sizes_G, strict=True)
    ]
    error = float(np.std(left) * np.sqrt(count - 1))
    half = float(stats.t.ppf(0.975, count - 1)) * error
    return score, max(1.0, score - half), score + half


def vendi_per_problem(
    texts: Sequence[str],
    problems: Sequence[object],
    embed: Callable[[Sequence[str]], Floats],
) -> Floats:
    """Vendi score of the texts on each problem that has two or more, (P,)."""
    members: dict[object, list[int]] = {}
    for row, name in enumerate(problems):
        members.setdefault(name, []).append(row)
    several = [rows for rows in members.values() if len(rows) > 1]
    scores: list[float] = []
    for start in range(0, len(several), BLOCK // 8):
        block = several[start : start + BLOCK // 8]
        x_ND = embed([texts[row] for rows in block for row in rows])
        edges = np.cumsum([len(rows) for rows in block])[:-1]
        scores += [vendi(part) for part in np.split(x_ND, edges)]
    return np.array(scores)


def _grams(
    texts: Sequence[str],
    group_N: NDArray[np.int64],
    count: int,
    embed: Callable[[Sequence[str]], Floats],
) -> tuple[Floats, Floats]:
    """X^T X of every group, (G, D, D), and the groups' sizes."""
    grams: list[Floats | float] = [0.0] * count
    for start in range(0, len(texts), BLOCK):
        x_ND = embed(texts[start : start + BLOCK])
        here = group_N[start : start + BLOCK]
        for group in np.unique(here):
            rows = x_ND[here == group]
            grams[group] = grams[group] + rows.T @ rows
    return np.stack(grams), np.bincount(group_N, minlength=count).astype(float)
