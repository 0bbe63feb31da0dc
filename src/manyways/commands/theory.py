"""``manyways theory``: the main figures of the theory, explained on a page that needs no network.

The functions in ``manyways.theory`` give the curves. Their parameters only show the scale. None is
fitted to a run.
"""

from collections.abc import Callable, Mapping, Sequence
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
"""How much more often the better heuristic succeeds: 0.8 against 0.5."""
HIGH, LOW = 0.9, 0.4
MINORITY, SOLVES = 0.2, 0.8
SOLUTIONS, STEPS, UNTRAINED, LARGEST = 3200, 2, 0.1, 64
TYPES = (50, 200, 1000)
HEURISTICS = 8
DOUBLING = (1, 2, 4, 8, 16, 32, 64)

ALL = "all"
TITLE = "What the theory expects"
LEAD = (
    "This is a minimal model of one question: can learning many ways help RL to combine them? The "
    "curves are exact for the model. Their parameters only show the scale. None is fitted to a run."
)
CLOSING = "Made by manyways theory from the functions in manyways.theory."
ROWS = 8
"""Points of each curve in the table under its figure."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawing:
    """A figure and its explanation.

    question:    the question that it answers.
    explained:   what is drawn, what it shows, what that means for the method.
    x:           the points of all curves.
    curves:      label -> y at these points.
    axes:        titles of x and y.
    share:       whether y is a share.
    logarithmic: as in ``charts.curves``.
    ticks:       numbers to print along x, empty for the chart's own choice.
    """

    question: str
    explained: tuple[str, str, str]
    x: Sequence[float]
    curves: Mapping[str, Sequence[float]]
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
        explained=(
            "Propositions B2 (escape times) and B4 (GRPO escape time): the better of two "
            f"heuristics succeeds {GAP} more often. The figure shows how long it takes until it "
            "holds half of the mass, against the mass that it starts with.",
            "Under the plain softmax gradient the time grows like 1 over the starting mass. Under "
            "the natural gradient it grows only like its logarithm. GRPO follows the path of the "
            "plain gradient on a faster clock.",
            "So RL may never reach a way that training did not show. Mid-training on n ways can "
            "start each of them at a mass of 1/n.",
        ),
        x=masses,
        curves=_at(masses, rules),
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
        explained=(
            "Proposition D2 (sign and size of the composition drift): problems have two steps, and "
            f"a heuristic succeeds with probability {HIGH} or {LOW} at a step. The leak is the "
            "chance to switch heuristic between the steps. The figure shows the share of composed "
            "solutions over RL time.",
            "Composition rises when each heuristic is strong where the other is weak. It falls "
            "when one heuristic is better at both steps. A small leak delays the rise.",
            "At the same leak, one mode on the right first heuristic composes at least as fast as "
            "many modes. So many modes help through the leak and the first step, and not by "
            "themselves.",
        ),
        x=times,
        curves=_at(times, cases),
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
        explained=(
            f"Proposition E3 (crossover): only heuristic 1 solves {1 - MINORITY:.0%} of problems, "
            f"and only heuristic 2 solves {MINORITY:.0%}, with probability {SOLVES} in an attempt. "
            "The figure shows pass@k of a policy that knows one heuristic and of a policy that "
            "mixes both equally.",
            "The narrow policy leads at k = 1, but it can never solve more than its own share of "
            f"problems. The mixture overtakes it at exactly one k, here k = {k_star:.2f}.",
            "So one value of k does not tell which model is better. A report has to print both a "
            "small k and a large k.",
        ),
        x=ks,
        curves=_at(ks, {"one mode": passes(1.0), "two equal modes": passes(0.5)}),
        axes=("k: attempts allowed", "pass@k"),
        share=True,
        logarithmic="x",
        ticks=DOUBLING,
    )


def spend() -> Drawing:
    """The value of a fixed budget against the number of heuristics (G1)."""
    modes = [float(n) for n in range(1, LARGEST + 1)]

    def value(types: int) -> Callable[[float], float]:
        return lambda n: mixtures.budget_value(
            int(n), SOLUTIONS, types=types, steps=STEPS, untrained=UNTRAINED
        )

    best = mixtures.best_modes(
        SOLUTIONS, types=200, steps=STEPS, untrained=UNTRAINED, largest=LARGEST
    )
    return Drawing(
        question="Many ways on few problems, or one way on many?",
        explained=(
            f"Proposition G1 (coverage): a model trains on {SOLUTIONS:,} solutions, n for each "
            "problem. Problems come in types, and a type without a training problem keeps its old "
            f"success of {UNTRAINED}. The figure shows the expected success.",
            "More ways help while every type is covered, and hurt once types are missing. So there "
            f"is a best n in between: {best} for 200 types.",
            "On which side a real data set is has to be measured. The budget arms measure it.",
        ),
        x=modes,
        curves=_at(modes, {f"{types:,} types of problem": value(types) for types in TYPES}),
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
        explained=(
            "Proposition A2 (finite SFT leaves a leak): a model is fitted to solutions that show "
            f"one of {HEURISTICS} heuristics each. The figure shows the chance that it switches "
            "heuristic between two steps, against the length of the fit.",
            "The leak falls like 1 over the length. At equal length it is about n times larger for "
            "n ways per problem, because the model meets each context n times less often.",
            "A fit that is n times as long removes the difference. So arms are compared at equal "
            "steps, and every report has the switch rate before RL.",
        ),
        x=times,
        curves=_at(
            times,
            {
                "1 way per problem": after(1),
                "4 ways per problem": after(4),
                "4 ways, fitted 4 times as long: as 1 way": after(4, 4.0),
            },
        ),
        axes=("length of the fit (cumulative step size)", "leak"),
        logarithmic="xy",
    )


def clock() -> Drawing:
    """The factor c_G(p) by which GRPO's normalisation speeds up learning (B3)."""
    shares = [float(p) for p in np.linspace(0.01, 0.99, 99)]

    def factor(group: int) -> Callable[[float], float]:
        return lambda p: dynamics.clock(p, group)

    factors = {f"groups of {group}": factor(group) for group in (64, 16, 8, 4)}
    factors["groups of 8, no division"] = lambda _: dynamics.mean_baseline_clock(8)
    return Drawing(
        question="What does GRPO's normalisation change?",
        explained=(
            "Proposition B3 (expected GRPO gradient): GRPO divides by the standard deviation of a "
            "group of G attempts. The figure shows c_G(p), the factor by which this speeds up the "
            "plain policy gradient on a problem that is solved with probability p.",
            "The factor is largest on problems that are almost never or almost always solved. It "
            "never exceeds the root of G − 1. Without the division it is 1 − 1/G everywhere.",
            "For one problem only the clock changes, and never the direction. Across problems it "
            "gives rare successes more weight, and larger groups give them even more.",
        ),
        x=shares,
        curves=_at(shares, factors),
        axes=("p: probability that an attempt is correct", "c_G(p)"),
    )


