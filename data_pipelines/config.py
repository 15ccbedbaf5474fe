"""Settings of the data stream. No TensorFlow."""

import dataclasses

from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.tokenizers.layout import TokenConfig


@dataclasses.dataclass(frozen=True)
class StreamConfig:
    """How the mixture becomes a stream that is a pure function of (seed, step).

    Args:
      seed: run seed.
      virtual_shards: V, independent pipelines; hosts own contiguous blocks of them. Divides each group's rows.
      segment_steps: steps after which all pipelines start afresh with new seeds; bounds what a resume must skip.
      shuffle_buffer: segments held for shuffling per task, summed over the shards.
      interleaved_episodes: episodes of a task that one shard cuts into segments at a time.
      episode_buffer: whole episodes (encoded) held for shuffling their order, per task and shard.
      buffer_mebibytes: what these three hold at most, in MiB, summed over tasks and shards; they are cut down to it
        (`seqio_tasks.buffer_sizes`). One host of H holds a part of H.
      prompt_share: share of control sequences that begin with a prompt (Gato, section 2.3).
      prompt_end_share: share of the prompts taken from the end of their episode, the others start anywhere.
      prompt_timesteps: timesteps of a prompt; 0 = half of the window.
      prompt_loss: whether text and actions of a prompt are targets too.
      pack: whether episodes and documents share a segment, each attending to itself alone; else each has a segment
        of its own, padded.
      image_text_pairs: pictures with their caption, or question and answer, per segment (Gato, section 2.3: five).
      question_loss: whether questions about pictures are targets, as all text is in the paper, or answers only.
      document_images: pictures of an interleaved document per segment, at most; one more begins a new segment.
      threads: threads of the pipeline; training shares the cores.
      prefetch: batches made ahead.
    """

    seed: int = 0
    virtual_shards: int = 64
    segment_steps: int = 1000
    shuffle_buffer: int = 2048
    interleaved_episodes: int = 4
    episode_buffer: int = 64
    buffer_mebibytes: int = 2048
    prompt_share: float = 0.25
    prompt_end_share: float = 0.5
    prompt_timesteps: int = 0
    prompt_loss: bool = True
    pack: bool = True
    image_text_pairs: int = 5
    question_loss: bool = True
    document_images: int = 16
    threads: int = 2
    prefetch: int = 2

    def __post_init__(self):
        positive = ("virtual_shards", "segment_steps", "shuffle_buffer", "interleaved_episodes", "episode_buffer")
        for name in (*positive, "buffer_mebibytes", "image_text_pairs", "document_images", "threads", "prefetch"):
            if getattr(self, name) < 1:
                raise ValueError(f"stream.{name} must be positive, found {getattr(self, name)}")
        for name in ("prompt_share", "prompt_end_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"stream.{name} must lie in [0, 1], found {getattr(self, name)}")
        if self.prompt_timesteps < 0 or self.seed < 0:
            raise ValueError("stream.prompt_timesteps and stream.seed must not be negative")


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Everything the data layer needs.

    Args:
      directory: data directory written by recording.
      cache: directory of tokens written by `gato cache`; "" = tokenise while streaming. The stream is the same.
      tokens: how modalities become tokens.
      mixture: which tasks, at which rates, in which row groups.
      stream: seeds, shards, shuffling, prompts.
    """

    directory: str
    tokens: TokenConfig
    mixture: MixtureConfig
    stream: StreamConfig = dataclasses.field(default_factory=StreamConfig)
    cache: str = ""

    def __post_init__(self):
        for name in ("directory", "cache"):  # A path is welcome; JSON and fingerprints hold its text.
            object.__setattr__(self, name, str(getattr(self, name)))
        self.mixture.weight_table(self.stream.segment_steps)  # Phases begin with segments.
