"""Figures that sum scores up, and scores of captions and answers. NumPy and SciPy only."""
