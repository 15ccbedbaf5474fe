"""Levels of MiniGrid that are not BabyAI's."""
