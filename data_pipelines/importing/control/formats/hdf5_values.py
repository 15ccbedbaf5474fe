"""What h5py reads, as episodes have it: texts as str, pictures as files, the rest as arrays. No TensorFlow."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.control.episodes import IMAGE_MAGIC, objects


@dataclasses.dataclass(frozen=True)
class Values:
    """A data set whose slices are arrays as `RawEpisode` has them: texts as str, encoded pictures as bytes."""

    dataset: Any
    path: Path

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.dataset.shape or ())

    def __getitem__(self, steps: slice) -> np.ndarray:
        name = self.dataset.name
        if not self.dataset.shape:
            raise SourceError(f"{self.path}: {name} is one value, expected one for each step")
        try:
            values = self.dataset[steps]
        except OSError as error:
            raise SourceError(f"{self.path}: {name} is damaged ({error})") from error
        if (values.dtype.kind == "V" and values.dtype.names is None) or are_files(values):
            # A picture file never ends with a zero: what follows its end is padding to equal lengths.
            padded = values.dtype == np.uint8
            return objects([bytes(value).rstrip(b"\0") if padded else bytes(value) for value in values])
        if values.dtype != object:
            return values
        if load_h5py().check_string_dtype(self.dataset.dtype) is not None:
            try:
                return objects([text_of(value) for value in values]) if values.ndim == 1 else values
            except UnicodeDecodeError as error:
                raise SourceError(
                    f"{self.path}: {name}: expected text in UTF-8, found {error.object[:16]!r}"
                ) from error
        if len(values) and bytes(values[0]).startswith(IMAGE_MAGIC):
            return objects([bytes(value) for value in values])
        lengths = [len(value) for value in values]
        if len(set(lengths)) > 1:
            raise SourceError(
                f"{self.path}: {name}: expected values of one length, found lengths {min(lengths)} to {max(lengths)}"
            )
        return np.stack(list(values)) if len(values) else np.zeros((0,))


def are_files(values: np.ndarray) -> bool:
    """Whether [T, n] bytes, or T strings of bytes, are picture files: Minari and ALOHA store equally long ones so."""
    if values.dtype.kind == "S" and values.ndim == 1:
        return bool(len(values)) and bytes(values[0]).startswith(IMAGE_MAGIC)
    return (
        values.dtype == np.uint8
        and values.ndim == 2
        and bool(len(values))
        and values[0].tobytes().startswith(IMAGE_MAGIC)
    )


def text_of(value: Any) -> str:
    """A text however h5py reads it."""
    return value.decode() if isinstance(value, bytes) else str(value)


def load_h5py() -> Any:
    """The library. Raises `SourceError` naming how to install it."""
    try:
        import h5py
    except ImportError as error:
        raise SourceError("HDF5 files need h5py, which is not installed: pip install h5py") from error
    return h5py


def opened(path: Path) -> Any:
    """A file, to read, as a context. Raises `SourceError` naming it where it is none."""
    try:
        return load_h5py().File(path, "r")
    except OSError as error:
        raise SourceError(f"{path}: no HDF5 file, or a broken one ({error})") from error


def datasets(group: Any) -> list[str]:
    """Names of all data sets of a group, nested ones as "a/b"."""
    h5py = load_h5py()
    names: list[str] = []
    group.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    return names
