"""The model as functions of (weights by file name, inputs): what compiled formats hold."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from data_pipelines.schema import PATCH_VALUES
from gato_jax.config import Experiment
from gato_jax.export.names import TABLE, tensors_of, unflatten, unrolled
from gato_jax.model.gato import INPUTS, PATCH_INPUTS, Cache, Gato, KeyValues, bind
from gato_jax.model.transformer import Transformer

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
        from data_pipelines.schema import RowGroup

        model = self._bind(weights)
        group = RowGroup(("export",), segment_length=inputs["tokens"].shape[1], patches=inputs["patches"].shape[1])
        return self._scores(model, model.hidden(inputs, group=group))

    def _bind(self, weights: Mapping[str, Array]) -> Gato:
        extra = self.vocabulary.padded_size - self.vocabulary.size
        padded = {name: jnp.pad(leaf, [(0, extra), (0, 0)]) if name == TABLE else leaf for name, leaf in weights.items()}
        return bind(self.model, self.vocabulary, unflatten({n.replace(".", "/"): leaf for n, leaf in padded.items()}))

    def _scores(self, model: Gato, hidden: Array) -> Array:
        return model.logits(hidden)[..., : self.vocabulary.size]
