"""Rewards from verdicts, and what a step's row of metrics says about its attempts.

Each attempt of a group gets a number, or None if its verdict is undecided. ``docs/rl.md`` says when
to use which reward.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import comb, sqrt
from typing import Any, Literal

from manyways.fingerprint import content_hash
from manyways.records import PLAIN, Problem, Verdict
from manyways.train import processes

Verify = Callable[[Sequence[tuple[Problem, str]]], list[Verdict]]
"""Gives a verdict for each (problem, text)."""

Earning = Callable[[Sequence[Verdict], Sequence[str]], list[float | None]]
"""(verdicts of one group, its texts) -> the reward of each attempt."""
Ways = Callable[[str], frozenset[str]]
"""A text -> the heuristics that it shows."""

SAMPLED = 64
"""With ``rl.attempts = "sample"``, attempts at this many problems are kept."""
FOLDER = "attempts"
"""Folder of the kept attempts, in the folder of a line's RL."""
HEALTH_WINDOW = 512
"""The undecided share is checked over this many recent verdicts; with fewer it is noisy."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """What a labeller sees in one attempt.

    composed: whether it shows two or more heuristics.
    opening:  the first heuristic, ``direct`` without one.
    """

    composed: bool
    opening: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StepView:
    """Statistics of one batch of attempts; every share is in [0, 1].

    reward:    share of correct attempts among the decided ones, None if none is decided.
    mixed, all_right, all_wrong: shares of groups by their verdicts. A group without a decided
               attempt counts in none of the three.
    undecided: share of attempts.
    composed:  share of labelled attempts that show several heuristics, None without a labeller.
    flat:      share of groups whose attempts all get the same reward, if rewards are other than 0
               and 1 by verdict; else None.
    openings:  heuristic -> (labelled attempts that open with it, correct ones among them).
    """

    reward: float | None
    mixed: float
    all_right: float
    all_wrong: float
    undecided: float
    composed: float | None
    flat: float | None = None
    openings: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Scored:
    """One attempt of a step with its verdict and reward.

    ids:   its tokens.
    group: index of its group in the step.
    place: its index in the group.
    seed, prompt_tokens: -1 and 0 if the trainer's own generation does not report them.
    """

    problem: Problem
    heuristic: str
    text: str
    ids: tuple[int, ...]
    seed: int
    prompt_tokens: int
    verdict: Verdict
    reward: float | None
    group: int = 0
    place: int = 0


@dataclass(kw_only=True)
class StepReward:
    """The reward: 1.0 for a correct attempt, 0.0 for a wrong one or no answer, None for undecided.

    None is not 0. TRL (1.16, ``GRPOTrainer._calculate_rewards``) turns it into NaN, leaves the
    attempt out of its group's mean and standard deviation, and sets its advantage to 0. So it does
    not change the policy or the baseline of the others. Two effects remain: with ``loss_type``
    ``dapo`` and ``bnpo`` its tokens count in the denominator of the loss (as those of an all-right
    group do), and a group with only one decided attempt gives no gradient.

    earn:    rewards of a group, if they are not those of the verdicts.
    read:    text -> what a labeller sees in it.
    sample:  the most attempts of a batch that are labelled, evenly spread.
    check:   gets the latest verdicts, and raises an error when too many are undecided.
    keep:    gets the number of a step and its attempts from all processes.
    gather:  if several processes train: joins the lists of all processes in order, so that
             ``view`` and ``check`` are about the whole batch.
    view:    statistics of the last batch.
    flat:    tokens of the last batch's attempts in groups whose rewards are all equal, unless a
             group with different rewards has the same text. Their advantage is 0. Empty if several
             processes train, because a group may be spread over them.
    redrawn: tokens of attempts of this step that were replaced by a redraw, in all processes.
    """

    verify: Verify
    group_size: int
    earn: Earning | None = None
    read: Callable[[str], Shown] | None = None
    sample: int = 32
    check: Callable[[Sequence[Verdict]], None] | None = None
    keep: Callable[[int, Sequence[Scored]], None] | None = None
    gather: Callable[[list[Any]], list[Any]] | None = None
    view: StepView | None = None
    flat: frozenset[tuple[int, ...]] = frozenset()
    redrawn: int = 0
    _known: dict[tuple[str, str], Verdict] = field(default_factory=dict)
    _verdicts: list[Verdict] = field(default_factory=list)
    _recent: deque[Verdict] = field(default_factory=lambda: deque(maxlen=HEALTH_WINDOW))

    def score(self, problems: Sequence[Problem], texts: Sequence[str]) -> list[float | None]:
        """Rewards in order; sets ``view``.

        problems: each group of ``group_size`` neighbours is attempts at the same problem.

        Raises the errors of ``check``.
        """
        pairs = list(zip(problems, texts, strict=True))
        verdicts = self._verdicts = self._verified(pairs)
        self._known = {}
        batch = list(zip(verdicts, texts, strict=True))
        whole = self.gather(batch) if self.gather is not None else batch
        earned = self._earned(*_columns(whole))
        self.view = self._look(*_columns(whole), earned)
        self._recent.extend(verdict for verdict, _ in whole)
        # Not after a first small batch, in which a few undecided verdicts mean nothing.
        if self.check is not None and len(self._recent) >= min(HEALTH_WINDOW, 4 * len(whole)):
            self.check(list(self._recent))
        # Every process scores the whole batch, because a group may be spread over processes.
        own = processes.rank() * len(batch) if self.gather is not None else 0
        return earned[own : own + len(batch)]

    def _earned(self, verdicts: Sequence[Verdict], texts: Sequence[str]) -> list[float | None]:
        """The reward of every attempt, for whole groups in order."""
        if self.earn is None:
            return [reward_of(verdict) for verdict in verdicts]
        groups = [slice(i, i + self.group_size) for i in range(0, len(texts), self.group_size)]
        return [one for group in groups for one in self.earn(verdicts[group], texts[group])]

    def _verified(self, pairs: Sequence[tuple[Problem, str]]) -> list[Verdict]:
        """Verdicts in order. A text that was verified in this step is not verified again."""
        known = self._known
        keys = [(problem.id, text) for problem, text in pairs]
        new = [pair for key, pair in zip(keys, pairs, strict=True) if key not in known]
        verified = iter(self.verify(new) if new else ())
        verdicts = [known[key] if key in known else next(verified) for key in keys]
        self._known = known | dict(zip(keys, verdicts, strict=True))
        return verdicts

    def alike(self, problems: Sequence[Problem], texts: Sequence[str]) -> list[int]:
        """Indices of attempts whose group's rewards are all equal, so that it gives no gradient."""
        pairs = list(zip(problems, texts, strict=True))
        verdicts = self._verified(pairs)
        values = self._values(self._earned(verdicts, texts))
        size = self.group_size
        return [place for place in range(len(pairs)) if len(values[place // size]) < 2]

    def trl_function(self, problems: Sequence[Problem]) -> Callable[..., list[float | None]]:
        """A reward function for TRL, for rows whose column ``problem`` is an index."""

        def verdict(
            *,
            completions: list[list[dict[str, str]]],
            problem: list[int],
            completion_ids: Sequence[Sequence[int]] = (),
            **columns: Any,  # noqa: ANN401  whatever stands beside: TRL hands over every column
        ) -> list[float | None]:
            texts = [turns[-1]["content"] for turns in completions]
            asked = [problems[index] for index in columns.get("drawn", problem)]
            rewards = self.score(asked, texts)
            lost = columns["redrawn"][:1] if "redrawn" in columns else []
            self.redrawn = sum(self.gather(lost) if self.gather else lost)
            self.flat = frozenset() if self.gather else self._flat(rewards, completion_ids)
            if self.keep is not None:
                rows = self._scored(asked, texts, {**columns, "ids": completion_ids}, rewards)
                whole = self.gather(rows) if self.gather else rows
                size = self.group_size
                grouped = [
                    replace(one, group=i // size, place=i % size) for i, one in enumerate(whole)
                ]
                self.keep(columns["trainer_state"].global_step + 1, grouped)
            return rewards

        return verdict

    def _scored(
        self,
        problems: Sequence[Problem],
        texts: Sequence[str],
        columns: Mapping[str, Sequence[Any]],
        rewards: Sequence[float | None],
    ) -> list[Scored]:
        def of(name: str, place: int, otherwise: Any) -> Any:  # noqa: ANN401
            return columns[name][place] if name in columns else otherwise

        return [
            Scored(
                problem=problem,
                heuristic=of("heuristic", place, PLAIN),
                text=texts[place],
                ids=tuple(columns["ids"][place]),
                seed=of("seed", place, -1),
                prompt_tokens=of("prompt_tokens", place, 0),
                verdict=self._verdicts[place],
                reward=rewards[place],
            )
            for place, problem in enumerate(problems)
        ]

    def _flat(
        self, rewards: Sequence[float | None], ids: Sequence[Sequence[int]]
    ) -> frozenset[tuple[int, ...]]:
        of_group: dict[bool, set[tuple[int, ...]]] = {True: set(), False: set()}
        for number, values in enumerate(self._values(rewards)):
            start = number * self.group_size
            texts = ids[start : start + self.group_size]
            of_group[len(values) > 1] |= {tuple(text) for text in texts}
        return frozenset(of_group[False] - of_group[True])

    def _values(self, rewards: Sequence[float | None]) -> list[set[float]]:
        """The distinct rewards in each group, without those of undecided attempts."""
        size = self.group_size
        groups = (rewards[start : start + size] for start in range(0, len(rewards), size))
        return [{reward for reward in group if reward is not None} for group in groups]

    def _look(
        self, verdicts: Sequence[Verdict], texts: Sequence[str], earned: Sequence[float | None]
    ) -> StepView:
        rewards = [reward_of(verdict) for verdict in verdicts]
        seen, groups = self._labelled(rewards, texts), self._values(rewards)
        flat = [len(values) < 2 for values in self._values(earned)]
        known = [reward for reward in rewards if reward is not None]
        return StepView(
            reward=sum(known) / len(known) if known else None,
            mixed=sum(len(values) > 1 for values in groups) / len(groups),
            all_right=sum(values == {1.0} for values in groups) / len(groups),
            all_wrong=sum(values == {0.0} for values in groups) / len(groups),
            undecided=1 - len(known) / len(rewards),
            composed=sum(one.composed for one, _ in seen) / len(seen) if seen else None,
            flat=sum(flat) / len(flat) if self.earn is not None else None,
            openings=_openings(seen),
        )

    def _labelled(
        self, rewards: Sequence[float | None], texts: Sequence[str]
    ) -> list[tuple[Shown, bool]]:
        """(what a labeller sees, whether it is correct) for a sample of the attempts."""
        if self.read is None:
            return []
        # Every step-th attempt: neighbours are attempts at one problem and similar.
        step = max(1, -(-len(texts) // self.sample))
        return [
            (self.read(text), reward == 1.0)
            for text, reward in zip(texts[::step], rewards[::step], strict=True)
        ]


def kept(which: Literal["all", "sample", "none"], met: Iterable[str]) -> frozenset[str]:
    """Ids of the problems whose attempts are kept, among those of the training.

    A sample is drawn by a hash of the id. So every arm and seed with the same problems keeps the
    same ones, and a longer training does not keep fewer.
    """
    if which == "none":
        return frozenset()
    ids = set(met)
    if which == "sample":
        return frozenset(sorted(ids, key=lambda one: (content_hash([one]), one))[:SAMPLED])
    return frozenset(ids)


def _openings(seen: Sequence[tuple[Shown, bool]]) -> dict[str, tuple[int, int]]:
    tried = Counter(one.opening for one, _ in seen)
    right = Counter(one.opening for one, correct in seen if correct)
    return {name: (count, right[name]) for name, count in tried.most_common()}


def _columns(rows: Sequence[tuple[Verdict, str]]) -> tuple[list[Verdict], list[str]]:
    return [verdict for verdict, _ in rows], [text for _, text in rows]


def reward_of(verdict: Verdict) -> float | None:
    """1.0 for ``correct``, None for ``undecided``, else 0.0."""
    if verdict.status == "undecided":
        return None
    return 1.0 if verdict.status == "correct" else 0.0


def best_of(k: int) -> Earning:
    """The reward ``pass@k``: the advantage of each attempt when the best of ``k`` attempts counts.

    Take all subsets of ``k`` of the n decided attempts. A subset earns 1 when one of its attempts
    is right. With the mean and standard deviation over all subsets, each subset has an advantage.
    The advantage of an attempt is the mean over the subsets that contain it (Chen et al. 2025,
    "Pass@k Training", arXiv 2508.10751, the analytical derivation). Advantages sum to 0. They are
    all 0 if fewer than ``k`` attempts are wrong, because no subset can fail. With fewer than ``k``
    decided attempts, the subset is all of them.

    In a group, these values are a shifted and scaled version of the verdicts' 1 and 0. A trainer
    must not divide by the group's standard deviation again, which would undo the scaling.
    """

    def earned(verdicts: Sequence[Verdict], texts: Sequence[str]) -> list[float | None]:
        plain = [reward_of(verdict) for verdict in verdicts]
        right, wrong = analytic(plain.count(1.0), plain.count(0.0), k)
        return [None if one is None else (right if one else wrong) for one in plain]

    return earned


def analytic(right: int, wrong: int, k: int) -> tuple[float, float]:
    """Advantages of a right and of a wrong attempt of a group, by ``best_of``."""
    n, k = right + wrong, min(k, right + wrong)
    failing = comb(wrong, k) / comb(n, k) if n else 0.0
    spread = sqrt(failing * (1 - failing))
    if spread == 0:
        return 0.0, 0.0
    # Of the subsets that hold a given wrong attempt, those that fail.
    with_it = comb(wrong - 1, k - 1) / comb(n - 1, k - 1)
    return failing / spread, (failing - with_it) / spread


def diverse(weight: float, ways: Ways) -> Earning:
    """1 for a correct attempt, and up to ``weight`` more for showing other heuristics than others.

    The bonus is ``weight`` times the mean, over the other correct attempts of the group, of the
    Jaccard distance between the heuristics shown: 0 where all show the same or none is left to
    compare with, 1 where they have none in common. A wrong attempt earns 0 however it differs.
    (The idea, with classes of a learned classifier and a product: Li et al. 2025, "Jointly
    Reinforcing Diversity and Quality", arXiv 2509.02534.)
    """

    def earned(verdicts: Sequence[Verdict], texts: Sequence[str]) -> list[float | None]:
        plain = [reward_of(verdict) for verdict in verdicts]
        shown = {i: ways(texts[i]) for i, one in enumerate(plain) if one}
        return [one + weight * _others(shown, i) if one else one for i, one in enumerate(plain)]

    return earned


def _others(shown: dict[int, frozenset[str]], i: int) -> float:
    """How much attempt ``i`` differs from the others, in [0, 1]."""
    others = [ways for j, ways in shown.items() if j != i]
    return sum(distance(shown[i], ways) for ways in others) / len(others) if others else 0.0


def distance(a: frozenset[str], b: frozenset[str]) -> float:
    """One minus the share that two sets have in common; 0 for two empty ones (Jaccard 1901)."""
    both = a | b
    return 1 - len(a & b) / len(both) if both else 0.0
