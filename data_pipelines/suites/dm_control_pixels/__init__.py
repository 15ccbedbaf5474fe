"""Tasks of the DeepMind Control Suite from pictures."""
