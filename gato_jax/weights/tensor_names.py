"""Names of tensors in an exported file, and which leaf of a checkpoint each one is.

    transformer.blocks.layer_00.attention.query    <-  transformer/blocks/layer_00/attention/query
                                                   or  transformer/stack/attention/query, layer 0

Stacked (scanned) layers are written one by one, so a file does not tell how its model was trained; rows that only pad
the token table are left out.
"""

import dataclasses
import signal
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from flax import nnx

from data_pipelines.vocabulary import Vocabulary
from gato_jax.config import Experiment, ModelConfig
from gato_jax.model.gato import abstract_model

TABLE, BIN_WEIGHTS = "embedding.tokens", "embedding.bins"
STACK, BLOCKS = "transformer/stack/", "transformer/blocks/"


class ExportError(RuntimeError):
    """An export that is missing a part, damaged, hostile, or of another architecture; the message names it."""


class ProcessKilled(ExportError):
    """A process of an export was killed, perhaps for want of memory; what is written stays for the next try."""


def check_exit(code: int, process: str, problem: str) -> None:
    """Raises `ExportError` with the problem unless a process ended with 0; `ProcessKilled` where it was killed."""
    if -code in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        name = signal.Signals(-code).name
        raise ProcessKilled(f"{process} was killed by {name} (out of memory?); the same command goes on")
    if code:
        raise ExportError(f"{problem} (exit code {code})")


@dataclasses.dataclass(frozen=True)
class Tensor:
    """One tensor of a file.

    Args:
      name: in the file.
      shape: in the file.
      leaf: path of the checkpoint's leaf.
      layer: index in a stacked leaf, None where the leaf is the tensor.
    """

    name: str
    shape: tuple[int, ...]
    leaf: str
    layer: int | None = None

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    def of(self, leaf: np.ndarray) -> np.ndarray:
        """The tensor's values in its leaf: without the table's padding rows, of its layer."""
        values = leaf if self.layer is None else leaf[self.layer]
        return values[: self.shape[0]] if self.name == TABLE else values


def parameter_leaves(model: ModelConfig, vocabulary: Vocabulary) -> dict[str, jax.ShapeDtypeStruct]:
    """Shapes and dtypes of the architecture's leaves by path; allocates nothing."""
    return flatten(nnx.to_pure_dict(abstract_model(model, vocabulary)[1]))


def tensors_of(model: ModelConfig, vocabulary: Vocabulary) -> list[Tensor]:
    """All tensors of an architecture; those of one leaf stand behind each other."""
    tensors = []
    for leaf, value in parameter_leaves(model, vocabulary).items():
        if leaf.startswith(STACK):
            rest = leaf.removeprefix(STACK).replace("/", ".")
            for layer in range(model.layers):
                name = f"transformer.blocks.layer_{layer:02d}.{rest}"
                tensors.append(Tensor(name, tuple(value.shape[1:]), leaf, layer))
            continue
        name = leaf.replace("/", ".")
        shape = (vocabulary.size, *value.shape[1:]) if name == TABLE else tuple(value.shape)
        tensors.append(Tensor(name, shape, leaf))
    return tensors


def unrolled(model: ModelConfig) -> ModelConfig:
    """The same network with one set of weights for each layer, which is how files hold them."""
    return dataclasses.replace(model, scan_layers=False, remat=False)


def assemble(experiment: Experiment, read: Any) -> dict[str, Any]:
    """Parameters as `model.gato.bind` takes them, from `read(name)`, put onto the first device leaf by leaf.

    Padding rows of the token table become zeros, since their logits are -inf anyway.
    """
    vocabulary = experiment.data.tokens.vocabulary
    shapes = parameter_leaves(experiment.model, vocabulary)
    parts: dict[str, list[Tensor]] = {}
    for tensor in tensors_of(experiment.model, vocabulary):
        parts.setdefault(tensor.leaf, []).append(tensor)
    leaves: dict[str, Any] = {}
    # The largest first: what a leaf needs on its way to the device never stands on top of all the others.
    for leaf in sorted(shapes, key=lambda name: -shapes[name].size):
        whole = np.zeros(shapes[leaf].shape, np.float32)
        for tensor in parts[leaf]:
            tensor.of(whole)[...] = read(tensor.name)
        leaves[leaf] = jax.block_until_ready(jax.device_put(whole))
    return unflatten({leaf: leaves[leaf] for leaf in shapes})


def flatten(tree: Mapping[str, Any]) -> dict[str, Any]:
    """{"a": {"b": x}} -> {"a/b": x}."""
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}/{rest}": leaf for rest, leaf in flatten(value).items()}
        else:
            flat[str(name)] = value
    return flat


def unflatten(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of `flatten`."""
    tree: dict[str, Any] = {}
    for path, value in flat.items():
        *parents, name = path.split("/")
        node = tree
        for part in parents:
            node = node.setdefault(part, {})
        node[name] = value
    return tree
