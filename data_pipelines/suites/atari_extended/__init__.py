"""Other Atari games, with modes and difficulties that the seed draws."""
