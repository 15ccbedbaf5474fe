"""Mixture weights changed inside a run."""
