"""What N environments remember on the device, and the compiled calls that read and write it.

Rows are independent: each has its own length, and nothing here depends on the others'. A call has one static shape for
all of them. A row's keys and values stand one place behind their position (place 0 is never seen), because the last
action token of a timestep is read in together with the next observation: one pass of the network less for each step.

Dimensions: N rows, W timesteps of a window, L places of a timestep, n of them up to the separator, A action places,
T = W * L, D width, K timesteps of a piece.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Int32

from data_pipelines.vocabulary import TokenType, Vocabulary
from gato_jax.agent.choose import Legal, Rule, choose, row_keys
from gato_jax.config import ModelConfig
from gato_jax.model.gato import Gato, bind
from gato_jax.model.places import Places
from gato_jax.model.transformer import KeyValues


@dataclasses.dataclass(frozen=True)
class Network:
    """Which network is compiled."""

    config: ModelConfig
    vocabulary: Vocabulary

    def bind(self, parameters: Any) -> Gato:
        return bind(self.config, self.vocabulary, parameters)


@dataclasses.dataclass(frozen=True)
class Window:
    """The shape of what is remembered.

    Args:
      timesteps: W, the current one included; 1 = nothing is remembered.
      length: L.
      slides: whether the oldest timestep leaves at every step, its successors' keys and values staying what they were
        (Transformer-XL's memory), or whole parts of the window are read in anew.
    """

    timesteps: int
    length: int
    slides: bool = False

    @property
    def places(self) -> int:
        return self.timesteps * self.length


class Memory(NamedTuple):
    """Keys and values of every block [N, heads, T, size]; which places are no padding; which rows are finite."""

    blocks: tuple[KeyValues, ...]
    seen: Bool[Array, "envs places"]
    sound: Bool[Array, " envs"]


class Timesteps(NamedTuple):
    """Embeddings of the timesteps in view, without positions, in slots: what is read in anew when the window moves."""

    embedded: Float[Array, "envs timesteps length width"]
    seen: Bool[Array, "envs timesteps length"]


class Rows(NamedTuple):
    """Where the rows are, in NumPy.

    Args:
      length: timesteps that each row remembers; under `Window.slides`, that it has seen.
      slot: where its current timestep goes.
      last: where its last one is.
      seed, step: of what it draws.
    """

    length: Int[Array, " envs"]
    slot: Int[Array, " envs"]
    last: Int[Array, " envs"]
    seed: Int[Array, " envs"]
    step: Int[Array, " envs"]


@functools.partial(jax.jit, static_argnames=("network", "window", "rows"))
def new_memory(parameters: Any, *, network: Network, window: Window, rows: int) -> tuple[Memory, Timesteps]:
    """Nothing remembered."""
    config = network.config
    dtype = network.bind(parameters).embedding.tokens[...].dtype
    shape = (rows, config.heads, window.places, config.head_size)
    blocks = tuple(KeyValues(jnp.zeros(shape, dtype), jnp.zeros(shape, dtype)) for _ in range(config.layers))
    memory = Memory(blocks, jnp.zeros((rows, window.places), bool), jnp.ones(rows, bool))
    slots = (rows, window.timesteps, window.length)
    return memory, Timesteps(jnp.zeros((*slots, config.width), dtype), jnp.zeros(slots, bool))


@functools.partial(jax.jit, static_argnames=("network", "count"))
def new_distances(parameters: Any, *, network: Network, count: int) -> list[Array | None]:
    """What attention needs of the distances below `count`, for every block."""
    return network.bind(parameters).distances(count)


@functools.partial(jax.jit, static_argnames=("network", "window", "rule", "reach"), donate_argnums=(2, 3))
def act(
    parameters: Any,
    distances: Sequence[Array | None],
    memory: Memory | None,
    timesteps: Timesteps | None,
    fields: Mapping[str, Array],
    action_position: Int[Array, " actions"],
    rows: Rows,
    legal: Legal,
    *,
    network: Network,
    window: Window,
    rule: Rule,
    reach: int,
) -> tuple[Int32[Array, "envs actions"], Float[Array, "envs actions ids"], Memory | None, Timesteps | None]:
    """Reads one observation of every row, decodes its action, and remembers both.

    Args:
      memory, timesteps: None where the window holds one timestep.
      fields: the model's inputs up to the separator, without positions; [N, n].
      action_position: local position of each action place, 0 = none.
      reach: slots of the memory that are looked at; all rows' timesteps lie in them.

    Returns:
      Action ids, -1 throughout for rows whose scores are not finite; the scores of ids [rule.low, rule.high) at every
      action place; and what is remembered.
    """
    model = network.bind(parameters)
    content = model.embedding([fields], keys=[None], positions=False).reshape(*fields["tokens"].shape, -1)
    seen = (fields["token_type"] != TokenType.PADDING) & (fields["segment_ids"] > 0)
    first, lead = rows.length * window.length, 0
    chunk, chunk_seen = content, seen
    if timesteps is not None:
        last = jax.vmap(lambda slots, slot: slots[slot, -1])(timesteps.embedded, rows.last)
        chunk = jnp.concatenate([last[:, None], content], axis=1)
        chunk_seen = jnp.concatenate([rows.length[:, None] > 0, seen], axis=1)
        first, lead = first - 1, 1
    actions = action_position.shape[0]
    pending = jnp.ones((len(seen), actions - 1), bool)
    now = _Now.of(model, memory, rows.length, first, jnp.concatenate([chunk_seen, pending], axis=1), window, reach)
    keys = row_keys(rows.seed, rows.step)

    def pick(hidden: Array, place: Array) -> tuple[Array, Array, Array]:
        logits = model.logits_of(hidden, rule.low, rule.high)
        return (*choose(logits, place, legal, keys, rule), logits)

    def body(carry: tuple[Array, Any], place: Array) -> tuple[tuple[Array, Any], tuple[Array, Array, Array]]:
        hidden, recent = carry
        picked = pick(hidden, place)
        x = _embed_actions(model, picked[0][:, None], action_position[place][None])
        hidden, recent = now.read(x, recent, lead + content.shape[1] + place, distances)
        return (hidden[:, 0], recent), picked

    hidden, recent = now.read(chunk, now.empty(), jnp.int32(0), distances)
    places = jnp.arange(actions - 1, dtype=jnp.int32)
    (hidden, recent), picked = jax.lax.scan(body, (hidden[:, -1], recent), places)
    picked = jax.tree.map(lambda a, b: jnp.concatenate([a, b[None]]), picked, pick(hidden, jnp.int32(actions - 1)))
    tokens, finite, logits = picked[0].T, picked[1].all(axis=0), picked[2].transpose(1, 0, 2)
    if memory is not None and timesteps is not None:
        finite &= memory.sound | (rows.length == 0)
        at = rows.length % window.timesteps * window.length
        memory = _write(memory, recent, now.seen, finite, at)
        made = _embed_actions(model, tokens, action_position)
        whole = jnp.concatenate([content, made], axis=1)
        whole = jnp.where(finite[:, None, None], whole, 0)
        seen = jnp.concatenate([seen, jnp.ones_like(tokens, bool)], axis=1)
        put = jax.vmap(lambda slots, slot, value: slots.at[slot].set(value))
        pairs = zip(timesteps, (whole, seen), strict=True)
        timesteps = Timesteps(*(put(slots, rows.slot, value) for slots, value in pairs))
    return jnp.where(finite[:, None], tokens, -1), logits, memory, timesteps


@functools.partial(jax.jit, static_argnames=("network", "window", "reach"), donate_argnums=2)
def fill(
    parameters: Any,
    distances: Sequence[Array | None],
    memory: Memory,
    timesteps: Timesteps,
    slots: Int[Array, "envs piece"],
    filled: Int[Array, " envs"],
    *,
    network: Network,
    window: Window,
    reach: int,
) -> Memory:
    """Reads K timesteps from their slots into a memory of which each row has `filled` timesteps."""
    model = network.bind(parameters)
    x, seen = (_take(array, slots) for array in timesteps)
    now = _Now.of(model, memory, filled, filled * window.length, seen, window, reach)
    # The first place that is written is that of the last token of the timesteps before, which is there already.
    recent = now.read(x, now.empty(), jnp.int32(0), distances)[1]
    sound = memory.sound | (filled == 0)
    return _write(memory, recent, seen, sound & _finite(recent), filled * window.length + 1)


@functools.partial(jax.jit, static_argnames=("network", "window"), donate_argnums=(2, 3))
def read_prompts(
    parameters: Any,
    distances: Sequence[Array | None],
    memory: Memory,
    timesteps: Timesteps,
    fields: Mapping[str, Array],
    rows: Int[Array, " some"],
    *,
    network: Network,
    window: Window,
) -> tuple[Memory, Timesteps]:
    """Whole timesteps of some rows into their first slots: `fields` [M, P * L], without positions."""
    model = network.bind(parameters)
    count = fields["tokens"].shape[0]
    content = model.embedding([fields], keys=[None], positions=False).reshape(*fields["tokens"].shape, -1)
    seen = (fields["token_type"] != TokenType.PADDING) & (fields["segment_ids"] > 0)
    nothing = jnp.zeros(count, jnp.int32)
    now = _Now.of(model, None, nothing, nothing, seen, window, 0)
    recent = now.read(content, now.empty(), jnp.int32(0), distances)[1]
    finite = _finite(recent)
    part = jax.tree.map(lambda leaf: leaf[rows], memory)
    part = _write(part, recent, seen, finite, nothing + 1)
    whole = jnp.where(finite[:, None, None], content, 0)
    cut = (count, -1, window.length)
    steps = Timesteps(whole.reshape(*cut, content.shape[-1]), seen.reshape(cut))
    prompt = steps.seen.shape[1]
    return (
        jax.tree.map(lambda whole, some: whole.at[rows].set(some), memory, part),
        Timesteps(*(a.at[rows, :prompt].set(b) for a, b in zip(timesteps, steps, strict=True))),
    )


@functools.partial(jax.jit, static_argnames=("places",), donate_argnums=0)
def take_over(
    memory: Memory, ahead: Memory, rows: Int[Array, " envs"], count: Int[Array, ""], *, places: int
) -> Memory:
    """`memory` with the first places of the first `count` of `rows` as they are in the one that was filled ahead."""

    def one(index: Array, memory: Memory) -> Memory:
        row = rows[index]

        def copy(to: Array, other: Array, *shape: int) -> Array:
            start = (row, *[jnp.int32(0)] * len(shape))
            return jax.lax.dynamic_update_slice(to, jax.lax.dynamic_slice(other, start, (1, *shape)), start)

        def block(to: Array, other: Array) -> Array:
            return copy(to, other, to.shape[1], places, to.shape[3])

        blocks = jax.tree.map(block, memory.blocks, ahead.blocks)
        return Memory(blocks, copy(memory.seen, ahead.seen, places), copy(memory.sound, ahead.sound))

    return jax.lax.fori_loop(0, count, one, memory)


@dataclasses.dataclass(frozen=True)
class _Now:
    """One call's own places, which begin at `first` in each row's sequence, and the older keys that they see."""

    model: Gato
    older: tuple[KeyValues, ...]
    older_seen: Bool[Array, "envs older"]
    older_index: Int[Array, "envs older"]
    first: Int[Array, " envs"]
    seen: Bool[Array, "envs recent"]

    @classmethod
    def of(
        cls, model: Gato, memory: Memory | None, length: Array, first: Array, seen: Array, window: Window, reach: int
    ) -> "_Now":
        """`seen`: which of the call's own places are no padding."""
        cut = reach * window.length if memory is not None else 0
        index = _older_index(length, window)[:, :cut]
        older: tuple[KeyValues, ...] = ()
        is_seen = jnp.zeros((len(seen), 0), bool)
        if memory is not None and cut:
            older = tuple(KeyValues(*(array[:, :, :cut] for array in block)) for block in memory.blocks)
            oldest = jnp.maximum(0, length - window.timesteps + 1) * window.length
            is_seen = memory.seen[:, :cut] & (index < first[:, None]) & (index >= oldest[:, None])
        return cls(model, older, is_seen, index, first, seen)

    def empty(self) -> list[KeyValues]:
        config, (rows, room) = self.model.config, self.seen.shape
        zeros = jnp.zeros((rows, config.heads, room, config.head_size), self.model.embedding.tokens[...].dtype)
        return [KeyValues(zeros, zeros)] * config.layers

    def read(
        self, x: Float[Array, "envs some width"], recent: list[KeyValues], offset: Array, distances: Sequence[Any]
    ) -> tuple[Array, list[KeyValues]]:
        """Outputs of embedded places without positions, and what is remembered of them."""
        rows, count, width = x.shape
        index = self.first[:, None] + offset + jnp.arange(count, dtype=jnp.int32)[None]
        own = self.first[:, None] + jnp.arange(self.seen.shape[1], dtype=jnp.int32)[None]
        places = Places(
            query_index=index,
            query_segments=jnp.ones_like(index),
            query_positions=index,
            key_segments=jnp.concatenate([self.older_seen, self.seen], axis=1).astype(jnp.int32),
            key_index=jnp.concatenate([self.older_index, own], axis=1),
        )
        flat = self.model.embedding.place(x.reshape(rows * count, width), index.reshape(-1))
        # No distance is longer than what is looked at.
        near = [None if table is None else table[:, : places.keys] for table in distances]
        return self.model.recall(flat, self.older, recent, offset, places, near)


def _older_index(length: Array, window: Window) -> Int[Array, "envs places"]:
    """Position of what lies at each place of the memory: one less than its place, as if it had never been written over
    where the window slides; negative where there was nothing yet."""
    slot = jnp.arange(window.timesteps, dtype=jnp.int32)[None]
    timestep = jnp.broadcast_to(slot, (len(length), window.timesteps))
    if window.slides:
        last = length[:, None] - 1
        timestep = last - (last - slot) % window.timesteps
    place = jnp.arange(window.length, dtype=jnp.int32)[None, None]
    return (timestep[:, :, None] * window.length + place - 1).reshape(len(length), -1)


def _write(memory: Memory, recent: Sequence[KeyValues], seen: Array, sound: Array, at: Array) -> Memory:
    """With the call's own places at the places `at` of each row; zeros in rows that are not sound, whose numbers would
    otherwise reach later episodes: 0 times nan is nan."""

    def put(row: Array, new: Array, start: Array) -> Array:
        axis = row.ndim - 2 if row.ndim > 1 else 0
        return jax.lax.dynamic_update_slice_in_dim(row, new.astype(row.dtype), start, axis)

    clean = lambda array: jnp.where(sound[:, None, None, None], array, 0)  # noqa: E731
    blocks = tuple(
        KeyValues(*(jax.vmap(put)(a, clean(b), at) for a, b in zip(old, new, strict=True)))
        for old, new in zip(memory.blocks, recent, strict=True)
    )
    return Memory(blocks, jax.vmap(put)(memory.seen, seen, at), sound)


def _finite(recent: Sequence[KeyValues]) -> Bool[Array, " envs"]:
    return jnp.stack([jnp.isfinite(a).all(axis=(1, 2, 3)) for block in recent for a in block]).all(axis=0)


def _take(slots: Array, chosen: Int[Array, "envs piece"]) -> Array:
    """Timesteps of each row, [N, W, L, ...] -> [N, K * L, ...]."""
    rows, count, length, *rest = slots.shape
    flat = slots.reshape(rows, count, -1)
    taken = jnp.take_along_axis(flat, chosen[:, :, None], axis=1)
    return taken.reshape(rows, chosen.shape[1] * length, *rest)


def _embed_actions(model: Gato, tokens: Int[Array, "envs some"], local: Int[Array, " some"]) -> Array:
    """Embeddings of action tokens without positions, [N, some, D]."""
    ones = jnp.ones_like(tokens)
    fields = {
        "tokens": tokens,
        "token_type": ones * int(TokenType.ACTION),
        "observation_position": ones * local[None],
    }
    return model.embedding([fields], keys=[None], positions=False).reshape(*tokens.shape, -1)
