"""Closed forms and simulations of the model behind the method."""
