"""npz files: an episode each, or many laid end to end in flat arrays. No TensorFlow, no pickle."""

import dataclasses
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.importing.common import rules
from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.common.source_files import file_stamp
from data_pipelines.importing.control.episodes import RawEpisode, SourceSpec
from data_pipelines.importing.control.formats import flat, one_episode
from data_pipelines.importing.control.options import ControlOptions

_ID = "id"


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
    splits: tuple[str, ...] = ()

    def __init__(self, source: Path, options: ControlOptions):
        self._root = source if source.is_dir() else source.parent
        self._files = sorted(source.rglob("*.npz")) if source.is_dir() else [source]
        if not self._files:
            raise SourceError(f"{source}: expected npz files, found none")
        self._options = options
        self.stamp: Mapping[str, Any] = file_stamp(self._root, self._files)
        with _Arrays(self._files[0]) as first:
            self.columns = first.columns
            self._several = self._is_flat(first)
            self.layout = flat.usual_layout(self.columns, options)
            flag = self.layout.is_terminal
            if flag is not None and not first[flag].ndim:  # One flag for the episode, not one for each step.
                self.layout = dataclasses.replace(self.layout, is_terminal=None)
            if not self._several:
                one_episode.check_boundaries_are_read(first, self.columns, self.layout, options, str(first.path))
        self._ends: dict[Path, np.ndarray] = {}
        self.notes = rules.in_some_only(self._columns_of_all())

    def _columns_of_all(self) -> Iterator[tuple[str, ...]]:
        for path in self._files:
            with _Arrays(path) as arrays:
                if self._several:
                    self._ends[path] = flat.boundaries(arrays, arrays.columns, self._options, str(path))
                yield arrays.columns

    def __len__(self) -> int:
        return sum(map(len, self._ends.values())) if self._several else len(self._files)

    def episodes(self, start: int, columns: frozenset[str]) -> Iterator[RawEpisode]:
        for path in self._files:
            if start >= (count := len(self._ends[path]) if self._several else 1):
                start -= count
                continue
            name = str(path.relative_to(self._root).with_suffix(""))
            with _Arrays(path) as file:
                if missing := sorted(columns - set(file.columns)):
                    raise SourceError(f"{path}: no arrays {missing}, which {self._files[0].name} has")
                arrays = {key: file[key] for key in columns}
                if self._several:
                    agent = self._options.agent
                    yield from flat.cut(arrays, self._ends[path], columns, prefix=name, start=start, agent=agent)
                else:
                    if self._is_flat(file):
                        raise SourceError(f"{path}: holds several episodes, but {self._files[0].name} one")
                    one_episode.check_length(file, file.columns, self.layout, self._options, str(path))
                    ended = one_episode.ended(file, file.columns, self._options, str(path))
                    yield RawEpisode(str(file[_ID]) if _ID in file.columns else name, arrays, ended)
            start = 0

    def _is_flat(self, file: "_Arrays") -> bool:
        return one_episode.holds_several(file, file.columns, self._options, str(file.path))


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
        arrays |= {"agent": np.asarray(str(episode["agent"]))} if "agent" in episode else {}
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


class _Arrays(Mapping[str, np.ndarray]):
    """The arrays of an npz file, each read when it is asked for. Raises `SourceError` for a file that is none."""

    def __init__(self, path: Path):
        self.path = path
        try:
            self._file = np.load(path, allow_pickle=False)
        except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
            raise SourceError(f"{path}: no npz file, or a broken one ({error})") from error
        if not hasattr(self._file, "files"):
            raise SourceError(f"{path}: expected an npz file with named arrays, found a single array")
        self.columns = tuple(self._file.files)

    def __enter__(self) -> "_Arrays":
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def __getitem__(self, name: str) -> np.ndarray:
        try:
            return self._file[name]
        except ValueError as error:
            raise SourceError(
                f"{self.path}: {name!r} is an object array, which only pickle could read: store numbers, or texts "
                "as str"
            ) from error
        except (OSError, zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise SourceError(f"{self.path}: {name!r} is damaged ({error})") from error
