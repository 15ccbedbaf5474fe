"""Pictures with captions, or with questions and answers."""

import functools

from data_pipelines.config import DataConfig
from data_pipelines.schema import RowGroup
from data_pipelines.seqio_tasks.base import Needs, SeededTask, make_task
from data_pipelines.seqio_tasks.deals import Dealer
from data_pipelines.seqio_tasks.sources import ImageTextDataSource
from data_pipelines.sequences import image_text as image_text_sequences
from data_pipelines.sequences.windows import WindowFormat
from data_pipelines.storage.recorded_tasks import DataError, RecordedTask
from data_pipelines.tokenizers.images import ImageSize, grid
from data_pipelines.tokenizers.tf.text import TfTextTokenizer


def image_shape(source: ImageTextDataSource) -> tuple[int, int] | None:
    """Height and width of all pictures of a task, None where each has its own."""
    height, width, _ = source.features["image"].shape
    return (height, width) if source.image_shape_is_static else None


def image_patches(task: RecordedTask, source: ImageTextDataSource) -> tuple[int, int]:
    """Patches of the task's smallest and of its largest picture."""
    if (shape := image_shape(source)) is not None:
        rows, columns = grid(*shape)
        return rows * columns, rows * columns
    if task.image_patches is None:
        raise DataError(
            f"task {task.name!r}: its pictures differ in size, so spec.json must name image_patches, found none"
        )
    return task.image_patches


def image_text_needs(task: RecordedTask, config: DataConfig, group: RowGroup) -> Needs:
    """Pictures that fit the window; the rest of it may be text, all of it targets."""
    source = ImageTextDataSource(task)
    smallest, patches = image_patches(task, source)
    pairs = config.stream.image_text_pairs
    check_positions(task, config, patches)
    whole = min(pairs * patches, group.window_length)
    targets = min(group.window_length - smallest, group.target_budget) if pairs == 1 else 0
    return Needs(
        length=patches + 1,
        frames=pairs,
        frame_patches=patches,
        patches=whole,
        targets=max(0, targets),
        image_sizes=(None if (size := image_shape(source)) is None else ImageSize(*size),),
    )


def check_positions(task: RecordedTask, config: DataConfig, patches: int) -> None:
    """Raises `ValueError` when the table of local positions is too small for a picture of so many patches."""
    if patches > config.tokens.max_observation_tokens:
        raise ValueError(
            f"task {task.name!r}: pictures of {patches} patches need tokens.max_observation_tokens of at least "
            f"{patches}, found {config.tokens.max_observation_tokens}; or import them smaller"
        )


def image_text_task(
    task: RecordedTask, config: DataConfig, group: RowGroup, shape: WindowFormat, text: TfTextTokenizer
) -> SeededTask:
    """The SeqIO task of one collection of pictures with captions or questions."""
    stream = config.stream
    source = ImageTextDataSource(task, episode_buffer=stream.episode_buffer)
    windows = functools.partial(
        image_text_sequences.pair_windows,
        task=task.name,
        text=text,
        shape=shape,
        pairs=stream.image_text_pairs,
        image_shape=image_shape(source),
        max_positions=config.tokens.max_observation_tokens,
        question_loss=stream.question_loss,
    )
    dealer = Dealer(task, task, window=stream.image_text_pairs, at_a_time=stream.shuffle_buffer, single=True)
    return make_task(task.name, source, [windows], group=group, stream=stream, dealer=dealer)
