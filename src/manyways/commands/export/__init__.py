"""What leaves a run folder for other tools: a dataset, a checkpoint, an evaluation's samples."""
