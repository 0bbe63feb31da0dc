"""What the verbs of the command line do, except the stages."""
