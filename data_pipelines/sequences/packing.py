"""Packing sequences of a task into windows of a fixed number of units, without a gap and without a unit lost.

A unit is a timestep, or a token of text. What does not fill a window waits for the next episode or document, so every
unit of the data is dealt exactly once a pass and every window but the last is full.
"""

from typing import NamedTuple

import tensorflow as tf


class Cut(NamedTuple):
    """A run of units cut to fit windows: the pieces' units one after another.

    Args:
      unit: index into the run for a unit of its own, or into the prompt's episode for a unit of a prompt, int32 [n].
      is_prompt: bool [n].
      within: place inside its piece, from 0, int32 [n].
    """

    unit: tf.Tensor
    is_prompt: tf.Tensor
    within: tf.Tensor


class Prompts(NamedTuple):
    """Draws for the prompts of a run's pieces; piece j takes the j-th of each.

    Args:
      chosen: whether the piece is to begin with a prompt, bool [pieces].
      place: where in the other episode the prompt lies, as a number that `last_start + 1` divides, int32 [pieces];
        negative = at its end.
      wanted: longest prompt.
      length: units of the other episode.
    """

    chosen: tf.Tensor
    place: tf.Tensor
    wanted: int
    length: tf.Tensor


def most_pieces(length: tf.Tensor, window: int, wanted: int = 0) -> tf.Tensor:
    """A bound on the pieces of a run, when each may begin with a prompt of at most `wanted` units."""
    return length // max(1, window - min(wanted, window // 2)) + 2


def cut(length: tf.Tensor, filled: tf.Tensor, window: int, prompts: Prompts | None = None) -> Cut:
    """Cuts a run of `length` units into pieces: the first fills what is left of a window, the next whole windows.

    A prompt shares its piece's place in the window: at most half of it, and never more than the units it introduces.

    Args:
      length: units of the run, scalar.
      filled: units that the open window holds already, in [0, window).
      window: units of a window.
      prompts: draws of `most_pieces` pieces, or None.
    """
    piece = tf.range(tf.size(prompts.chosen) if prompts else most_pieces(length, window))
    room = tf.where(piece == 0, window - filled, window)
    prompt = tf.zeros_like(room)
    if prompts:
        prompt = tf.where(prompts.chosen, tf.minimum(tf.minimum(prompts.wanted, room // 2), prompts.length), 0)
    start = tf.cumsum(room - prompt, exclusive=True)
    own = tf.clip_by_value(length - start, 0, room - prompt)
    prompt = tf.minimum(prompt, own)
    size = prompt + own
    index = tf.repeat(piece, size)
    within = tf.range(tf.reduce_sum(size)) - tf.repeat(tf.cumsum(size, exclusive=True), size)
    of_piece = tf.gather(prompt, index)
    is_prompt = within < of_piece
    unit = tf.gather(start, index) + within - of_piece
    if prompts:
        last_start = prompts.length - prompt
        from_end = prompts.place < 0
        prompt_start = tf.where(from_end, last_start, tf.where(from_end, 0, prompts.place) % (last_start + 1))
        unit = tf.where(is_prompt, tf.gather(prompt_start, index) + within, unit)
    return Cut(unit, is_prompt, within)
