"""Who runs GRPO: the reward function and the backends."""