FIGURES: dict[str, Callable[[], Drawing]] = {
    "escape": escape,
    "composition": compose,
    "crossover": crossover,
    "budget": spend,
    "leak": leak,
    "clock": clock,
}
"""Name -> function, in the order of the page."""


def _at(
    x: Sequence[float], rules: Mapping[str, Callable[[float], float]]
) -> dict[str, list[float]]:
    return {label: [of(value) for value in x] for label, of in rules.items()}


def write_page(out: Path, *, figure: str = ALL) -> None:
    """Write the page with every figure, or with one figure.

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
            "names": {name: name.capitalize() for name in names},
        },
    )
    write_text(out, page)
    say(f"theory: {words.plural(len(names), 'figure')} in {out}")


def section(name: str) -> Section:
    """One figure with its explanation, its legend and its numbers."""
    drawing = FIGURES[name]()
    keys = tuple(
        Key(group="line", name=label, label=label, colour=charts.hue(i), dash=charts.line_style(i))
        for i, label in enumerate(drawing.curves)
    )
    blocks: tuple[Block, ...] = (
        Charts(charts=(_chart(name, drawing),), legend=keys, wide=True),
        _table(drawing),
    )
    return Section(
        id=name, title=drawing.question, intro=" ".join(drawing.explained), blocks=blocks
    )


def _chart(name: str, drawing: Drawing) -> Chart:
    spec = charts.curves(
        [
            charts.Curve(
                label=label,
                x=drawing.x,
                y=[float(f"{value:.5g}") for value in y],
                colour=charts.hue(i),
                dash=charts.line_style(i),
                meta={"line": label},
            )
            for i, (label, y) in enumerate(drawing.curves.items())
        ],
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
        f"{label}: from {y[0]:.3g} to {y[-1]:.3g}" for label, y in drawing.curves.items()
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


def _table(drawing: Drawing) -> Table:
    """The curves as numbers at a few points."""
    x, last = drawing.x, len(drawing.x) - 1
    places = sorted({round(i * last / (ROWS - 1)) for i in range(ROWS)})
    return Table(
        caption="The numbers",
        head=(drawing.axes[0], *drawing.curves),
        rows=tuple(
            (f"{x[i]:.4g}", *(f"{y[i]:.4g}" for y in drawing.curves.values())) for i in places
        ),
        folded=True,
    )
