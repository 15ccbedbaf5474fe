"""Where an import keeps what is not finished."""

IMPORTING = ".importing"
"""Holds tasks that are not whole yet."""
