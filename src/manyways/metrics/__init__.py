"""Pure functions on arrays: numbers in, numbers out."""
