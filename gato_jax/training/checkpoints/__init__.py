"""Checkpoints: the only room that imports Orbax."""
