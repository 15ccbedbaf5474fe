"""What cached decoding is compared with: the model over the whole sequence, without a cache."""

import functools

import jax
import numpy as np

from gato_jax.model.gato import INPUTS, bind


def pad(fields, length):
    """The fields with padding behind them, up to `length` places."""
    missing = length - fields["tokens"].shape[1]
    padded = {name: np.pad(fields[name], [(0, 0), (0, missing)]) for name in INPUTS}
    return {**fields, **padded}


@functools.partial(jax.jit, static_argnames=("config", "vocabulary"))
def recompute(parameters, fields, *, config, vocabulary):
    """Logits [rows, places, vocabulary] at every place."""
    return bind(config, vocabulary, parameters)(fields)
