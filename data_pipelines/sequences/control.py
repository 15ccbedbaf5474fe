"""From control episodes to segments of S places (Gato, section 2.3)."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from data_pipelines.sequences.numbering import numbered
from data_pipelines.sequences.packing import Prompts, cut, most_pieces
from data_pipelines.sequences.windows import SegmentFormat, fold, in_turn, uniform
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


def tokenize_episodes(
    dataset: tf.data.Dataset, *, layout: TimestepLayout, text: TfTextTokenizer | None
) -> tf.data.Dataset:
    """RLDS episodes to {tokens, targets [T, length], frames [T, images], example_id}, without the dummy last step.

    Values that cannot become tokens fail an assertion that names the episode by its number (`explain_failures`).
    """

    def tokenize(episode: dict[str, Any]) -> dict[str, tf.Tensor]:
        steps = tf.nest.map_structure(lambda values: values[:-1], episode["steps"])
        number = episode["example_id"]
        return {**encode_episode(layout, steps, text, episode=number), "example_id": number}

    return dataset.map(tokenize)


def with_partner(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Pairs each episode with the latest different one that came before it; the very first is only a partner."""
    nothing = {**_empty(dataset), "example_id": tf.constant(-1, tf.int64)}

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
    pack: bool = True,
) -> tf.data.Dataset:
    """Tokenised episodes to segments {places [6, S], frames [F], task_id}, those of several episodes interleaved.

    An episode fills what is left of a window and then windows of its own (`pack`), so no timestep is lost; or its last
    window is padded. Training starts at a random step of the first episode, so that windows begin at any step, also
    where all episodes are equally long. Without a seed (validation) all is in the order of the files.
    """
    steps = shape.length // layout.length
    prompted = prompts.share > 0 and seed is not None
    windows = _Windows(layout, shape, steps, prompts, pack)
    if prompted:
        pairs = with_partner(dataset)
    else:
        pairs = dataset.map(lambda episode: (episode, {}))
        if seed is None and pack:
            pairs = pairs.concatenate(tf.data.Dataset.from_tensors((_empty(dataset), {})))
    nothing = {name: leaf for name, leaf in _empty(dataset).items() if name != "example_id"}
    nothing |= {"is_prompt": tf.zeros([0], tf.bool), "within": tf.zeros([0], tf.int32)}

    def fill(rest: dict, numbered: tuple[tf.Tensor, tuple[dict, dict]]) -> tuple[dict, dict]:
        index, (episode, partner) = numbered
        return windows.fill(rest, episode, partner or None, None if seed is None else tf.stack([seed, index]))

    filled = numbered(pairs).scan(nothing, fill)
    return in_turn(filled, windows.emit, seed=seed, at_a_time=interleaved)


def _empty(dataset: tf.data.Dataset) -> dict[str, tf.Tensor]:
    """An episode of no timesteps."""
    return {
        name: tf.zeros([0 if size is None else size for size in leaf.shape], leaf.dtype)
        for name, leaf in dataset.element_spec.items()
    }


