"""``manyways theory``: the main figures of the theory on one page that needs no network.

Curves of ``manyways.theory`` with their explanations. Parameters are illustrations of scale, never
fitted to a run. Each figure is explained in three sentences: what is drawn, what it shows, what
that means for the method.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from manyways.errors import UserError
from manyways.plugins import nearest
from manyways.progress import say
from manyways.reporting import Block, Chart, Charts, Key, Section, Table, charts, words
from manyways.reporting.page import render_page
from manyways.tables import write_text
from manyways.theory import dynamics, mixtures

GAP = 0.3
"""How much more often the better heuristic succeeds (0.8 against 0.5)."""
HIGH, LOW = 0.9, 0.4
MINORITY, SOLVES = 0.2, 0.8
SOLUTIONS, STEPS, UNTRAINED, LARGEST = 3200, 2, 0.1, 64
HEURISTICS = 8
DOUBLING = (1, 2, 4, 8, 16, 32, 64)

ALL = "all"
TITLE = "What the theory expects"
LEAD = (
    "A minimal model of the question: could learning many ways help RL to combine them? The curves "
    "are exact for the model, and their parameters show scale: none was fitted to a run."
)
CLOSING = "Made by manyways theory from the functions in manyways.theory."
ROWS = 8
"""Points of each curve in the table under its figure."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """One line of a figure."""

    label: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawing:
    """A figure and its explanation.

    question: what it answers.  sentences: what is drawn, what it shows, what that means.
    axes: titles of x and y.  share: y is a share.  logarithmic: as in ``charts.curves``.
    ticks: numbers to print along x, where not every one is a point of interest.
    """

    question: str
    sentences: tuple[str, str, str]
    curves: Sequence[Curve]
    axes: tuple[str, str]
    share: bool = False
    logarithmic: str = ""
    ticks: Sequence[int] = ()


def escape() -> Drawing:
    """Time until a rare but better heuristic has half of the mass (B2, B4)."""
    masses = [float(m) for m in np.geomspace(1e-4, 0.45, 40)]

    def grpo_time(mass: float) -> float:
        return dynamics.group_escape_time(mass, 8, better=0.5 + GAP, worse=0.5)

    rules: dict[str, Callable[[float], float]] = {
        "vanilla gradient": lambda m: dynamics.escape_time(m, GAP, "vanilla"),
        "GRPO, groups of 8": grpo_time,
        "natural gradient": lambda m: dynamics.escape_time(m, GAP, "natural"),
    }
    return Drawing(
        question="How long does RL need to find a way that it hardly uses?",
        sentences=(
            "Propositions B2 (escape times) and B4 (GRPO escape time): the time until the "
            f"better of two heuristics, which succeeds {GAP} more often, holds half of the "
            "mass, against the mass that it starts with.",
            "Under the plain softmax gradient the time grows like 1 over the mass, under the "
            "natural gradient only like its logarithm, and GRPO runs the plain path on a "
            "faster clock.",
            "So a way that training never showed can stay out of reach, and putting every way "
            "at 1/n at the start is what mid-training on many ways can do.",
        ),
        curves=[_curve(label, masses, of) for label, of in rules.items()],
        axes=("starting mass of the better heuristic", "time to one half"),
        logarithmic="xy",
    )


def compose() -> Drawing:
    """Composition over RL time under complementary and dominated strengths (D2)."""
    times = [float(t) for t in np.linspace(0, 15, 61)]
    complementary, dominated = ((HIGH, LOW), (LOW, HIGH)), ((HIGH, LOW), (HIGH, LOW))

    def two(success: object, leak: float, mass: float = 0.5) -> Callable[[float], float]:
        return lambda t: dynamics.two_by_two_rate(
            t, np.asarray(success), leaks=(leak, leak), first_mass=mass
        )

    cases = {
        "complementary strengths, leak 0.2": two(complementary, 0.2),
        "the same, leak 0.01": two(complementary, 0.01),
        "the same, leak 0.2, one mode on the right first way": two(complementary, 0.2, 0.99),
        "one way better at both steps, leak 0.2": two(dominated, 0.2),
    }
    return Drawing(
        question="When does RL combine ways?",
        sentences=(
            "Proposition D2 (sign and size of the composition drift): the share of composed "
            "solutions over RL time for problems of two steps, where the leak is the chance "
            f"to switch heuristic in between and a heuristic succeeds with probability {HIGH} "
            f"or {LOW} at a step.",
            "Composition rises when one heuristic is strong where the other is weak, falls "
            "when one is better at both steps, and a small leak delays the rise.",
            "One mode on the right first heuristic composes at least as fast at the same "
            "leak, so many modes help through the leak and the first step and not by "
            "themselves.",
        ),
        curves=[_curve(label, times, of) for label, of in cases.items()],
        axes=("time (cumulative step size)", "composition rate"),
        share=True,
    )


def crossover() -> Drawing:
    """pass@k of one mode and of two, and where they cross (E3)."""
    ks = [float(k) for k in np.geomspace(1, 64, 61)]
    k_star = mixtures.crossover_k(MINORITY, a=SOLVES, b=SOLVES)

    def passes(mass: float) -> Callable[[float], float]:
        return lambda k: mixtures.two_class_pass(k, MINORITY, a=SOLVES, b=SOLVES, mass=mass)

    return Drawing(
        question="Why can the narrow model win at pass@1 and lose at pass@64?",
        sentences=(
            f"Proposition E3 (crossover): {1 - MINORITY:.0%} of problems yield to heuristic 1 "
            f"alone and {MINORITY:.0%} to heuristic 2 alone, each with probability {SOLVES}, "
            "and pass@k is drawn for a policy that knows one and for one that mixes both "
            "equally.",
            "The narrow policy leads at k = 1 but can never pass its own share of problems, "
            f"and the mixture overtakes it at exactly one k, here k = {k_star:.2f}.",
            "So one value of k does not tell which model is better, and a report has to print "
            "both ends.",
        ),
        curves=[
            _curve("one mode", ks, passes(1.0)),
            _curve("two equal modes", ks, passes(0.5)),
        ],
        axes=("k: attempts allowed", "pass@k"),
        share=True,
        logarithmic="x",
        ticks=DOUBLING,
    )


def spend() -> Drawing:
    """The value of a fixed budget against the number of heuristics (G1)."""
    modes = range(1, LARGEST + 1)

    def value(types: int) -> Callable[[float], float]:
        return lambda n: mixtures.budget_value(
            int(n), SOLUTIONS, types=types, steps=STEPS, untrained=UNTRAINED
        )

    best = mixtures.best_modes(
        SOLUTIONS, types=200, steps=STEPS, untrained=UNTRAINED, largest=LARGEST
    )
    return Drawing(
        question="Many ways on few problems, or one way on many?",
        sentences=(
            f"Proposition G1 (coverage): expected success after training on {SOLUTIONS:,} "
            "solutions, n for each problem, when problems come in B types and a type that was "
            f"never met keeps its old success of {UNTRAINED}.",
            "More ways help while the types are covered anyway and hurt once they are not, so "
            f"there is a best n in between: {best} for 200 types.",
            "Which side a real data set is on has to be measured, and the budget arms do that.",
        ),
        curves=[
            _curve(f"{types:,} types of problem", [float(n) for n in modes], value(types))
            for types in (50, 200, 1000)
        ],
        axes=("n: ways per problem", "expected success"),
        share=True,
        logarithmic="x",
        ticks=DOUBLING,
    )


def leak() -> Drawing:
    """The leak that fitting leaves, against its length (A2)."""
    times = [float(t) for t in np.geomspace(1, 1000, 49)]

    def after(modes: int, scale: float = 1.0) -> Callable[[float], float]:
        return lambda t: mixtures.leak_after(scale * t, modes=modes, heuristics=HEURISTICS)

    return Drawing(
        question="How much switching does mid-training leave?",
        sentences=(
            "Proposition A2 (finite SFT leaves a leak): the chance to switch heuristic "
            "between two steps, after fitting solutions of one heuristic each among "
            f"{HEURISTICS} heuristics, against the length of the fit.",
            "It falls like 1 over the length, and at equal length it is about n times larger "
            "for n ways per problem, because each context is met n times less often.",
            "When the fit is made longer in proportion to n the difference is gone, which is "
            "why arms are compared at equal steps and the switch rate before RL is always "
            "reported.",
        ),
        curves=[
            _curve("1 way per problem", times, after(1)),
            _curve("4 ways per problem", times, after(4)),
            _curve("4 ways, fitted 4 times as long: as 1 way", times, after(4, 4.0)),
        ],
        axes=("length of the fit (cumulative step size)", "leak"),
        logarithmic="xy",
    )


def clock() -> Drawing:
    """The factor c_G(p) by which GRPO's normalisation speeds up learning (B3)."""
    shares = [float(p) for p in np.linspace(0.01, 0.99, 99)]

    def factor(group: int) -> Callable[[float], float]:
        return lambda p: dynamics.clock(p, group)

    plain = dynamics.mean_baseline_clock(8)
    return Drawing(
        question="What does GRPO's normalisation change?",
        sentences=(
            "Proposition B3 (expected GRPO gradient): c_G(p), the factor by which dividing by "
            "the group's deviation speeds up the plain policy gradient on a problem solved "
            "with probability p, for groups of G attempts.",
            "It is largest on problems that are almost never or almost always solved and "
            "never exceeds the root of G − 1, while without the division it is 1 − 1/G "
            "everywhere.",
            "For one problem the direction never changes, only the clock; across problems it "
            "gives rare successes more weight, and large groups more so.",
        ),
        curves=[
            *(_curve(f"groups of {group}", shares, factor(group)) for group in (64, 16, 8, 4)),
            Curve(label="groups of 8, no division", x=shares, y=[plain] * len(shares)),
        ],
        axes=("p: probability that an attempt is correct", "c_G(p)"),
    )


