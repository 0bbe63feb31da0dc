"""The recipe: its tree of settings, and the TOML file that it is read from."""
