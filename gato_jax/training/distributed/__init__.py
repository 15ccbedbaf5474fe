"""Processes, signals and locks."""
