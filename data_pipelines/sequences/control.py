"""From control episodes to windows of S places (Gato, section 2.3)."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from data_pipelines.sequences.windows import WindowFormat
from data_pipelines.tokenizers.layout import TimestepLayout
from data_pipelines.tokenizers.tf.text import TfTextTokenizer
from data_pipelines.tokenizers.tf.timestep import encode_episode
from data_pipelines.vocabulary import TokenType


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

    def length(self, window: int) -> int:
        """Timesteps of a prompt in a window of so many: at most half of them."""
        return min(self.timesteps or window // 2, window // 2)


def tokenize_episodes(
    dataset: tf.data.Dataset, *, layout: TimestepLayout, text: TfTextTokenizer | None
) -> tf.data.Dataset:
    """RLDS episodes to {tokens, targets [T, length], frames [T, images], example_id}, without the dummy last step.

    Of an episode that is read in part, these timesteps alone; its `sequences` stay. Values that cannot become tokens
    fail an assertion that names the episode by its number (`explain_failures`).
    """

    def tokenize(episode: dict[str, Any]) -> dict[str, tf.Tensor]:
        steps = tf.nest.map_structure(lambda values: values[:-1], episode["steps"])
        number = episode["example_id"]
        carried: dict[str, tf.Tensor] = {name: episode[name] for name in ("example_id", "sequences") if name in episode}
        return {**encode_episode(layout, steps, text, episode=number, part=episode.get("part")), **carried}

    return dataset.map(tokenize)


def take_parts(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Tokenised episodes to those timesteps of them that are wanted; where they are no more, as they are."""
    if "part" not in dataset.element_spec:
        return dataset

    def take(episode: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        begin, end = tf.unstack(episode.pop("part"))
        steps = {name: episode[name][begin:end] for name in ("tokens", "targets", "frames")}
        return {**episode, **steps}

    return dataset.map(take)


def episode_windows(
    dataset: tf.data.Dataset, *, layout: TimestepLayout, shape: WindowFormat, prompts: PromptConfig
) -> tf.data.Dataset:
    """Tokenised episodes with their `sequences` to windows {places [6, S], frames [F], task_id}.

    An episode without sequences is what the prompts of the next ones are taken from.
    """
    windows = _Windows(layout, shape, shape.length // layout.length, prompts)
    nothing = {
        name: tf.zeros([0 if size is None else size for size in leaf.shape], leaf.dtype)
        for name, leaf in dataset.element_spec.items()
        if name in ("tokens", "targets", "frames")
    }
    rest = {**nothing, "is_prompt": tf.zeros([0], tf.bool), "within": tf.zeros([0], tf.int32)}
    if not prompts.share:
        return dataset.scan(rest, lambda rest, episode: windows.fill(rest, episode, None)).flat_map(windows.emit)

    def fill(state: tuple[dict, dict], episode: dict) -> tuple[tuple[dict, dict], dict]:
        rest, other = state
        steps = {name: episode[name] for name in nothing}
        for_prompts = tf.shape(episode["sequences"])[0] == 0
        other = tf.cond(for_prompts, lambda: steps, lambda: other)
        length = tf.where(for_prompts, 0, tf.shape(episode["tokens"])[0])
        own = {name: values[:length] for name, values in steps.items()}
        rest, full = windows.fill(rest, {**own, "sequences": episode["sequences"]}, other)
        return (rest, other), full

    return dataset.scan((rest, nothing), fill).flat_map(windows.emit)


@dataclasses.dataclass(frozen=True)
class _Windows:
    """Fills windows of `steps` timesteps, episode after episode."""

    layout: TimestepLayout
    shape: WindowFormat
    steps: int
    prompts: PromptConfig

    def fill(self, rest: dict, episode: dict, other: dict | None) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """What is left for the next window, and the timesteps [count, steps, ...] of the windows that are full."""
        begin, length = tf.shape(rest["tokens"])[0], tf.shape(episode["tokens"])[0]
        if self.steps == 1:  # Nothing to cut or to share, which saves half of the pipeline's start.
            full = {name: episode[name][:, None] for name in ("tokens", "targets", "frames")}
            nothing = tf.zeros([length, 1], tf.int32)
            return rest, {**full, "is_prompt": nothing > 0, "within": nothing}
        sources = [rest, episode] if other is None else [rest, episode, other]
        past = sum(tf.shape(source["tokens"])[0] for source in sources)
        own_begin, own, prompt, prompt_begin, padding = tf.unstack(tf.cast(episode["sequences"], tf.int32), axis=1)
        size = prompt + own + padding
        within = tf.range(tf.reduce_sum(size)) - tf.repeat(tf.cumsum(size, exclusive=True), size)
        before = tf.repeat(prompt, size)
        is_prompt = within < before
        unit = begin + tf.repeat(own_begin, size) + within - before
        if other is not None:
            unit = tf.where(is_prompt, begin + length + tf.repeat(prompt_begin, size) + within, unit)
        unit = tf.where(within < tf.repeat(prompt + own, size), unit, past)
        index = tf.concat([tf.range(begin), unit], axis=0)
        steps = {name: self._gather(sources, name, index) for name in ("tokens", "targets")}
        steps["frames"] = self._gather_frames(sources, index)
        steps["is_prompt"] = tf.concat([rest["is_prompt"], is_prompt], axis=0)
        steps["within"] = tf.concat([rest["within"], within], axis=0)
        whole = tf.size(index) // self.steps
        full = {
            name: tf.reshape(values[: whole * self.steps], [whole, self.steps, *values.shape[1:]])
            for name, values in steps.items()
        }
        return {name: values[whole * self.steps :] for name, values in steps.items()}, full

    def _gather(self, sources: list[dict], name: str, index: tf.Tensor) -> tf.Tensor:
        """Timesteps of the sources one after another; past their end is padding."""
        values = [source[name] for source in sources]
        padding = tf.fill([1, values[0].shape[1]], -1)
        return tf.gather(tf.concat([*values, padding], axis=0), index)

    def _gather_frames(self, sources: list[dict], index: tf.Tensor) -> tf.Tensor:
        """The same for encoded frames, which are large: only those that are wanted are copied, and once.

        What was left and the episode are wanted whole and in order: they need no gather.
        """
        rest, episode, *other = (source["frames"] for source in sources)
        if rest.shape[1] == 0:  # No images.
            return tf.zeros([tf.size(index), 0], tf.string)
        ends = tf.unstack(tf.cumsum([tf.shape(frames)[0] for frames in (rest, episode, *other)]))
        bounds = zip([0, *ends], [*ends, tf.int32.max], strict=True)
        places = [tf.cast(tf.where((begin <= index) & (index < end))[:, 0], tf.int32) for begin, end in bounds]
        parts = [rest, episode, *(tf.gather(frames, tf.gather(index, places[2]) - ends[1]) for frames in other)]
        parts.append(tf.fill([tf.size(places[-1]), rest.shape[1]], ""))
        return tf.dynamic_stitch(places, parts)

    def emit(self, steps: dict[str, tf.Tensor]) -> tf.data.Dataset:
        """Windows of places from the timesteps of full ones."""
        layout, size = self.layout, self.layout.length * self.steps
        tokens, targets = (tf.reshape(steps[name], [-1, size]) for name in ("tokens", "targets"))
        valid = tokens >= 0
        loss = tf.tile(tf.constant(layout.loss_mask, tf.int32), [self.steps])
        if not self.prompts.loss:
            loss = tf.where(tf.repeat(steps["is_prompt"], layout.length, axis=1), 0, loss)
        kinds = tf.tile(tf.constant(layout.token_type), [self.steps])
        position = tf.tile(tf.constant(layout.observation_position), [self.steps])
        tokens += tf.constant(_patch_references(layout, self.steps, self.shape.frame_patches))
        rows = [tokens, targets, *(tf.broadcast_to(row, tf.shape(tokens)) for row in (kinds, position, loss))]
        places = tf.stack([tf.where(valid, row, 0) for row in rows], axis=1)
        place = steps["within"][..., None] * layout.length + tf.range(layout.length)
        frames = tf.reshape(steps["frames"], [tf.shape(tokens)[0], self.steps * steps["frames"].shape[-1]])
        return self.shape.emit(places, frames, tf.reshape(place, [-1, size]))


def _patch_references(layout: TimestepLayout, steps: int, frame_patches: int) -> Any:
    """Per place of the window: frame x frame_patches + patch where a patch stands, else 0."""
    step = np.zeros(layout.length, np.int32)
    images = [place for place in layout.places if layout.token_type[place.start] == TokenType.PATCH]
    for number, place in enumerate(images):
        step[place.slice] = number * frame_patches + np.arange(place.size)
    offset = (layout.token_type == TokenType.PATCH) * frame_patches * len(images)
    return np.concatenate([step + index * offset for index in range(steps)]).astype(np.int32)
