"""Tasks of the DeepMind Control Suite on slightly perturbed bodies."""
