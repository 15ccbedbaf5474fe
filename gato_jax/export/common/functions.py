"""The model as functions of (weights by file name, inputs): what compiled formats hold."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from data_pipelines.schema import PATCH_VALUES
from gato_jax.config import Execution, Experiment, Kernel
from gato_jax.model.gato import INPUTS, PATCH_INPUTS, Cache, Gato, KeyValues, bind
from gato_jax.weights.tensor_names import tensors_of, unflatten, unrolled

CacheTree = dict[str, Any]
"""{"keys", "values": [layers, batch, heads, length, size], "segments": [batch, length], "size": []}."""


class Functions:
    """Prefill, extend and decode of one experiment's network.

    Args:
      experiment: whose network.
      length: places that a cache holds.
      dtype: of the weights.
    """

    def __init__(self, experiment: Experiment, *, length: int, dtype: str = "float32"):
        self.model, self.length = unrolled(experiment.model), length
        self.vocabulary = experiment.data.tokens.vocabulary
        self.dtype = jnp.dtype(dtype)

    def weights(self) -> dict[str, jax.ShapeDtypeStruct]:
        """Shapes of the weights by their names in the file."""
        return {t.name: jax.ShapeDtypeStruct(t.shape, self.dtype) for t in tensors_of(self.model, self.vocabulary)}

    def logits(self, weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> Float[Array, "batch n vocab"]:
        """Scores behind each place of rows, which may hold several sequences; no cache."""
        return self._bind(weights)(inputs)

    def _bind(self, weights: Mapping[str, Array]) -> Gato:
        # The table as files have it: padding it would copy it, at 1.18B a twentieth of all weights.
        leaves = {name.replace(".", "/"): leaf for name, leaf in weights.items()}
        # Plain JAX, which every platform compiles.
        plain = Execution(attention=Kernel.REFERENCE)
        return bind(self.model, self.vocabulary, unflatten(leaves), execution=plain)

    def prefill(self, weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> tuple[Array, CacheTree]:
        """Scores behind each place of the first places of a sequence, and a cache that holds them."""
        model = self._bind(weights)
        cache = model.init_cache(inputs["tokens"].shape[0], self.length)
        return self._extend(model, cache, inputs)

    def extend(
        self, weights: Mapping[str, Array], cache: CacheTree, inputs: Mapping[str, Array]
    ) -> tuple[Array, CacheTree]:
        """The same for places behind those that a cache holds."""
        blocks = tuple(KeyValues(cache["keys"][i], cache["values"][i]) for i in range(self.model.layers))
        return self._extend(self._bind(weights), Cache(blocks, cache["segments"], cache["size"]), inputs)

    def _extend(self, model: Gato, cache: Cache, inputs: Mapping[str, Array]) -> tuple[Array, CacheTree]:
        hidden, cache = model.extend(inputs, cache)
        tree = {
            "keys": jnp.stack([block.keys for block in cache.blocks]),
            "values": jnp.stack([block.values for block in cache.blocks]),
            "segments": cache.key_segments,
            "size": cache.size,
        }
        return model.logits(hidden), tree

    def inputs(self, batch: Any, places: Any, patches: Any = None) -> dict[str, jax.ShapeDtypeStruct]:
        """Shapes of the inputs, whose sizes may be symbols; without patch fields where `patches` is None."""
        shapes = {name: jax.ShapeDtypeStruct((batch, places), jnp.int32) for name in INPUTS}
        if patches is not None:
            kinds = ((PATCH_VALUES,), jnp.uint8), ((), jnp.int32), ((4,), jnp.int32)
            for name, (extra, dtype) in zip(PATCH_INPUTS, kinds, strict=True):
                shapes[name] = jax.ShapeDtypeStruct((batch, patches, *extra), dtype)
        return shapes

    def cache(self, batch: Any) -> dict[str, jax.ShapeDtypeStruct]:
        """Shapes of a cache."""
        model = self.model
        shape = (model.layers, batch, model.heads, self.length, model.head_size)
        return {
            "keys": jax.ShapeDtypeStruct(shape, self.dtype),
            "values": jax.ShapeDtypeStruct(shape, self.dtype),
            "segments": jax.ShapeDtypeStruct((batch, self.length), jnp.int32),
            "size": jax.ShapeDtypeStruct((), jnp.int32),
        }
