"""Closed forms of the model behind the method, as pure functions.

| module | propositions | what it answers |
|---|---|---|
| ``mixtures`` | A2, E1-E3, G1, H1 | what a fit leaves of several modes; what several are worth |
| ``dynamics`` | B1-B4, D1, D2, | how policy gradients move mass; GRPO; when RL composes more; |
| | M5, M6 | tests of it on measured rates |

What no figure and no measured row uses is stated in docs/theory.md and has no function. Estimators
from counts (C4, E1, M3, Wilson of M4) are in ``manyways.metrics``. Every function takes plain
numbers or arrays, returns floats or arrays and raises ValueError outside its range (``checks``).
Names: a mode is a heuristic that the policy plays with equal mass, a leak the chance to switch
heuristic at a step, success the probability that an attempt is correct. docs/theory.md
tells the story and its limits.
"""
