"""Fits over the runs of a study, and proposals."""
