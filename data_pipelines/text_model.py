"""A SentencePiece model trained on the texts of a data directory. Imports TensorFlow."""

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from data_pipelines.recording.bundled_text import train_tokenizer
from data_pipelines.seqio_tasks.sources import DocumentDataSource, ImageTextDataSource, RecordedSource, TextDataSource
from data_pipelines.storage.data_directory import RECORDING_FILE
from data_pipelines.storage.recorded_tasks import DataError, RecordedTask, read_task, recorded_tasks
from data_pipelines.tokenizers.text import TEXT_MODEL_FILE

_SOURCES: dict[str, Callable[[RecordedTask], RecordedSource]] = {
    "text": TextDataSource,
    "captions": ImageTextDataSource,
    "vqa": ImageTextDataSource,
    "documents": DocumentDataSource,
}
_TEXTS = ("text", "texts", "captions", "question", "answer")
"""Features of all kinds that hold texts which become tokens."""


@dataclasses.dataclass(frozen=True)
class TextModelSummary:
    """What a text model was trained on.

    Args:
      path: the model.
      pieces: of its vocabulary.
      characters: task -> characters that it was trained on.
      whole: whether these are all characters of the training splits.
    """

    path: str
    pieces: int
    characters: dict[str, int]
    whole: bool

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dataclasses.asdict(self)

    def table(self) -> str:
        """For a terminal."""
        of = "" if self.whole else ", a sample"
        lines = [f"{task}: {count:,} characters{of}" for task, count in sorted(self.characters.items())]
        use = f"--data.tokens.text-model {self.path} --data.tokens.vocabulary.text-size {self.pieces}"
        return "\n".join([*lines, f"{self.path}: {self.pieces:,} pieces; train with {use}"])


def train_text_model(
    data: str | Path,
    *,
    to: str | Path | None = None,
    pieces: int = 8192,
    tasks: Sequence[str] = (),
    characters: int = 20_000_000,
) -> TextModelSummary:
    """Trains a text model on documents, captions, questions, answers and instructions of training splits.

    The same data and settings give the same model on every machine.

    Args:
      data: data directory.
      to: the model's file; None is the data directory's own, which experiments without `tokens.text_model` use.
      pieces: size of the vocabulary.
      tasks: to train on; empty means all that have texts.
      characters: to train on at most; every task gives an equal share, a sample by a fixed seed where it has more.

    Raises:
      DataError: a task that is not there, or no texts.
      FileExistsError: there is a model already; whatever was trained with it needs it.
      ValueError: the texts hold too little for so many pieces.
    """
    directory, path = Path(data), Path(data) / TEXT_MODEL_FILE if to is None else Path(to)
    if path.exists():
        raise FileExistsError(f"{path}: there is a text model already, and runs may need it; name another file (--to)")
    if pieces < 1 or characters < 1:
        raise ValueError(f"pieces and characters must be positive, found {pieces} and {characters}")
    chosen = [read_task(directory, name) for name in tasks or recorded_tasks(directory)]
    phrases = {task.name: _instructions(directory, task) for task in chosen if task.kind not in _SOURCES}
    long = [task for task in chosen if task.kind in _SOURCES]
    share = characters // max(1, len(long))
    characters_by_task: dict[str, int] = {name: sum(map(len, texts)) for name, texts in phrases.items() if texts}
    whole, texts = True, list[str]()
    for task in long:
        count = 0
        for text in _texts(task):
            if count >= share:
                whole = False
                break
            count += len(text)
            texts.append(text)
        characters_by_task[task.name] = count
    if not any(characters_by_task.values()):
        raise DataError(f"{directory}: no texts to train on in {[task.name for task in chosen]}")
    path.parent.mkdir(parents=True, exist_ok=True)
    spoken = [text for of_task in phrases.values() for text in of_task]
    # Instructions alone are all there is to learn from; beside documents they are repeated until they count.
    train_tokenizer(texts or spoken, path, pieces=pieces, phrases=spoken if texts else ())
    return TextModelSummary(str(path), pieces, characters_by_task, whole)


def _instructions(data: Path, task: RecordedTask) -> list[str]:
    """Textual observations of a control task."""
    return list(json.loads((data / task.name / RECORDING_FILE).read_text()).get("texts", []))


def _texts(task: RecordedTask) -> Iterator[str]:
    for example in _SOURCES[task.kind](task).get_dataset("train", shuffle=True, seed=0).as_numpy_iterator():
        for name in _TEXTS:
            value = example.get(name, ())
            yield from (text.decode() for text in ([value] if isinstance(value, bytes) else value))
