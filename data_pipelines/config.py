"""Settings of the data stream. No TensorFlow."""

import dataclasses

from data_pipelines.config_json import old_names_work
from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.ranges import Count, Natural, Share, check_fields
from data_pipelines.tokenizers.layout import TokenConfig


@old_names_work
@dataclasses.dataclass(frozen=True)
class StreamConfig:
    """How the mixture becomes a stream that is a pure function of (seed, step).

    Args:
      seed: run seed.
      virtual_shards: V, independent pipelines; hosts own contiguous blocks of them. Divides each group's rows.
      reseed_every: steps after which all pipelines start afresh with new seeds: a segment of the stream. Bounds what a
        resume must skip.
      shuffle_buffer: windows of a task that are dealt in random order, summed over the shards: so many are held.
      interleaved_episodes: parts of episodes that a shard's share of these windows comes from, at least.
      episode_buffer: whole examples (encoded) of text and documents held for shuffling their order, per task and shard.
      buffer_mebibytes: what these three hold at most, in MiB, summed over tasks and shards; they are cut down to it
        (`seqio_tasks.buffer_sizes`). One host of H holds a part of H.
      prompt_share: share of control sequences that begin with a prompt (Gato, section 2.3).
      prompt_end_share: share of the prompts taken from the end of their episode, the others start anywhere.
      prompt_timesteps: timesteps of a prompt; 0 = half of the window.
      prompt_loss: whether text and actions of a prompt are targets too.
      pack: whether episodes and documents share a window, each attending to itself alone; else each has a window
        of its own, padded.
      image_text_pairs: pictures with their caption, or question and answer, per window (Gato, section 2.3: five).
      question_loss: whether questions about pictures are targets, as all text is in the paper, or answers only.
      document_images: pictures of an interleaved document per window, at most; one more begins a new window.
      threads: threads of the pipeline; training shares the cores.
      prefetch: batches made ahead.

    Examples:
      >>> from data_pipelines import StreamConfig
      >>> StreamConfig(virtual_shards=8, prompt_share=0.5).reseed_every
      1000
    """

    seed: Natural = 0
    virtual_shards: Count = 64
    reseed_every: Count = 1000
    shuffle_buffer: Count = 2048
    interleaved_episodes: Count = 4
    episode_buffer: Count = 64
    buffer_mebibytes: Count = 2048
    prompt_share: Share = 0.25
    prompt_end_share: Share = 0.5
    prompt_timesteps: Natural = 0
    prompt_loss: bool = True
    pack: bool = True
    image_text_pairs: Count = 5
    question_loss: bool = True
    document_images: Count = 16
    threads: Count = 2
    prefetch: Count = 2

    def __post_init__(self):
        check_fields(self, "stream")


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Everything the data layer needs.

    Args:
      directory: data directory written by recording.
      cache: directory of tokens written by `gato cache`; "" = tokenise while streaming. The stream is the same.
      tokens: how modalities become tokens.
      mixture: which tasks, at which rates, in which row groups.
      stream: seeds, shards, shuffling, prompts.

    Examples:
      >>> from data_pipelines import DataConfig, MixtureConfig, RowGroup, TokenConfig
      >>> mixture = MixtureConfig({"mine.walk": 1.0}, {"mine": RowGroup(("mine.walk",))}, rows_per_step=64)
      >>> DataConfig("data", TokenConfig(), mixture).stream.virtual_shards
      64
    """

    directory: str
    tokens: TokenConfig
    mixture: MixtureConfig
    stream: StreamConfig = dataclasses.field(default_factory=StreamConfig)
    cache: str = ""

    def __post_init__(self):
        for name in ("directory", "cache"):  # A path is welcome; JSON and fingerprints hold its text.
            object.__setattr__(self, name, str(getattr(self, name)))
        check_fields(self, "data")
        self.mixture.weight_table(self.stream.reseed_every)  # Phases begin with segments.