@dataclasses.dataclass(frozen=True)
class _Windows:
    """Fills windows of `steps` timesteps, episode after episode."""

    layout: TimestepLayout
    shape: SegmentFormat
    steps: int
    prompts: PromptConfig
    pack: bool

    def fill(
        self, rest: dict, episode: dict, partner: dict | None, key: tf.Tensor | None
    ) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """What is left for the next window, and the timesteps [count, steps, ...] of the windows that are full."""
        begin, length = tf.shape(rest["tokens"])[0], tf.shape(episode["tokens"])[0]
        if self.steps == 1:  # Nothing to cut or to share, which saves half of the pipeline's start.
            full = {name: episode[name][:, None] for name in ("tokens", "targets", "frames")}
            nothing = tf.zeros([length, 1], tf.int32)
            return rest, {**full, "is_prompt": nothing > 0, "within": nothing}
        sources = [rest, episode] if partner is None else [rest, episode, partner]
        skip = 0 if key is None else self._skip(length, key)
        pieces = cut(length - skip, begin, self.steps, self._draws(partner, length, key))
        own = begin + skip + pieces.unit
        unit = own if partner is None else tf.where(pieces.is_prompt, begin + length + pieces.unit, own)
        filled = begin + tf.size(unit)
        # Validation's last, empty episode fills the open window up with padding.
        close = -filled % self.steps * (1 if not self.pack else tf.cast(length == 0, tf.int32))
        past = sum(tf.shape(source["tokens"])[0] for source in sources)
        index = tf.concat([tf.range(begin), unit, tf.fill([close], past)], axis=0)
        within = [rest["within"], pieces.within, filled % self.steps + tf.range(close)]
        is_prompt = [rest["is_prompt"], pieces.is_prompt, tf.zeros([close], tf.bool)]
        steps = {name: self._gather(sources, name, index) for name in ("tokens", "targets")}
        steps["frames"] = self._gather_frames(sources, index, skip)
        steps |= {"is_prompt": tf.concat(is_prompt, axis=0), "within": tf.concat(within, axis=0)}
        whole = tf.size(index) // self.steps
        full = {
            name: tf.reshape(values[: whole * self.steps], [whole, self.steps, *values.shape[1:]])
            for name, values in steps.items()
        }
        return {name: values[whole * self.steps :] for name, values in steps.items()}, full

    def _skip(self, length: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        """Timesteps left out so that windows begin anywhere: of the first episode, or of each when none share one."""
        if self.pack:
            return tf.where(key[1] == 0, uniform(key, 0, [], tf.minimum(self.steps, length + 1)), 0)
        return uniform(key, 0, [], tf.minimum(self.steps, tf.maximum(length - self.steps, 0) + 1))

    def _gather(self, sources: list[dict], name: str, index: tf.Tensor) -> tf.Tensor:
        """Timesteps of the sources one after another; past their end is padding."""
        values = [source[name] for source in sources]
        padding = tf.fill([1, values[0].shape[1]], -1)
        return tf.gather(tf.concat([*values, padding], axis=0), index)

    def _gather_frames(self, sources: list[dict], index: tf.Tensor, skip: tf.Tensor | int) -> tf.Tensor:
        """The same for encoded frames, which are large: only those that are wanted are copied, and once.

        What was left and the episode (but for `skip` timesteps) are wanted whole and in order: they need no gather.
        """
        rest, episode, *partner = (source["frames"] for source in sources)
        if rest.shape[1] == 0:  # No images.
            return tf.zeros([tf.size(index), 0], tf.string)
        ends = tf.unstack(tf.cumsum([tf.shape(frames)[0] for frames in (rest, episode, *partner)]))
        bounds = zip([0, *ends], [*ends, tf.int32.max], strict=True)
        places = [tf.cast(tf.where((begin <= index) & (index < end))[:, 0], tf.int32) for begin, end in bounds]
        parts = [rest, episode[skip:]]
        parts += [tf.gather(frames, tf.gather(index, places[2]) - ends[1]) for frames in partner]
        parts.append(tf.fill([tf.size(places[-1]), rest.shape[1]], ""))
        return tf.dynamic_stitch(places, parts)

    def _draws(self, partner: dict | None, length: tf.Tensor, key: tf.Tensor | None) -> Prompts | None:
        if partner is None:
            return None
        assert key is not None  # There are no prompts in validation.
        wanted = self.prompts.timesteps or self.steps // 2
        pieces = most_pieces(length, self.steps, wanted)
        chosen, from_end = (
            tf.random.stateless_uniform([pieces], fold(key, number)) < share
            for number, share in ((1, self.prompts.share), (2, self.prompts.end_share))
        )
        place = tf.where(from_end, -1, uniform(key, 3, [pieces], tf.constant(2**30)))
        return Prompts(chosen, place, wanted, tf.shape(partner["tokens"])[0])

    def emit(self, steps: dict[str, tf.Tensor]) -> tf.data.Dataset:
        """Segments from the timesteps of full windows."""
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
