"""Texts, captioned pictures, questions and dialogues that come with installed packages: nothing to act in."""

from data_pipelines.suites.bundled.suites import CAPTIONS, DIALOGUE, TEXT, VQA

__all__ = ["CAPTIONS", "DIALOGUE", "TEXT", "VQA"]
