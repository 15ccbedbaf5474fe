"""Procgen with all games in the easy mode."""
