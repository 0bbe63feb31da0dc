"""What the verbs of the command line do that is not one of the stages."""
