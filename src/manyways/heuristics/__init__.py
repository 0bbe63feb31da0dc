"""The catalogue of heuristics, the prompts made from it, and labelling what a text shows."""
