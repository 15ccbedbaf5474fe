"""Demonstrators: one per suite, each a small program that solves its tasks."""

from data_pipelines.experts.base import Expert, RandomPolicy

__all__ = ["Expert", "RandomPolicy"]
