"""Atari 2600 through ale-py."""
