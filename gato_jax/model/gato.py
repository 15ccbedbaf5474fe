"""Gato: one decoder over text, images, buttons and torques (Reed et al. 2022).

Dimensions: B rows of a batch, K windows of a row, S places of a window, L = K * S, N = B * K folded windows,
T places of a window that predict a loss place, D width.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int

from data_pipelines.schema import RowGroup
from data_pipelines.vocabulary import TokenType, Vocabulary
from gato_jax import sharding
from gato_jax.config import PLAIN, Execution, ModelConfig
from gato_jax.model.embedding import Embedding
from gato_jax.model.places import JointPlaces, Places
from gato_jax.model.positions import scheme_of
from gato_jax.model.targets import TargetHidden, Targets
from gato_jax.model.transformer import KeyValues, Transformer

INPUTS = ("tokens", "token_type", "observation_position", "positions", "segment_ids")
PATCH_INPUTS = ("patches", "patch_slot", "patch_interval")


class Cache(NamedTuple):
    """What cached decoding remembers: keys and values of every block, and which places may be seen."""

    blocks: tuple[KeyValues, ...]
    key_segments: Int[Array, "batch length"]
    """1 where a place holds something, 0 where it is padding or not yet written."""
    size: Int[Array, ""]
    """Places written so far, the same in every row."""

    @property
    def length(self) -> int:
        return self.key_segments.shape[1]


class Gato(nnx.Module):
    """The network. Parameters are float32; cast them to compute in another dtype, norms and softmaxes stay float32."""

    def __init__(self, config: ModelConfig, vocabulary: Vocabulary, execution: Execution = PLAIN, *, rngs: nnx.Rngs):
        self.config = config
        self.bf16_logits = execution.bf16_logits
        self.vocabulary_size = vocabulary.size
        self.embedding = Embedding(config, vocabulary, execution, rngs=rngs)
        self.transformer = Transformer(config, execution, rngs=rngs)
        self.whole: Transformer | None = None

    def __call__(
        self, batch: Mapping[str, Array], *, window_length: int | None = None, key: Array | None = None
    ) -> Float[Array, "batch length vocab"]:
        """Logits of what follows each place.

        Args:
          batch: `INPUTS` [batch, length], and `PATCH_INPUTS` where there are pictures, as a stream gives them.
          window_length: places of a window, which are all that a place can see; None = the whole row.
          key: training randomness (patch places, stochastic depth, dropout); None is evaluation.

        Returns:
          One score for each row of the token table, -inf where there is no id.
        """
        rows, length = batch["tokens"].shape
        hidden = self.hidden(batch, window_length=window_length or length, key=key)
        return self.logits(hidden).reshape(rows, length, -1)

    def hidden(
        self, inputs: Mapping[str, Array], *, window_length: int, key: Array | None = None
    ) -> Float[Array, "n s width"]:
        """Normed output of the last block at every place, [B * K, S, D]. Arguments are those of `__call__`."""
        keys = None if key is None else [key]
        x, places, keys = self._embed([inputs], [window_length], keys)
        return self.transformer(x, places, keys=keys, whole=self.whole).reshape(-1, window_length, self.config.width)

    def target_hidden(self, batch: Mapping[str, Array], *, group: RowGroup, key: Array | None = None) -> TargetHidden:
        """As `hidden`, but only at the places whose next place carries loss, at most `group.target_budget` a window.

        Args:
          batch: as `hidden`, with `targets` and `loss_mask` [B, L].
        """
        return self.joint_target_hidden([batch], groups=[group], keys=None if key is None else [key])[0]

    def joint_target_hidden(
        self, batches: Sequence[Mapping[str, Array]], *, groups: Sequence[RowGroup], keys: Sequence[Array] | None = None
    ) -> list[TargetHidden]:
        """`target_hidden` of several row groups in one pass: only attention is done for each group by itself."""
        x, places, keys = self._embed(batches, [group.window_length for group in groups], keys)
        targets = [Targets.of(batch, group) for batch, group in zip(batches, groups, strict=True)]
        # Where every place is chosen, choosing would only stand in the way of the kernels.
        if not all(some.everywhere for some in targets):
            places = dataclasses.replace(places, chosen=tuple(some.chosen for some in targets))
        hidden = self.transformer(x, places, keys=keys, whole=self.whole)
        pieces = jnp.split(hidden, np.cumsum([some.chosen.size for some in targets])[:-1])
        return [some.with_hidden(piece) for some, piece in zip(targets, pieces, strict=True)]

    def logits(self, x: Float[Array, "*places width"]) -> Float[Array, "*places vocab"]:
        """Scores of each row of the token table, `Vocabulary.padded_size` in training; -inf where there is no id."""
        dtype = jnp.bfloat16 if self.bf16_logits else jnp.float32
        return self.embedding.logits(x, size=self.vocabulary_size, dtype=dtype)

    def logits_of(self, x: Float[Array, "*places width"], low: int, high: int) -> Float[Array, "*places ids"]:
        """Scores of the ids [low, high) only, in float32."""
        table = self.embedding.table()[low:high]
        return jax.lax.dot_general(x, table, (((x.ndim - 1,), (1,)), ((), ())), preferred_element_type=jnp.float32)

    def init_cache(self, batch: int, length: int) -> Cache:
        """An empty cache for `batch` sequences of at most `length` places."""
        self._check_length(length, "cache length")
        dtype = self.embedding.tokens[...].dtype
        shape = (batch, self.config.heads, length, self.config.head_size)
        block = KeyValues(jnp.zeros(shape, dtype), jnp.zeros(shape, dtype))
        return Cache((block,) * self.config.layers, jnp.zeros((batch, length), jnp.int32), jnp.zeros((), jnp.int32))

    def extend(self, inputs: Mapping[str, Array], cache: Cache) -> tuple[Float[Array, "batch n width"], Cache]:
        """Appends n places to every row and returns their normed outputs.

        Equal to `hidden` over the whole sequence, as one window. Places of type padding, or with segment id 0, take
        up room but are never seen: rows of unequal length are padded anywhere, with `positions` counting what the
        caller wants counted. Writing past the end of the cache is the caller's error: sizes are traced and cannot be
        checked here.

        Args:
          inputs: `INPUTS` [batch, n], and `PATCH_INPUTS` with slots counted in these n places (n = unused).
        """
        batch, count = inputs["tokens"].shape
        x = self.embedding([inputs], keys=[None])
        is_valid = (inputs["token_type"] != TokenType.PADDING) & (inputs["segment_ids"] > 0)
        segments = jax.lax.dynamic_update_slice(cache.key_segments, is_valid.astype(jnp.int32), (0, cache.size))
        index = cache.size + jnp.arange(count, dtype=jnp.int32)
        places = Places(
            query_index=jnp.broadcast_to(index, (batch, count)),
            query_segments=(inputs["segment_ids"] > 0).astype(jnp.int32),
            query_positions=inputs["positions"],
            key_segments=segments,
        )
        blocks = []
        for layer, memory in enumerate(cache.blocks):
            x, memory = sharding.for_compute(self.transformer.layer(layer)).extend(x, memory, cache.size, places)
            blocks.append(memory)
        x = self.transformer.norm(x).reshape(batch, count, -1)
        return x, Cache(tuple(blocks), segments, cache.size + count)

    def recall(
        self,
        x: Float[Array, "tokens width"],
        older: Sequence[KeyValues],
        recent: Sequence[KeyValues],
        start: Int[Array, ""],
        places: Places,
        distances: Sequence[Array | None],
    ) -> tuple[Float[Array, "batch n width"], list[KeyValues]]:
        """Normed outputs of n embedded places of every row, which see older keys, recent ones and each other.

        Rows may be anywhere in their sequences; `places` says where.

        Args:
          older: keys and values of every block, which stay as they are; empty = none.
          recent: of every block; those of the n places are written into them from `start` on.
          places: of all these keys, the older ones first.
          distances: of every block, as `Attention.distances` gives them.
        """
        written = []
        for layer, memory in enumerate(recent):
            block = self.transformer.layer(layer)
            x, memory = block.recall(x, older[layer : layer + 1], memory, start, places, distances[layer])
            written.append(memory)
        return self.transformer.norm(x).reshape(places.rows, places.queries, -1), written

    def distances(self, length: int) -> list[Array | None]:
        """What `recall` needs of the distances below `length`, for every block."""
        return [self.transformer.layer(layer).attention.distances(length) for layer in range(self.config.layers)]

    def _embed(
        self, inputs: Sequence[Mapping[str, Array]], lengths: Sequence[int], keys: Sequence[Array] | None
    ) -> tuple[Array, JointPlaces, list[Array] | None]:
        """Embeds rows and folds their windows into the batch: [B, K * S] becomes [B * K, S], in the same order."""
        pairs = None if keys is None else [jax.random.split(key) for key in keys]
        patch_keys = [None] * len(inputs) if pairs is None else [pair[0] for pair in pairs]
        x = self.embedding(inputs, keys=patch_keys)
        places = []
        for rows, length in zip(inputs, lengths, strict=True):
            self._check_length(length, "window length")
            places.append(Places.of_segments({name: rows[name].reshape(-1, length) for name in INPUTS[1:]}))
        return x, JointPlaces(tuple(places)), None if pairs is None else [pair[1] for pair in pairs]

    def _check_length(self, length: int, name: str) -> None:
        scheme = scheme_of(self.config)
        if scheme.longest is not None and length > scheme.longest:
            table = f"the rows of the {scheme.title} position table"
            raise ValueError(f"{name} {length} exceeds model.max_length {scheme.longest}, {table}")


@functools.lru_cache(maxsize=16)
def abstract_model(config: ModelConfig, vocabulary: Vocabulary, execution: Execution = PLAIN) -> tuple[Any, nnx.State]:
    """Graph and abstract state (shapes, dtypes, logical axes) of a Gato; allocates nothing."""
    return nnx.split(nnx.eval_shape(lambda: Gato(config, vocabulary, execution, rngs=nnx.Rngs(0))))


def init_parameters(config: ModelConfig, vocabulary: Vocabulary, *, key: Array) -> dict[str, Any]:
    """Fresh parameters as a plain nested dict of float32 arrays."""
    return nnx.to_pure_dict(nnx.state(Gato(config, vocabulary, rngs=nnx.Rngs(key)), nnx.Param))


def bind(
    config: ModelConfig,
    vocabulary: Vocabulary,
    parameters: Mapping[str, Any],
    execution: Execution = PLAIN,
    *,
    whole: Mapping[str, Any] | None = None,
) -> Gato:
    """A Gato with these parameters (a nested dict as `init_parameters` gives). Cheap; works inside `jax.jit`.

    On a mesh, what is not a layer is gathered here; layers are when they run.

    Args:
      whole: the parameters as `gather` gave them, under `Gather.STEP`.
    """
    graph, abstract = abstract_model(config, vocabulary, execution)

    def merge(values: Mapping[str, Any]) -> Gato:
        state = jax.tree.map(lambda variable: variable, abstract)
        nnx.replace_by_pure_dict(state, dict(values))
        return nnx.merge(graph, state)

    model, gathered = merge(parameters), None if whole is None else merge(whole)
    scatter = model.transformer.scatter
    embedding, norm = (None, None) if gathered is None else (gathered.embedding, gathered.transformer.norm)
    model.embedding = sharding.for_compute(model.embedding, embedding, scatter=scatter)
    model.transformer.norm = sharding.for_compute(model.transformer.norm, norm, scatter=scatter)
    model.whole = None if gathered is None else nnx.data(gathered.transformer)
    return model


def gather(config: ModelConfig, vocabulary: Vocabulary, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters laid out for computing, all at once (`Gather.STEP`)."""
    return sharding.gather_once(abstract_model(config, vocabulary)[1], parameters)


def count_parameters(config: ModelConfig, vocabulary: Vocabulary) -> int:
    """Number of weights, without the rows that pad the token table."""
    total = sum(leaf.size for leaf in jax.tree.leaves(abstract_model(config, vocabulary)[1]))
    return total - (vocabulary.padded_size - vocabulary.size) * config.width
