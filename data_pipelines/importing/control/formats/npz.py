"""npz files: an episode each, or many laid end to end in flat arrays. No TensorFlow, no pickle."""

import dataclasses
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.common.source_files import file_stamp
from data_pipelines.importing.control.episodes import RawEpisode, SourceSpec
from data_pipelines.importing.control.formats import flat
from data_pipelines.importing.control.options import ControlOptions

_TERMINAL, _ID = "terminal", "id"


class NpzFiles:
    """A folder of npz files with an episode each, or one file with flat arrays and the ends of its episodes.

    Arrays of an episode are named "observation" (or "observations", or "observation/<key>"), "action", "reward" and the
    like (`flat.NAMES`). A file that says where episodes end holds several; others hold one.

    Args:
      source: file or folder.
      options: `columns` where names are not usual ones.

    Raises:
      SourceError: no such files, files that need pickle, or arrays of other names.
    """

    spec = SourceSpec()
    notes: tuple[str, ...] = ()

    def __init__(self, source: Path, options: ControlOptions):
        self._root = source if source.is_dir() else source.parent
        self._files = sorted(source.rglob("*.npz")) if source.is_dir() else [source]
        if not self._files:
            raise SourceError(f"{source}: expected npz files, found none")
        self._options = options
        self.stamp: Mapping[str, Any] = file_stamp(self._root, self._files)
        with _opened(self._files[0]) as first:
            self.columns = tuple(first.files)
            self._several = self._is_flat(first)
            self.layout = flat.usual_layout(self.columns, options)
            flag = self.layout.is_terminal
            if flag is not None and not first[flag].ndim:  # One flag for the episode, not one for each step.
                self.layout = dataclasses.replace(self.layout, is_terminal=None)
        self._ends = {}
        if self._several:
            for path in self._files:
                with _opened(path) as arrays:
                    self._ends[path] = flat.boundaries(arrays, arrays.files, options, str(path))

    def __len__(self) -> int:
        return sum(map(len, self._ends.values())) if self._several else len(self._files)

    def episodes(self, start: int, columns: frozenset[str]) -> Iterator[RawEpisode]:
        for path in self._files:
            if start >= (count := len(self._ends[path]) if self._several else 1):
                start -= count
                continue
            name = str(path.relative_to(self._root).with_suffix(""))
            with _opened(path) as file:
                if missing := sorted(columns - set(file.files)):
                    raise SourceError(f"{path}: no arrays {missing}, which {self._files[0].name} has")
                arrays = {key: _array(path, file, key) for key in columns}
                if self._several:
                    yield from flat.cut(arrays, self._ends[path], columns, prefix=name, start=start)
                else:
                    if self._is_flat(file):
                        raise SourceError(f"{path}: holds several episodes, but {self._files[0].name} one")
                    terminal = bool(file[_TERMINAL]) if _TERMINAL in file.files and not file[_TERMINAL].ndim else None
                    yield RawEpisode(str(file[_ID]) if _ID in file.files else name, arrays, terminal)
            start = 0

    def _is_flat(self, file: Any) -> bool:
        """Whether a file holds several episodes: it says where they end before its own end, or where each does."""
        if flat.find("ends", file.files, self._options) is not None:
            return True
        for role in ("terminated", "truncated"):
            name = flat.find(role, file.files, self._options)
            if name is not None and file[name].ndim and file[name].ravel()[:-1].any():
                return True
        return False


def write_episodes(episodes: Iterable[Mapping[str, Any]], folder: Path) -> int:
    """Writes episodes as npz files that `NpzFiles` reads, and returns their number.

    Args:
      episodes: see `import_episodes`.
      folder: made if it is not there.

    Raises:
      ValueError: an episode lacks an observation, an action or a reward, or an array would need pickle.
    """
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for count, episode in enumerate(episodes, start=1):
        missing = sorted({"observation", "action", "reward"} - set(episode))
        if missing:
            raise ValueError(f"episode {count - 1}: expected observation, action and reward, {missing} are missing")
        arrays = {"action": np.asarray(episode["action"]), "reward": np.asarray(episode["reward"])}
        arrays |= {"/".join(path): values for path, values in _leaves(episode["observation"], ("observation",))}
        arrays["terminal"] = np.asarray(bool(episode.get("terminal", False)))
        arrays["id"] = np.asarray(str(episode.get("id", count - 1)))
        for name, values in arrays.items():
            if values.dtype.hasobject:
                raise ValueError(f"episode {count - 1}: {name!r} is no array of numbers or texts, found {values.dtype}")
        np.savez(folder / f"{count - 1:09d}.npz", **arrays)  # type: ignore[arg-type]
    if not count:
        raise ValueError("there are no episodes to import")
    return count


def _leaves(tree: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], np.ndarray]]:
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from _leaves(value, (*path, str(key)))
    else:
        yield path, np.asarray(tree)


def _opened(path: Path) -> Any:
    try:
        file = np.load(path, allow_pickle=False)
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise SourceError(f"{path}: no npz file, or a broken one ({error})") from error
    if not hasattr(file, "files"):
        raise SourceError(f"{path}: expected an npz file with named arrays, found a single array")
    return file


def _array(path: Path, file: Any, name: str) -> np.ndarray:
    try:
        return file[name]
    except ValueError as error:
        raise SourceError(
            f"{path}: {name!r} is an object array, which only pickle could read: store numbers, or texts as str"
        ) from error
    except (OSError, zipfile.BadZipFile) as error:
        raise SourceError(f"{path}: {name!r} is damaged ({error})") from error
