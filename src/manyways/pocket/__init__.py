"""The embedded world: problems, heuristics, labeller, tokenizer and a small base model."""
