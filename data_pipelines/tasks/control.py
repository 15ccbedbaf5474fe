"""Control episodes: simulators and robots."""

import functools

from data_pipelines import sequences
from data_pipelines.caching.format import CachedSource, read_cache
from data_pipelines.config import DataConfig
from data_pipelines.directories import RecordedTask
from data_pipelines.schema import RowGroup
from data_pipelines.sequences import PromptConfig, SegmentFormat
from data_pipelines.sources import RecordFileSource, RldsDataSource
from data_pipelines.spec import Kind, TaskSpec, lookup
from data_pipelines.tasks.base import Needs, SeededTask, make_task
from data_pipelines.timestep import TimestepLayout
from data_pipelines.tokenizers.tf.text import TfTextTokenizer


def control_needs(task: RecordedTask, config: DataConfig, group: RowGroup) -> Needs:
    """Needs of a window of as many whole timesteps as fit the segment, and at least one."""
    assert task.spec is not None  # Control tasks have one.
    layout = TimestepLayout.build(task.spec, config.tokens)
    steps = max(1, group.segment_length // layout.length)
    if config.stream.prompt_share and steps < 1 + max(1, config.stream.prompt_timesteps):
        raise ValueError(
            f"task {task.name!r}: a window of {steps} timesteps ({layout.length} tokens each) has no room for a prompt "
            f"of {max(1, config.stream.prompt_timesteps)} and a continuation; set stream.prompt_share = 0, found "
            f"{config.stream.prompt_share}, or a segment_length above {group.segment_length}"
        )
    images = [place.size for place in layout.places if place.item.kind is Kind.IMAGE]
    first = layout.loss_mask[0] > 0  # The first place of a segment has nothing before it to predict it from.
    return Needs(
        length=layout.length,
        frames=steps * len(images),
        frame_patches=max(images, default=0),
        patches=steps * layout.patches,
        targets=steps * layout.targets - int(first),
        image_sizes=tuple((p.item.shape[0], p.item.shape[1]) for p in layout.places if p.item.kind is Kind.IMAGE),
    )


def control_task(
    task: RecordedTask, config: DataConfig, group: RowGroup, shape: SegmentFormat, text: TfTextTokenizer | None
) -> SeededTask:
    """The SeqIO task of one recorded control task. Raises `ValueError` when its files lack what the spec promises."""
    stream = config.stream
    assert task.spec is not None  # Control tasks have one.
    layout = TimestepLayout.build(task.spec, config.tokens)
    # A prompt comes from another episode of the same shard, so a shard needs two of them.
    whole_below = 2 * stream.virtual_shards if stream.prompt_share else 0
    source: RecordFileSource
    if config.cache:
        cached = read_cache(config, task)
        source = CachedSource(cached, whole_below=whole_below, episode_buffer=stream.episode_buffer)
        tokenize = []
    else:
        source = RldsDataSource(task, whole_below=whole_below, episode_buffer=stream.episode_buffer)
        check_steps(source, task.spec)
        tokenize = [functools.partial(sequences.tokenize_episodes, layout=layout, text=text)]
    prompts = PromptConfig(stream.prompt_share, stream.prompt_end_share, stream.prompt_timesteps, stream.prompt_loss)
    segments = functools.partial(
        sequences.episode_segments,
        layout=layout,
        shape=shape,
        prompts=prompts,
        interleaved=stream.interleaved_episodes,
        pack=stream.pack,
    )
    return make_task(
        task.name,
        source,
        [
            *tokenize,
            segments,
            functools.partial(
                sequences.rows,
                segments=group.segments,
                shuffle_buffer=stream.shuffle_buffer // stream.virtual_shards,
            ),
        ],
    )


def check_steps(source: RldsDataSource, spec: TaskSpec) -> None:
    """Raises `ValueError` when the recorded steps lack an observation that the spec names."""
    steps = source.features["steps"].feature
    for item in spec.observation:
        try:
            lookup(dict(steps["observation"]), item.path)
        except KeyError as error:
            raise ValueError(
                f"task {spec.name!r}: recorded steps lack what spec.json names: {error.args[0]}"
            ) from error
