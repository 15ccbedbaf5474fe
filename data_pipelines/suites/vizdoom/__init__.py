"""Doom's engine, through ViZDoom."""
