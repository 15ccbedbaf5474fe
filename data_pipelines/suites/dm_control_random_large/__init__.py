"""Tasks of the DeepMind Control Suite on strongly perturbed bodies."""
