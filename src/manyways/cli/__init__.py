"""The command line: verbs only; what they do is in commands, pipeline and stages."""
