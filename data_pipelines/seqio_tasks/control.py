"""Control episodes: simulators and robots."""

import dataclasses
import functools
from typing import Any

import numpy as np
import seqio
import tensorflow_datasets as tfds

from data_pipelines.config import DataConfig
from data_pipelines.errors import TimestepError, describe
from data_pipelines.schema import RowGroup
from data_pipelines.seqio_tasks.base import Needs, SeededTask, make_task
from data_pipelines.seqio_tasks.cached_source import CachedSource, raw_example_bytes, read_cache
from data_pipelines.seqio_tasks.deals import Dealer
from data_pipelines.seqio_tasks.sources import RldsDataSource
from data_pipelines.sequences import control as sequences
from data_pipelines.sequences.control import PromptConfig
from data_pipelines.sequences.windows import WindowFormat
from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.storage.recorded_tasks import RecordedTask
from data_pipelines.tokenizers import checks
from data_pipelines.tokenizers.images import ImageSize
from data_pipelines.tokenizers.layout import TimestepLayout
from data_pipelines.tokenizers.tf.text import TfTextTokenizer

STRETCH = 8
"""Windows of an episode that one visit reads, at least where it has so many: each visit reads all of the episode."""


def control_needs(task: RecordedTask, config: DataConfig, group: RowGroup) -> Needs:
    """Needs of a window of as many whole timesteps as fit. Raises `TimestepError` when none does."""
    assert task.spec is not None  # Control tasks have one.
    layout = TimestepLayout.build(task.spec, config.tokens)
    if layout.length > group.window_length:
        longest = max((*layout.places, layout.action), key=lambda place: place.size)
        expected = f"timesteps of at most window_length = {group.window_length} tokens"
        actual = f"{longest.size} tokens; needs window_length of at least {layout.length} with the other keys"
        raise TimestepError(describe(task.name, longest.item.key, expected, actual))
    steps = group.window_length // layout.length
    if config.stream.prompt_share and steps < 1 + max(1, config.stream.prompt_timesteps):
        raise ValueError(
            f"task {task.name!r}: a window of {steps} timesteps ({layout.length} tokens each) has no room for a prompt "
            f"of {max(1, config.stream.prompt_timesteps)} and a continuation; set stream.prompt_share = 0, found "
            f"{config.stream.prompt_share}, or a window_length above {group.window_length}"
        )
    images = [place.size for place in layout.places if place.item.kind is Kind.IMAGE]
    raw = raw_example_bytes(config, task) if images and config.cache else None
    pictures = [place.item.shape for place in layout.places if place.item.kind is Kind.IMAGE]
    first = layout.loss_mask[0] > 0  # The first place of a window has nothing before it to predict it from.
    return Needs(
        length=layout.length,
        frames=steps * len(images),
        frame_patches=max(images, default=0),
        patches=steps * layout.patches,
        targets=steps * layout.targets - int(first),
        image_sizes=tuple(ImageSize(height, width, raw is not None) for height, width, _ in pictures),
        example_bytes=raw,
    )


def control_task(
    task: RecordedTask, config: DataConfig, group: RowGroup, shape: WindowFormat, text: TfTextTokenizer | None
) -> SeededTask:
    """The SeqIO task of one recorded control task. Raises `ValueError` when its files are not what the spec says."""
    stream = config.stream
    assert task.spec is not None  # Control tasks have one.
    layout = TimestepLayout.build(task.spec, config.tokens)
    prompts = PromptConfig(stream.prompt_share, stream.prompt_end_share, stream.prompt_timesteps, stream.prompt_loss)
    source = RldsDataSource(task)
    check_steps(source, task.spec)
    tokenize = functools.partial(sequences.tokenize_episodes, layout=layout, text=text)
    dealer = Dealer(
        task,
        task,
        window=shape.length // layout.length,
        at_a_time=stream.shuffle_buffer,
        stretch=max(STRETCH, stream.shuffle_buffer // stream.virtual_shards // stream.interleaved_episodes),
        prompts=prompts,
        pack=stream.pack,
    )
    windows = functools.partial(sequences.episode_windows, layout=layout, shape=shape, prompts=prompts)
    return make_task(
        task.name,
        source,
        [tokenize, seqio.CacheDatasetPlaceholder(), sequences.take_parts, windows],
        group=group,
        stream=stream,
        dealer=dealer,
        read_cache=lambda directory: CachedSource(read_cache(dataclasses.replace(config, cache=directory), task)),
        cache=config.cache,
    )


def check_steps(source: RldsDataSource, spec: TaskSpec) -> None:
    """Compares the recorded steps' features with the spec.

    Raises:
      TimestepError: a key is missing, or has another shape or dtype than the spec says.
    """
    steps = source.features["steps"].feature
    observation = _plain(steps["observation"]) if "observation" in steps else {}
    for item in spec.observation:
        _check_feature(spec.name, item, checks.find(spec.name, observation, item))
    _check_feature(spec.name, spec.action, checks.find(spec.name, _plain(steps), spec.action))
    if "expert_action" in steps:
        _check_feature(spec.name, spec.action, steps["expert_action"], key="expert_action")


def _check_feature(task: str, item: ItemSpec, feature: Any, *, key: str = "") -> None:
    if (item.kind is Kind.IMAGE) != isinstance(feature, tfds.features.Image):
        expected, actual = ("encoded images" if item.kind is Kind.IMAGE else "an array"), type(feature).__name__
        raise TimestepError(describe(task, key or item.key, expected, f"the TFDS feature {actual}"))
    # Images of any size are compared one by one.
    checks.check_item(task, item, tuple(feature.shape), np.dtype(feature.np_dtype), key=key)


def _plain(features: Any) -> Any:
    """TFDS features as a nested dict."""
    if isinstance(features, tfds.features.FeaturesDict):
        return {name: _plain(feature) for name, feature in features.items()}
    return features
