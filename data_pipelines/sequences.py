"""From episodes to segments of S places, and from segments to rows (Gato, section 2.3).

A segment travels as one int32 array [5, S], the rows named by `PLACES`, and its encoded frames: few and small tensors,
because the cost of a pipeline is the number of tensors it moves. What is left of the training example (patches, masks
that follow from these rows) is built after batching, in `converter`.
"""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from data_pipelines.timestep import TimestepLayout
from data_pipelines.tokenizers.tf.text import TfTextTokenizer
from data_pipelines.tokenizers.tf.timestep import encode_episode
from data_pipelines.vocabulary import TokenType

PLACES = ("tokens", "targets", "token_type", "observation_position", "loss_mask")
"""Rows of a segment's array. On a patch, `tokens` holds which of the segment's patches it is."""


@dataclasses.dataclass(frozen=True)
class SegmentFormat:
    """What all segments of a task share.

    Args:
      task_id: number of the task in the mixture.
      length: S, places.
      frames: encoded images a segment carries (unused ones are empty strings).
      frame_patches: most patches one of the group's images is cut into.
    """

    task_id: int
    length: int
    frames: int
    frame_patches: int

    def emit(self, places: tf.Tensor, frames: tf.Tensor) -> tf.data.Dataset:
        """Segments {places [5, S], frames [F], task_id} from places [n, 5, S] and frames [n, up to F]."""
        frames = tf.pad(frames, [[0, 0], [0, self.frames - frames.shape[1]]], constant_values="")
        identity = tf.fill([tf.shape(places)[0]], self.task_id)
        return tf.data.Dataset.from_tensor_slices({"places": places, "frames": frames, "task_id": identity})


@dataclasses.dataclass(frozen=True)
class PromptConfig:
    """Prompts in training (Gato, section 2.3: a quarter of the sequences, half of those from the end).

    Args:
      share: share of the sequences that begin with a prompt from another episode of the task.
      end_share: share of the prompts that are the end of their episode; the others start anywhere.
      timesteps: timesteps of a prompt; 0 = half of the window.
      loss: whether the prompt's own text and actions are targets.
    """

    share: float
    end_share: float
    timesteps: int
    loss: bool


def tokenize_episodes(
    dataset: tf.data.Dataset, *, layout: TimestepLayout, text: TfTextTokenizer | None
) -> tf.data.Dataset:
    """RLDS episodes to {tokens, targets [T, length], frames [T, images], example_id}, without the dummy last step."""

    def tokenize(episode: dict[str, Any]) -> dict[str, tf.Tensor]:
        steps = tf.nest.map_structure(lambda values: values[:-1], episode["steps"])
        return {**encode_episode(layout, steps, text), "example_id": episode["example_id"]}

    return dataset.map(tokenize)


