"""Closed forms and simulations of the model behind the method, as pure functions.

| module | propositions | what it answers |
|---|---|---|
| ``sft`` | A1-A4 | which modes fitting leads to, and how much leak it leaves |
| ``dynamics`` | B1, B2, B5, B6 | how policy gradients move mass, and how long an escape takes |
| ``grpo`` | B3, B4, B7 | how normalised advantages change the clock |
| ``signal`` | C1-C3 | how often a group teaches anything, and about what |
| ``trajectories`` | D1, D2 | policies over several steps, and the drift of composition |
| ``composition`` | D2, D3 | when RL raises the share of composed solutions |
| ``shared`` | D4-D6, D8 | the same when problems share parameters |
| ``mixtures`` | E2-E6 | pass@k of one mode and of mixtures, the crossover, collapse |
| ``wrong_data`` | F1, F2, F4 | what wrong solutions cost |
| ``budget`` | G1, G2 | many heuristics on few problems or one on many |
| ``large_n`` | H1-H4 | why ever more heuristics help ever less |
| ``measurement`` | M4-M6 | tests of the model on measured rates |

Estimators from counts (C4, E1, M3, Wilson of M4) are in ``manyways.metrics``. Every function takes
plain numbers or arrays, returns floats or arrays and raises ValueError outside its range
(``checks``). Names: a mode is a heuristic that the policy plays with equal mass, a leak the chance
to switch heuristic at a step, success the probability that an attempt is correct. docs/theory.md
tells the story and its limits.
"""
