"""Recorded tasks as SeqIO tasks and mixtures."""