FIGURES: dict[str, tuple[str, Callable[[], Drawing]]] = {
    "escape": ("Escape", escape),
    "composition": ("Composition", compose),
    "crossover": ("Crossover", crossover),
    "budget": ("Budget", spend),
    "leak": ("Leak", leak),
    "clock": ("Clock", clock),
}
"""Name -> (short title, function), in the order of the page."""


def _curve(label: str, x: Sequence[float], of: Callable[[float], float]) -> Curve:
    return Curve(label=label, x=x, y=[of(value) for value in x])


def write_page(out: Path, *, figure: str = ALL) -> None:
    """Write the page with every figure, or with one, and say where it is.

    Raises UserError when there is no such figure or ``out`` cannot be written.
    """
    if figure not in (ALL, *FIGURES):
        known = dict.fromkeys([ALL, *FIGURES])
        raise UserError(f"--figure {figure}: no such figure.{nearest(figure, known)}")
    if out.is_dir():
        raise UserError(f"--out {out} is a folder: name a file, for example {out / 'theory.html'}.")
    names = list(FIGURES) if figure == ALL else [figure]
    page = render_page(
        "theory.html.j2",
        [section(name) for name in names],
        values={
            "title": TITLE,
            "lead": LEAD,
            "closing": CLOSING,
            "names": {name: FIGURES[name][0] for name in names},
        },
    )
    write_text(out, page)
    say(f"theory: {words.plural(len(names), 'figure')} in {out}")


