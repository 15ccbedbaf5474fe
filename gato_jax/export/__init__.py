"""Weights in formats that other programs read, each checked against the model before it is called done."""
