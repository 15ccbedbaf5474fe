"""Texts, captioned pictures and questions as a package brings them: what a task without a world is recorded from."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import NamedTuple


class Captioned(NamedTuple):
    """A picture, as the path or the content of a PNG or JPEG file, and what is said of it.

    Example:
      >>> from data_pipelines import Captioned
      >>> Captioned("pictures/cat.png", ("a cat", "a sleeping animal")).captions[0]
      'a cat'
    """

    picture: str | bytes
    captions: tuple[str, ...]


class Question(NamedTuple):
    """A question about a picture, and its answer.

    Example:
      >>> from data_pipelines import Question
      >>> Question("is there a circle?", "yes", "pictures/0.png").answer
      'yes'
    """

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

    Example:
      >>> from data_pipelines import Bundle, Source, Task
      >>> def rhymes():
      ...     return Bundle(["A robot sat\\nupon a mat.", "It lifted that,\\nand put it flat."])
      >>> task = Task("text.rhymes", Source.TEXT, "a book of mine", "me", "", make_examples=rhymes, licence="CC0-1.0")
      >>> len(list(task.make_examples().texts()))
      2
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