def section(name: str) -> Section:
    """One figure with its explanation, its legend and its numbers."""
    drawing = FIGURES[name][1]()
    keys = tuple(
        Key(
            group="line",
            name=curve.label,
            label=curve.label,
            colour=charts.hue(i),
            dash=charts.line_style(i),
        )
        for i, curve in enumerate(drawing.curves)
    )
    blocks: tuple[Block, ...] = (
        Charts(charts=(_chart(name, drawing),), legend=keys, wide=True),
        _table(drawing),
    )
    return Section(
        id=name, title=drawing.question, intro=" ".join(drawing.sentences), blocks=blocks
    )


def _chart(name: str, drawing: Drawing) -> Chart:
    spec = charts.curves(
        [_line(curve, i) for i, curve in enumerate(drawing.curves)],
        share=drawing.share,
        axes=drawing.axes,
        logarithmic=drawing.logarithmic,
    )
    if drawing.ticks:
        layout = spec["layout"]
        assert isinstance(layout, dict)
        ticks = list(drawing.ticks)
        layout["xaxis"] |= {"tickvals": ticks, "ticktext": [str(tick) for tick in ticks]}
    ends = "; ".join(
        f"{curve.label}: from {curve.y[0]:.3g} to {curve.y[-1]:.3g}" for curve in drawing.curves
    )
    x, y = drawing.axes
    return Chart(
        id=name,
        # A symbol keeps its case: c_G is not C_G.
        title=f"{y if set(y) & set('@_') else y[0].upper() + y[1:]} against {x}",
        alt=f"{y} against {x}. {ends}.",
        spec=spec,
        height=400,
    )


def _line(curve: Curve, number: int) -> charts.Curve:
    return charts.Curve(
        label=curve.label,
        x=curve.x,
        y=[float(f"{value:.5g}") for value in curve.y],
        colour=charts.hue(number),
        dash=charts.line_style(number),
        meta={"line": curve.label},
    )


def _table(drawing: Drawing) -> Table:
    """The same numbers in writing, at a few points; all curves of a figure share their x."""
    x = drawing.curves[0].x
    last = len(x) - 1
    places = sorted({round(i * last / (ROWS - 1)) for i in range(ROWS)})
    return Table(
        caption="The numbers",
        head=(drawing.axes[0], *(curve.label for curve in drawing.curves)),
        rows=tuple(
            (f"{x[i]:.4g}", *(f"{curve.y[i]:.4g}" for curve in drawing.curves)) for i in places
        ),
        folded=True,
    )
