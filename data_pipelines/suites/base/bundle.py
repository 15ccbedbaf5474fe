"""Texts, captioned pictures and questions as a package brings them: what a task without a world is recorded from."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import NamedTuple


class Captioned(NamedTuple):
    """A picture, as the path or the content of a PNG or JPEG file, and what is said of it."""

    picture: str | bytes
    captions: tuple[str, ...]


class Question(NamedTuple):
    """A question about a picture, and its answer."""

    question: str
    answer: str
    picture: str | bytes


@dataclasses.dataclass(frozen=True)
class Bundle:
    """All examples of a task, of one kind.

    Args:
      train: to train on, in an order that is the same on every machine with the same package.
      validation: held out, where the package has such; None: one in twenty of `train` is held out.
      size: height and width of every picture; (0, 0) for texts.
    """

    train: Sequence[str] | Sequence[Captioned] | Sequence[Question]
    validation: Sequence[Question] | None = None
    size: tuple[int, int] = (0, 0)

    def texts(self) -> Iterator[str]:
        """What is written in the examples to train on, with its repetitions."""
        for example in self.train:
            if isinstance(example, str):
                yield example
            elif isinstance(example, Captioned):
                yield from example.captions
            else:
                yield from (example.question, example.answer)
