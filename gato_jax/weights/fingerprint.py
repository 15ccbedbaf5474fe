"""A digest that tells weights apart."""

import hashlib

import jax
import numpy as np

from gato_jax.weights.weights import Weights


def fingerprint(weights: Weights) -> str:
    """Digest of the experiment's network and of all parameters: equal weights act equally."""
    digest = hashlib.sha256(repr((weights.experiment.model, weights.experiment.data.tokens)).encode())
    for path, leaf in jax.tree_util.tree_leaves_with_path(weights.parameters):
        digest.update(jax.tree_util.keystr(path).encode())
        digest.update(np.ascontiguousarray(leaf).tobytes())
    return digest.hexdigest()
