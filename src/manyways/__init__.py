"""manyways: teach a model many correct ways to solve a problem, then let RL combine them."""

__version__ = "0.1.0"
