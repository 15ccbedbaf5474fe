"""The `gato` command. It only parses and calls: every command is one function that a notebook can call too."""

from gato_jax.cli.commands import main

__all__ = ["main"]
