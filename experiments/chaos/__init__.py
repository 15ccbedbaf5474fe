"""Commands that are killed again and again (`python -m experiments.chaos`)."""
