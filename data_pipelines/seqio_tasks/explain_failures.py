"""What is wrong with an episode that failed inside a pipeline: it is read again, and NumPy finds the place.

The text of the error is therefore the same whether a recording is streamed, cached, or an agent meets such values.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from data_pipelines.errors import Origin, TimestepError, describe, misfit_of
from data_pipelines.seqio_tasks.sources import RldsDataSource
from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.storage.recorded_tasks import RecordedTask
from data_pipelines.tokenizers import checks
from data_pipelines.tokenizers.layout import TimestepLayout, TokenConfig
from data_pipelines.tokenizers.text import TextTokenizer, resolve_text_model
from data_pipelines.tokenizers.timestep import TimestepTokenizer


def explain(
    message: str, recorded: Mapping[str, RecordedTask], tokens: TokenConfig, directory: str
) -> TimestepError | None:
    """The error behind a TensorFlow error's message; None if the message is not about values of a recorded episode.

    Args:
      message: of the error.
      recorded: the tasks of the pipeline.
      tokens: how modalities become tokens.
      directory: the data directory, for its text model.
    """
    misfit = misfit_of(message)
    if misfit is None or misfit[0] not in recorded:
        return None
    name, number = misfit
    task = recorded[name]
    assert task.spec is not None  # Only control tasks have episodes.
    path, record = task.find_example(number)
    steps = next(iter(RldsDataSource(task).read_files([str(path)]).skip(record).take(1).as_numpy_iterator()))["steps"]
    try:
        check_steps(task.spec, steps, _tokenizer(task.spec, tokens, directory), task.example_name(number))
    except TimestepError as error:
        return error
    return TimestepError(f"task {name!r}, episode {task.example_name(number)!r}: values that cannot become tokens")


def check_steps(spec: TaskSpec, steps: Mapping[str, Any], tokenizer: TimestepTokenizer, episode: str) -> None:
    """Raises `TimestepError` for the first value of an episode that cannot become a token.

    Args:
      spec: the task.
      steps: stacked RLDS steps with the dummy last one, which is never looked at; images encoded.
      tokenizer: the task's.
      episode: its name.
    """
    count = len(steps["action"]) - 1
    actions = {key: steps[key] for key in ("action", "expert_action") if key in steps}
    values = {item.key: checks.find(spec.name, steps["observation"], item) for item in spec.observation}
    for key, rows in {**values, **actions}.items():
        if len(rows) != count + 1:
            expected = f"a value in each of {count + 1} timesteps, as 'action' has"
            raise TimestepError(
                describe(spec.name, key, expected, f"{len(rows)}", episode=episode, timestep=min(len(rows), count))
            )
    origin = Origin(episode)
    pictures = {item.key: item for item in spec.observation if item.kind is Kind.IMAGE}
    observation: dict[str, Any] = {}
    for item in spec.observation:
        rows = values[item.key][:count]
        if item.key in pictures:
            rows = np.stack(list(_decode(spec.name, item, rows, episode))) if count else np.zeros((0, *item.shape))
        node = observation
        for part in item.path[:-1]:
            node = node.setdefault(part, {})
        node[item.path[-1]] = rows
    if not count:
        return
    tokenizer.encode_observation(observation, origin=origin)
    for key, rows in actions.items():
        tokenizer.encode_action(rows[:count], key=key, origin=origin)


def _decode(task: str, item: ItemSpec, frames: np.ndarray, episode: str) -> Iterator[np.ndarray]:
    for timestep, encoded in enumerate(frames):
        origin = Origin(episode, timestep)
        try:
            image = tf.io.decode_image(encoded, channels=item.shape[2], expand_animations=False).numpy()
        except tf.errors.OpError as error:
            expected, actual = "a PNG or JPEG image", f"{len(encoded)} bytes that begin with {encoded[:8]!r}"
            raise TimestepError(describe(task, item.key, expected, actual, **origin.at(0))) from error
        checks.check_item(task, item, image.shape, image.dtype, origin=origin)
        yield image


def _tokenizer(spec: TaskSpec, tokens: TokenConfig, directory: str) -> TimestepTokenizer:
    layout = TimestepLayout.build(spec, tokens)
    text = TextTokenizer(resolve_text_model(tokens.text_model, directory)) if layout.has_text else None
    return TimestepTokenizer(layout, text)
