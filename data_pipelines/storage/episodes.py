"""Single recorded episodes as arrays. No TensorFlow."""

import io

import numpy as np
from PIL import Image

from data_pipelines.spec import ItemSpec, Kind
from data_pipelines.storage.example_fields import Example
from data_pipelines.storage.recorded_tasks import DataError, RecordedTask
from data_pipelines.storage.records import read_record


def read_episode(task: RecordedTask, split: str, number: int, *, part: slice = slice(None)) -> dict[str, np.ndarray]:
    """One episode by the keys of the task's spec, and "action", as it was executed: [T, ...] each.

    The dummy last step, which has no action, is left out. Texts are `str`.

    Args:
      task: a control task.
      split, number: of the episode.
      part: timesteps that are wanted; pictures of others are not decoded.

    Raises:
      DataError: there is no such episode, or it is not what the spec says.
    """
    if task.spec is None:
        raise DataError(f"task {task.name!r}: expected a control task, found {task.kind}")
    where = f"task {task.name!r}, record {number} of split {split!r}"
    try:
        example = Example(read_record(task, split, number))
    except (IndexError, UnicodeDecodeError) as error:
        raise DataError(f"{where} is no tf.train.Example: {error}") from error
    items = {f"steps/observation/{item.key}": item for item in task.spec.observation}
    items["steps/action"] = task.spec.action
    if missing := sorted(set(items) - set(example.names)):
        raise DataError(f"{where}: no {missing[0]}, found {example.names}")
    return {item.key: _array(item, example, name, part, where) for name, item in items.items()}


def _array(item: ItemSpec, example: Example, name: str, part: slice, where: str) -> np.ndarray:
    if item.kind is Kind.TEXT:
        return np.array([text.decode() for text in example.texts(name)[:-1][part]], np.str_)
    if item.kind is Kind.IMAGE:
        pictures = [np.asarray(Image.open(io.BytesIO(data))) for data in example.texts(name)[:-1][part]]
        return np.array(pictures, np.uint8).reshape(len(pictures), *item.shape)
    values = example.numbers(name)
    if len(values) % max(item.size, 1):
        raise DataError(
            f"{where}, key {item.key!r}: expected timesteps of {item.size} values, found {len(values)} values"
        )
    steps = values.reshape(-1, *item.shape)[:-1][part]
    return steps.astype(item.dtype)
