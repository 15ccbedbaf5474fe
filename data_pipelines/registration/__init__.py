"""Recorded data in SeqIO's registries, for those who train with T5X or a loop of their own."""
