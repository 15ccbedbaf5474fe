"""The columns of an RLDS step, from TFDS's features: nested ones, sequences of one length, tensors kept as bytes."""

import dataclasses
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from data_pipelines.importing.common.errors import SourceError


@dataclasses.dataclass(frozen=True)
class Column:
    """One leaf of a step, or one picture of a leaf that holds several.

    Args:
      name: "a/b", of a picture among several "a/b/0".
      path: of keys to the leaf.
      feature: TFDS's.
      length: of the sequence that the leaf is in each step; None where it is none.
      picture: which picture of the sequence.
    """

    name: str
    path: tuple[str, ...]
    feature: Any
    length: int | None = None
    picture: int | None = None

    def values(self, steps: Mapping[str, Any]) -> np.ndarray:
        """[T, ...] of the parsed, not decoded steps of an episode; pictures stay encoded.

        Raises:
          SourceError: sequences of several lengths, or of another one than declared.
        """
        tree: Any = steps
        for key in self.path:
            tree = tree[key]
        values = _dense(tree, self)
        if self.picture is not None:
            return values[:, self.picture] if len(values) else values.reshape(0)
        if isinstance(_repeated(self.feature), tfds.features.Image) and values.ndim > 1:
            raise SourceError(
                f"{self.name!r}: {values.shape[1]} pictures in a step, of no declared number; leave it out with "
                f"--leave-out, or declare the sequence's length"
            )
        encoding = getattr(self.feature, "_encoding", tfds.features.Encoding.NONE)
        if encoding is tfds.features.Encoding.NONE or values.dtype != object:
            return values
        # Tensors that TFDS stores as bytes (mt_opt's poses), an entry for each step.
        unpack = zlib.decompress if encoding is tfds.features.Encoding.ZLIB else bytes
        flat = [np.frombuffer(unpack(value), self.feature.np_dtype) for value in values]
        return np.stack(flat).reshape(len(values), *(-1 if size is None else size for size in self.feature.shape))


def find_columns(features: Any) -> dict[str, Column]:
    """Name -> column of all leaves of a step; several pictures in each step are a column each.

    Sequences inside the steps lose their declared length here, because TFDS writes them as ragged whatever it is, and
    reads them by it: it could not read what it wrote.
    """
    return {column.name: column for column in _columns(features, ())}


def num_values(column: Column) -> int | None:
    """How many values a class label takes, None for anything else."""
    inner = _repeated(column.feature)
    return inner.num_classes if isinstance(inner, tfds.features.ClassLabel) else None


def _columns(feature: Any, path: tuple[str, ...], length: int | None = None) -> Iterator[Column]:
    if isinstance(feature, tfds.features.FeaturesDict):
        for key, inner in feature.items():
            yield from _columns(inner, (*path, key), length)
        return
    name = "/".join(path)
    if not isinstance(feature, tfds.features.Sequence):
        yield Column(name, path, feature, length)
        return
    length, feature._length = feature._length or length, None
    if isinstance(feature.feature, tfds.features.FeaturesDict):
        yield from _columns(feature.feature, path, length)
    elif isinstance(feature.feature, tfds.features.Image) and length is not None:
        yield from (Column(f"{name}/{number}", path, feature, length, number) for number in range(length))
    else:
        yield Column(name, path, feature, length)


def _repeated(feature: Any) -> Any:
    while isinstance(feature, tfds.features.Sequence):
        feature = feature.feature
    return feature


def _dense(tree: Any, column: Column) -> np.ndarray:
    """The values as one array. TFDS gives sequences of several lengths as an array of arrays."""
    values = np.asarray(tree)
    ragged = values.dtype == object and any(isinstance(value, np.ndarray) for value in values)
    lengths = (
        {len(value) for value in values} if ragged else {values.shape[1]} if column.length and len(values) else set()
    )
    if len(lengths) > 1 or (column.length and lengths - {column.length}):
        expected = f"length {column.length}" if column.length else "one length"
        raise SourceError(
            f"{column.name!r}: expected sequences of {expected}, found lengths {min(lengths)} to {max(lengths)}"
        )
    return values
