"""Which tasks are trained on, at which rates."""
