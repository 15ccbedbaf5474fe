"""A layout that sources have on disk, and how the one that is asked for is found."""

import dataclasses
import difflib
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

Options = TypeVar("Options", contravariant=True)
Reader = TypeVar("Reader", covariant=True)


@dataclasses.dataclass(frozen=True)
class Format(Generic[Options, Reader]):
    """One layout of a source.

    Args:
      reader: "module:class". The module is loaded when a source is opened: its library (pyarrow, h5py, TensorFlow) is
        needed for this format alone.
      description: what the source is, in a few words.
    """

    reader: str
    description: str

    def open(self, source: Path, options: Options) -> Reader:
        """A reader of a source. Raises `SourceError` when the source is not in this layout."""
        module, name = self.reader.split(":")
        return getattr(importlib.import_module(module), name)(source, options)


def find_format(name: str, formats: Mapping[str, Format[Any, Reader]]) -> Format[Any, Reader]:
    """The format of a name. Raises `ValueError` naming the nearest ones."""
    if name not in formats:
        near = difflib.get_close_matches(name, formats, n=3) or sorted(formats)
        raise ValueError(f"no import format {name!r}; nearest: {near}")
    return formats[name]