def with_partner(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Pairs each episode with the latest different one that came before it; the very first is only a partner."""
    nothing = {
        name: tf.zeros([0 if size is None else size for size in leaf.shape], leaf.dtype)
        for name, leaf in dataset.element_spec.items()
    }
    nothing["example_id"] = tf.constant(-1, tf.int64)

    def scan(state: tuple[dict, dict], episode: dict) -> tuple[tuple[dict, dict], tuple[dict, dict]]:
        last, earlier = state
        # The same episode may come twice in a row where one epoch ends and the next begins.
        partner = tf.cond(last["example_id"] == episode["example_id"], lambda: earlier, lambda: last)
        return (episode, partner), (episode, partner)

    def known(episode: dict, partner: dict) -> tf.Tensor:
        return partner["example_id"] >= 0

    return dataset.scan((nothing, nothing), scan).filter(known)


def episode_segments(
    dataset: tf.data.Dataset,
    *,
    layout: TimestepLayout,
    shape: SegmentFormat,
    prompts: PromptConfig,
    seed: tf.Tensor | None,
    interleaved: int,
) -> tf.data.Dataset:
    """Tokenised episodes to segments {places [5, S], frames [F]}, several episodes interleaved.

    Each episode is cut into consecutive windows of whole timesteps from a random phase, so every start is equally
    likely; an episode shorter than the window gives one window with padding at its end. Without a seed (validation)
    the phase is 0 and the order that of the files.
    """
    steps = shape.length // layout.length
    prompted = prompts.share > 0 and seed is not None
    builder = _WindowBuilder(layout, shape, steps, prompts)
    if not prompted:
        interleaved = interleaved if seed is not None else 1

        def windows(index: tf.Tensor, episode: dict) -> tf.data.Dataset:
            key = None if seed is None else tf.stack([seed, index])
            return builder.windows(episode, None, key)

        return dataset.enumerate().interleave(windows, cycle_length=interleaved, block_length=1)

    def prompted_windows(index: tf.Tensor, pair: tuple[dict, dict]) -> tf.data.Dataset:
        return builder.windows(*pair, tf.stack([seed, index]))

    pairs = with_partner(dataset).enumerate()
    return pairs.interleave(prompted_windows, cycle_length=interleaved, block_length=1)


@dataclasses.dataclass(frozen=True)
class _WindowBuilder:
    layout: TimestepLayout
    shape: SegmentFormat
    steps: int
    prompts: PromptConfig

    def windows(self, episode: dict, partner: dict | None, key: tf.Tensor | None) -> tf.data.Dataset:
        """All windows of one episode."""
        length = tf.shape(episode["tokens"])[0]
        phase = (
            0 if key is None else uniform(key, 0, [], tf.minimum(self.steps, tf.maximum(length - self.steps, 0) + 1))
        )
        count = tf.maximum((length - phase) // self.steps, tf.minimum(length, 1))
        if key is None:  # Validation also keeps the shorter window at the end.
            count = -(-length // self.steps)
        starts = phase + self.steps * tf.range(count)
        column = tf.range(self.steps)[None]
        if partner is None:
            source, is_prompt = starts[:, None] + column, tf.zeros([count, self.steps], tf.bool)
            source = tf.where(source < length, source, length)
            sources = [episode]
        else:
            source, is_prompt = self._with_prompts(length, tf.shape(partner["tokens"])[0], starts, key)
            sources = [episode, partner]
        return self._assemble(sources, source, is_prompt)

    def _with_prompts(
        self, length: tf.Tensor, partner_length: tf.Tensor, starts: tf.Tensor, key: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Which row of (episode, partner, padding) each timestep of each window shows, and whether it is a prompt."""
        count = tf.shape(starts)[0]
        wanted = self.prompts.timesteps or self.steps // 2
        chosen = tf.random.stateless_uniform([count], _fold(key, 1)) < self.prompts.share
        from_end = tf.random.stateless_uniform([count], _fold(key, 2)) < self.prompts.end_share
        size = tf.minimum(wanted, partner_length)
        last_start = partner_length - size
        prompt_start = tf.where(from_end, last_start, uniform(key, 3, [count], last_start + 1))
        size = tf.where(chosen, size, 0)
        # A prompt takes its places from the front or the back of the window, so that no part of it is rarer.
        starts += tf.where(chosen, uniform(key, 4, [count], tf.minimum(wanted, length) + 1), 0)
        starts = tf.minimum(starts, tf.maximum(length - (self.steps - size), 0))
        column = tf.range(self.steps)[None]
        is_prompt = column < size[:, None]
        own = starts[:, None] + column - size[:, None]
        own = tf.where(own < length, own, length + partner_length)
        return tf.where(is_prompt, length + prompt_start[:, None] + column, own), is_prompt

    def _assemble(self, sources: list[dict], source: tf.Tensor, is_prompt: tf.Tensor) -> tf.data.Dataset:
        layout, size = self.layout, self.layout.length * self.steps
        padding = tf.fill([1, layout.length], -1)

        def gather(name: str) -> tf.Tensor:
            rows = tf.concat([*(item[name] for item in sources), padding], axis=0)
            return tf.reshape(tf.gather(rows, source), [-1, size])

        tokens, targets = gather("tokens"), gather("targets")
        valid = tokens >= 0
        loss = tf.tile(tf.constant(layout.loss_mask, tf.int32), [self.steps])
        if not self.prompts.loss:
            loss = tf.where(tf.repeat(is_prompt, layout.length, axis=1), 0, loss)
        kinds = tf.tile(tf.constant(layout.token_type), [self.steps])
        position = tf.tile(tf.constant(layout.observation_position), [self.steps])
        tokens += tf.constant(_patch_references(layout, self.steps, self.shape.frame_patches))
        rows = [tokens, targets, *(tf.broadcast_to(row, tf.shape(tokens)) for row in (kinds, position, loss))]
        places = tf.stack([tf.where(valid, row, 0) for row in rows], axis=1)
        places = tf.pad(places, [[0, 0], [0, 0], [0, self.shape.length - size]])
        images = sources[0]["frames"].shape[1]
        frames = tf.concat([*(item["frames"] for item in sources), tf.fill([1, images], "")], axis=0)
        frames = tf.reshape(tf.gather(frames, source), [tf.shape(source)[0], self.steps * images])
        return self.shape.emit(places, frames)


def _patch_references(layout: TimestepLayout, steps: int, frame_patches: int) -> Any:
    """Per place of the window: frame x frame_patches + patch where a patch stands, else 0."""
    step = np.zeros(layout.length, np.int32)
    images = [place for place in layout.places if layout.token_type[place.start] == TokenType.PATCH]
    for number, place in enumerate(images):
        step[place.slice] = number * frame_patches + np.arange(place.size)
    offset = (layout.token_type == TokenType.PATCH) * frame_patches * len(images)
    return np.concatenate([step + index * offset for index in range(steps)]).astype(np.int32)


def rows(
    dataset: tf.data.Dataset,
    *,
    segments: int,
    shuffle_buffer: int,
    seed: tf.Tensor | None,
) -> tf.data.Dataset:
    """Segments to rows of K: {places [K, 5, S], frames [K, F], task_id [K]}, shuffled across episodes before.

    Without a seed (validation) the order stays and the last row is filled up with padding segments.
    """
    if seed is None and segments > 1:
        padding = {
            name: tf.zeros([segments - 1, *leaf.shape], leaf.dtype) for name, leaf in dataset.element_spec.items()
        }
        dataset = dataset.concatenate(tf.data.Dataset.from_tensor_slices(padding))
    elif seed is not None and shuffle_buffer > 1:
        dataset = dataset.shuffle(shuffle_buffer, seed=seed + 5)
    return dataset.batch(segments, drop_remainder=True)


def uniform(key: tf.Tensor, number: int, shape: list, limit: tf.Tensor) -> tf.Tensor:
    """Integers in [0, limit); the limit may differ per entry, and is far below 2**31."""
    return tf.random.stateless_uniform(shape, _fold(key, number), 0, 2**31 - 1, tf.int32) % limit


def _fold(key: tf.Tensor, number: int) -> tf.Tensor:
    return tf.stack([key[0] + number, key[1]])
