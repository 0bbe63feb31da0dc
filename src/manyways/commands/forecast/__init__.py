"""What a recipe will cost, said before it starts, and compared with what it did cost."""
