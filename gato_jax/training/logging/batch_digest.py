"""Digests of rows, and of a global batch: the same on any number of hosts."""

import hashlib
from collections.abc import Mapping

import jax
import numpy as np
from jax.experimental import multihost_utils
from jaxtyping import UInt8

from data_pipelines.schema import Batch

SIZE = 16


def row_digests(rows: Batch) -> UInt8[np.ndarray, "rows 16"]:
    """BLAKE2 of each row: names, dtypes, shapes and values of its fields."""
    fields = [(name, np.ascontiguousarray(rows[name])) for name in sorted(rows)]
    header = "".join(f"{name}/{value.dtype.str}/{value.shape[1:]}" for name, value in fields).encode()
    digests = np.empty((len(fields[0][1]), SIZE), np.uint8)
    for row in range(len(digests)):
        digest = hashlib.blake2b(header, digest_size=SIZE)
        for _, value in fields:
            digest.update(value[row].tobytes())
        digests[row] = np.frombuffer(digest.digest(), np.uint8)
    return digests


def hash_batches(batches: Mapping[str, Batch]) -> str:
    """A digest of the global batch in the order of its rows, from each host's rows. All hosts have to call it."""
    digest = hashlib.sha256()
    for group in sorted(batches):
        digests = row_digests(batches[group])
        if jax.process_count() > 1:
            with jax.transfer_guard("allow"):
                digests = np.asarray(multihost_utils.process_allgather(digests))
        digest.update(group.encode() + digests.tobytes())
    return digest.hexdigest()
