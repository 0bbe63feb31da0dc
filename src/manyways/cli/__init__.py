"""The command line. What its verbs do is in commands, pipeline and stages."""
