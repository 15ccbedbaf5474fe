"""What a reader finds in a source: one item at a time, pictures not decoded yet. No TensorFlow."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from data_pipelines.importing.common.source_files import SourceStamp, named

Picture = bytes | Path
"""An encoded picture, or the file that holds one."""


@dataclasses.dataclass(frozen=True)
class Text:
    """A document.

    Args:
      id: decides the split.
      text: its text.
    """

    id: str
    text: str


@dataclasses.dataclass(frozen=True)
class Captions:
    """A picture and what was said about it.

    Args:
      id: of the picture; decides the split.
      picture: the picture.
      captions: its references.
    """

    id: str
    picture: Picture
    captions: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Question:
    """A picture, a question and its answers.

    Args:
      id: of the picture, so that no picture is in both splits.
      picture: the picture.
      question: the question.
      answer: the answer to train on.
      answers: all that people gave, for scores that count agreement.
    """

    id: str
    picture: Picture
    question: str
    answer: str
    answers: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Document:
    """Text and pictures in the order in which they are read.

    Args:
      id: decides the split.
      parts: texts and pictures; a `Missing` stands for a picture that is not on this machine.
    """

    id: str
    parts: tuple["str | Picture | Missing", ...]


@dataclasses.dataclass(frozen=True)
class Missing:
    """A picture that cannot be had, and why, in a few words that many such pictures share."""

    reason: str


@dataclasses.dataclass(frozen=True)
class Unusable:
    """An item that cannot be used, and why, in a few words that many such items share."""

    id: str
    reason: str


Item = Text | Captions | Question | Document | Unusable


def with_pictures(stamp: SourceStamp, pictures: Iterable[Picture], folder: Path) -> SourceStamp:
    """The stamp of a list, with the files of its pictures that are there among the contents alone."""
    files = dict.fromkeys(picture for picture in pictures if isinstance(picture, Path) and picture.is_file())
    return SourceStamp(stamp, {**stamp.files, **named(folder, list(files))})
