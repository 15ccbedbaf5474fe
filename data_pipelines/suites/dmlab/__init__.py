"""DeepMind Lab, where somebody has built it."""
