"""HDF5: Minari's main_data.hdf5, robomimic's demonstrations, d4rl's flat arrays, ALOHA's folders. No TensorFlow."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.common.rules import check_declared, check_split, in_some_only
from data_pipelines.importing.common.source_files import SourceStamp, file_stamp, named, refuse_pointers
from data_pipelines.importing.control.episodes import ControlReader, RawEpisode
from data_pipelines.importing.control.formats import flat, hdf5_values, minari
from data_pipelines.importing.control.formats.hdf5_folder import Hdf5Folder, is_one_episode
from data_pipelines.importing.control.options import ControlOptions

_EPISODE = re.compile(r"(?:episode|demo|traj)_(\d+)")
_MASKS, _EVERY = "mask", "all"


def open_hdf5(source: Path, options: ControlOptions) -> ControlReader:
    """A file of many episodes, or a folder of files that hold one each (ALOHA's).

    Args:
      source: the file; or a folder that holds one (Minari's has data/main_data.hdf5), or several with an episode each.
      options: how it is read.

    Raises:
      SourceError: see `Hdf5File` and `Hdf5Folder`.
    """
    if source.is_dir():
        minari.refuse_other_storages(source)
    files = [source] if source.is_file() else [*source.rglob("*.hdf5"), *source.rglob("*.h5")]
    if not files:
        raise SourceError(f"{source}: expected HDF5 files (.hdf5 or .h5), found none")
    refuse_pointers(files)
    if len(files) == 1 and not is_one_episode(files[0]):
        return Hdf5File(files[0], options)
    return Hdf5Folder(source if source.is_dir() else source.parent, files, options)


class Hdf5File:
    """One group per episode ("episode_0", "data/demo_0", ...), or flat arrays at the top.

    Nested groups become "a/b". Minari stores one observation more than actions; the other layouts may not. What the
    file, or Minari's metadata.json beside it, declares is compared with what is there.

    Args:
      path: the file.
      options: `split` is one of robomimic's masks, or "all"; `columns` where names are not usual ones.

    Raises:
      SourceError: h5py is not installed; no such file, groups or split; other counts or shapes than declared.
    """

    def __init__(self, path: Path, options: ControlOptions):
        self._path = path
        self._ends = np.zeros(0, np.int64)
        metadata = self._path.parent / minari.METADATA
        files = [self._path, *([metadata] if metadata.is_file() else [])]
        # The metadata counts among the contents alone: an import that was made before it did goes on.
        self.stamp = SourceStamp(file_stamp(self._path.parent, files[:1]), named(self._path.parent, files))
        self._agent = options.agent
        with hdf5_values.opened(self._path) as file:
            every = _groups(file)
            self.splits = self._masks(file) if every else ()
            check_split(str(self._path), options.split, self.splits)
            self._groups, self.notes = self._chosen(file, every, options.split)
            first = file[self._groups[0]] if self._groups else file
            self.columns = tuple(hdf5_values.datasets(first))
            self.layout = flat.usual_layout(self.columns, options)
            if not self._groups and not (self.layout.action or options.action):
                raise SourceError(f"{self._path}: {_nothing(file)}")
            declared = minari.read_declared(self._path, file.attrs)
            declared.check_shapes({name: (first[name].shape or ())[1:] for name in self.columns})
            self.spec, more = declared.spec(self.layout.observation, self.layout.action)
            self.notes += more
            if self._groups:
                self._check_counts(file, every, declared)
                dataset_names = (hdf5_values.datasets(file[name]) for name in self._groups)
                self.notes += in_some_only(dataset_names, what="episodes")
            else:
                self._ends = flat.boundaries(file, self.columns, options, str(self._path))

    def __len__(self) -> int:
        return len(self._groups) or len(self._ends)

    def episodes(self, start: int, columns: frozenset[str]) -> Iterator[RawEpisode]:
        with hdf5_values.opened(self._path) as file:
            if not self._groups:
                arrays = {name: hdf5_values.Values(file[name], self._path) for name in columns}
                yield from flat.cut(arrays, self._ends, columns, prefix=self._path.stem, start=start, agent=self._agent)
                return
            for name in self._groups[start:]:
                group = file[name]
                if missing := sorted(column for column in columns if column not in group):
                    raise SourceError(f"{self._path}: {name} has no {missing}, found {hdf5_values.datasets(group)}")
                values = {column: hdf5_values.Values(group[column], self._path)[:] for column in columns}
                yield RawEpisode(name, values)

    def _masks(self, file: Any) -> tuple[str, ...]:
        """robomimic's named subsets of the demonstrations, and the name of all of them; nothing without subsets."""
        masks = file.get(_MASKS)
        return (*sorted(masks), _EVERY) if isinstance(masks, hdf5_values.load_h5py().Group) and len(masks) else ()

    def _chosen(self, file: Any, groups: list[str], split: str) -> tuple[list[str], tuple[str, ...]]:
        """The groups of a split, and what is said of the others."""
        if not self.splits or split == _EVERY:
            return groups, ()
        parent = groups[0].rpartition("/")[0]
        names = {hdf5_values.text_of(value) for value in np.ravel(file[_MASKS][split][()])}
        requested = {f"{parent}/{name}" if parent else name for name in names}
        if unknown := sorted(requested - set(groups)):
            raise SourceError(f"{self._path}: mask/{split} names {unknown[:8]}, which are not among {groups[:8]}")
        chosen = [name for name in groups if name in requested]
        if not chosen:
            raise SourceError(f"{self._path}: mask/{split} names no demo of the {len(groups)} there are")
        return chosen, (
            f"mask/{split}: {len(chosen)} of {len(groups)} episodes; the file's splits are {', '.join(self.splits)}",
        )

    def _check_counts(self, file: Any, groups: list[str], declared: minari.Declared) -> None:
        """Compares every count that the file declares with the groups there are, of whatever split."""
        check_declared(declared.where, "episodes", declared.episodes, len(groups))
        column = next(iter(self.layout.action), None)
        if column is None or any(column not in file[name] for name in groups):
            return  # A group that lacks its action is told of when it is read.
        counts = {name: len(file[name][column]) for name in groups}
        for name, count in counts.items():
            attributes = file[name].attrs
            steps = attributes.get("total_steps", attributes.get("num_samples"))
            check_declared(f"{self._path}: {name}", f"steps, as {column!r} has them", steps, count)
        total = declared.steps if declared.steps is not None else file[groups[0]].parent.attrs.get("total")
        check_declared(declared.where, "steps", total, sum(counts.values()))


def _groups(file: Any) -> list[str]:
    """Names of the groups that hold an episode each, by their number."""
    for prefix in ("", "data/"):
        parent = file[prefix] if prefix and prefix.rstrip("/") in file else file if not prefix else {}
        named = {int(match[1]): prefix + key for key in parent if (match := _EPISODE.fullmatch(key))}
        if named:
            return [named[number] for number in sorted(named)]
    return []


def _nothing(file: Any) -> str:
    """What is said of a file without any episode."""
    if "data" in file:
        return f"data/ holds no demo_N, found {list(file['data'])[:8]}"
    return f"expected episode_N, data/demo_N, or flat arrays with actions, found {list(file)[:8]}"
