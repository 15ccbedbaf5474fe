"""What we use of Orbax, the only importer of it: metadata, trees and single leaves of one checkpoint, and saving it.

No call deletes or lists anything beside the checkpoint that it is about. Ctrl-C is put off until a call returns:
inside Orbax's event loop it would become a cancellation, which looks like damage.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from orbax.checkpoint import v1 as ocp

from gato_jax.interrupts import uninterrupted


def read_metadata(path: Path) -> tuple[Any, dict[str, Any]]:
    """Our own metadata of a checkpoint (None where there is none), and the shapes and dtypes of its trees by name.

    Raises:
      Exception: of many kinds; which one depends on the file that is damaged.
    """
    with uninterrupted():
        metadata = ocp.checkpointables_metadata(path.absolute())
    return metadata.custom_metadata, dict(metadata.metadata)


def load(path: Path, abstract: Mapping[str, Any]) -> dict[str, Any]:
    """Trees laid out as `abstract` says. Raises exceptions of many kinds on damage."""
    with uninterrupted():
        return ocp.load_checkpointables(path.absolute(), dict(abstract))


def load_leaf(path: Path, tree: str, keys: list[str], shape: jax.ShapeDtypeStruct) -> np.ndarray:
    """One whole leaf as NumPy; nothing else is read. Raises exceptions of many kinds on damage."""
    target: Any = np.empty(shape.shape, shape.dtype)  # says NumPy and the shape; its memory is never touched
    for key in reversed(keys):
        target = {key: target}
    context = ocp.Context()
    context.pytree.loading.partial_load = True
    with uninterrupted(), context:
        leaf: Any = ocp.load_checkpointables(path.absolute(), {tree: target})[tree]
    for key in keys:
        leaf = leaf[key]
    return leaf


def start_saving(path: Path, trees: Mapping[str, Any], metadata: Mapping[str, Any]) -> Any:
    """Starts saving into `path`, which appears whole or not at all; `result()` of what is returned waits for it.

    The arrays are copied before this returns. Until it is done the files are in `<path>.orbax-checkpoint-tmp`. To be
    called in a block that is not interrupted, so that somebody waits for what was begun.
    """
    return ocp.save_checkpointables_async(path.absolute(), dict(trees), custom_metadata=dict(metadata))
