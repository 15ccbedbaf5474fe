"""HDF5 files: Minari's main_data.hdf5, robomimic's demonstrations, and d4rl's flat arrays. No TensorFlow."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.common.source_files import file_stamp
from data_pipelines.importing.control.episodes import RawEpisode, SourceSpec, objects
from data_pipelines.importing.control.formats import flat
from data_pipelines.importing.control.options import ControlOptions

_EPISODE = re.compile(r"(?:episode|demo|traj)_(\d+)")


class Hdf5File:
    """One group per episode ("episode_0", "data/demo_0", ...), or flat arrays at the top.

    Nested groups become "a/b". Minari stores one observation more than actions; the other layouts may not.

    Args:
      source: the file, or a folder that holds one (Minari's has data/main_data.hdf5).
      options: `columns` where names are not usual ones.

    Raises:
      SourceError: h5py is not installed; no such file or groups.
    """

    splits: tuple[str, ...] = ()

    def __init__(self, source: Path, options: ControlOptions):
        self._h5py = _h5py()
        self._path = _find(source)
        self.stamp: Mapping[str, Any] = file_stamp(self._path.parent, [self._path])
        self.spec, self.notes = SourceSpec(), ()
        with self._opened() as file:
            self._groups = _groups(file)
            first = file[self._groups[0]] if self._groups else file
            self.columns = tuple(_datasets(self._h5py, first))
            self.layout = flat.usual_layout(self.columns, options)
            self.spec = _minari_spec(file.attrs)
            if not self._groups:
                self._ends = flat.boundaries(file, self.columns, options, str(self._path))

    def __len__(self) -> int:
        return len(self._groups) or len(self._ends)

    def episodes(self, start: int, columns: frozenset[str]) -> Iterator[RawEpisode]:
        with self._opened() as file:
            if not self._groups:
                yield from flat.cut(file, self._ends, columns, prefix=self._path.stem, start=start)
                return
            for name in self._groups[start:]:
                group = file[name]
                if missing := sorted(column for column in columns if column not in group):
                    raise SourceError(f"{self._path}: {name} has no {missing}, found {_datasets(self._h5py, group)}")
                yield RawEpisode(name, {column: _values(group[column]) for column in columns})

    def _opened(self) -> Any:
        try:
            return self._h5py.File(self._path, "r")
        except OSError as error:
            raise SourceError(f"{self._path}: no HDF5 file, or a broken one ({error})") from error


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise SourceError("HDF5 files need h5py, which is not installed: pip install h5py") from error
    return h5py


def _find(source: Path) -> Path:
    if source.is_file():
        return source
    found = sorted([*source.rglob("*.hdf5"), *source.rglob("*.h5")])
    if len(found) != 1:
        names = [str(path.relative_to(source)) for path in found[:8]]
        raise SourceError(f"{source}: expected one HDF5 file (main_data.hdf5), found {names}; name one")
    return found[0]


def _groups(file: Any) -> list[str]:
    """Names of the groups that hold an episode each, by their number."""
    for prefix in ("", "data/"):
        parent = file[prefix] if prefix and prefix.rstrip("/") in file else file if not prefix else {}
        named = {int(match[1]): prefix + key for key in parent if (match := _EPISODE.fullmatch(key))}
        if named:
            return [named[number] for number in sorted(named)]
    return []


def _datasets(h5py: Any, group: Any) -> list[str]:
    found: list[str] = []
    group.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
    return found


def _values(dataset: Any) -> np.ndarray:
    """A data set in memory, texts as str."""
    values = dataset[()]
    return objects([value.decode() for value in values]) if values.dtype == object else values


def _minari_spec(attributes: Mapping[str, Any]) -> SourceSpec:
    """Ranges of the action space that Minari keeps as JSON; nothing where it does not."""
    text = attributes.get("action_space")
    try:
        space = json.loads(text) if isinstance(text, str | bytes) else {}
    except ValueError:
        space = {}
    if space.get("type") == "Discrete" and not space.get("start"):
        return SourceSpec(num_values={"action": int(space["n"])})
    if space.get("type") == "Box":
        low, high = (np.unique(np.asarray(space[name], np.float64)) for name in ("low", "high"))
        if low.size == high.size == 1 and np.isfinite([low[0], high[0]]).all():
            return SourceSpec(action_range=(float(low[0]), float(high[0])))
    return SourceSpec()
