"""Weights from a run or an export."""
