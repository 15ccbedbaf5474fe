"""Modular bodies: walkers, planar humanoids, hoppers and cheetahs that lack some of their limbs."""
