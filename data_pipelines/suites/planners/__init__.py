"""Planners that act without training."""
