"""The Atari games that are in neither of the paper's sets."""
