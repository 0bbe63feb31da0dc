"""Colours, line styles and symbols: the same thing looks the same in every figure.

Colours follow Okabe and Ito ("Color Universal Design", 2008), darkened for white paper and
lightened for a dark screen so that each keeps a contrast of at least 4.5 to the page. A colour is
never the only sign: arms also differ by symbol, phases by line style, heuristics carry their name.
"""

from manyways.records import Phase

INK, MUTED = ("#3d4653", "#c3ccd8"), ("#6b7683", "#93a0b0")
"""Neutral colours (light page, dark page): for the base model, and for what is not a heuristic."""

HUES = (
    ("#0072b2", "#5ab4f0"),
    ("#c14b06", "#ff9257"),
    ("#00805e", "#3ecb9f"),
    ("#a1478a", "#e69bcb"),
    ("#8f6300", "#e3b53c"),
    ("#007c8a", "#55cfdc"),
    ("#6a51a3", "#b3a0ec"),
    ("#8a4b2a", "#d3a07c"),
    ("#b3243b", "#ff8095"),
    ("#4d7a1e", "#a3d36b"),
)
SYMBOLS = ("circle", "square", "triangle-up", "diamond", "cross", "star", "hexagon", "pentagon")
DASHES: dict[Phase, str] = {"base": "dot", "mid": "dash", "rl": "solid"}
CHANCE = "longdash"
"""Line style of what guessing scores."""
PHASE_SYMBOLS: dict[Phase, str] = {"base": "diamond-open", "mid": "circle-open", "rl": "circle"}

BAND = 0.13
"""Opacity of an interval band."""

PALE = 0.4
"""Opacity of a bar that stands back."""


def hue(number: int) -> str:
    """The colour of the ``number``-th arm or heuristic on a light page; they repeat after ten."""
    return HUES[number % len(HUES)][0]


def symbol(number: int) -> str:
    """The marker of the ``number``-th arm; they repeat after eight."""
    return SYMBOLS[number % len(SYMBOLS)]


def faint(colour: str, opacity: float) -> str:
    """``#0072b2`` -> ``rgba(0,114,178,0.13)``."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def dark_of() -> dict[str, str]:
    """Every colour that a chart may use -> the one to use on a dark page."""
    pairs = (INK, MUTED, *HUES)
    plain = {light: dark for light, dark in pairs}
    return plain | {
        faint(light, opacity): faint(dark, opacity)
        for light, dark in pairs
        for opacity in (BAND, PALE)
    }
