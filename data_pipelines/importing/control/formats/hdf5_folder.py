"""Folders of HDF5 files with an episode each, as ALOHA's recorder writes them. No TensorFlow."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.common.rules import in_some_only
from data_pipelines.importing.common.source_files import file_stamp
from data_pipelines.importing.control.episodes import RawEpisode, SourceSpec
from data_pipelines.importing.control.formats import flat, hdf5_values, one_episode
from data_pipelines.importing.control.options import ControlOptions

_SIMULATED, _COMPRESSED = "sim", "compress"
"""Attributes of ALOHA's files: whether a simulator made them, and whether cameras are stored as JPEG files."""

_LENGTHS = "compress_len"
"""ALOHA's bytes of each JPEG file, [cameras, T], in an order of cameras that the file does not say."""

_BASE = "base_action"
"""What the wheels of Mobile ALOHA were told, beside the arms' `action`."""


def is_one_episode(path: Path) -> bool:
    """Whether a file says by ALOHA's attribute that it is one episode, so that it may stand alone."""
    with hdf5_values.opened(path) as file:
        return _SIMULATED in file.attrs


class Hdf5Folder:
    """Files with an episode each: `action`, and whatever else has an entry for each step, at the top or in groups.

    Observations are what lies under `observations`: ALOHA's `qpos`, `qvel`, `effort` and `images/<camera>`. Episodes
    are in the order of the numbers in the files' names, and are named by these.

    Args:
      root: the folder.
      files: those inside it.
      options: `columns` where names are not usual ones.

    Raises:
      SourceError: a file holds several episodes, or an array that looks as if it said where they end.
    """

    spec = SourceSpec()
    splits: tuple[str, ...] = ()

    def __init__(self, root: Path, files: Sequence[Path], options: ControlOptions):
        self._root, self._options = root, options
        self._files = sorted(files, key=lambda path: _by_number(path.relative_to(root)))
        self.stamp = file_stamp(root, self._files)
        first = self._files[0]
        with hdf5_values.opened(first) as file:
            self.columns = tuple(hdf5_values.datasets(file))
            self.layout = flat.usual_layout(self.columns, options)
            if not (self.layout.action or options.action):
                raise SourceError(_no_action(first, file, len(self._files)))
            unread = [name for name in self.columns if name != _LENGTHS]
            one_episode.check_boundaries_are_read(file, unread, self.layout, options, str(first))
        self.notes = in_some_only(self._columns_of_all())
        if _BASE in self.columns and _BASE not in options.action:
            named = " ".join(options.action or self.layout.action)
            self.notes += (f"{_BASE!r} is not read; --action {named} {_BASE} joins it to the action",)

    def __len__(self) -> int:
        return len(self._files)

    def episodes(self, start: int, columns: frozenset[str]) -> Iterator[RawEpisode]:
        for path in self._files[start:]:
            with hdf5_values.opened(path) as file:
                names = hdf5_values.datasets(file)
                if missing := sorted(columns - set(names)):
                    raise SourceError(f"{path}: no data sets {missing}, which {self._files[0].name} has")
                one_episode.check_length(file, names, self.layout, self._options, str(path))
                values = {name: hdf5_values.Values(file[name], path)[:] for name in columns}
                _check_cameras(path, file, values)
                ended = one_episode.ended(file, names, self._options, str(path))
            yield RawEpisode(path.relative_to(self._root).with_suffix("").as_posix(), values, ended)

    def _columns_of_all(self) -> Iterator[list[str]]:
        for path in self._files:
            with hdf5_values.opened(path) as file:
                names = hdf5_values.datasets(file)
                if one_episode.holds_several(file, names, self._options, str(path)):
                    raise SourceError(
                        f"{path}: {_expected_one(len(self._files))}, found one that says where episodes end"
                    )
                yield names


def _by_number(path: Path) -> tuple[list[int | str], str]:
    """A key of sorting by which episode_10 comes behind episode_9."""
    text = path.as_posix()
    parts = re.split(r"(\d+)", text)
    return [int(part) if part.isdigit() else part for part in parts], text


def _expected_one(count: int) -> str:
    return f"expected an episode in each of the {count} files" if count > 1 else "expected one episode in the file"


def _no_action(path: Path, file: Any, count: int) -> str:
    return (
        f"{path}: {_expected_one(count)}, with `action` or `actions` beside `observations`; found {list(file)[:8]}. "
        "A file of many episodes (robomimic, Minari) is imported by itself: name it"
    )


def _check_cameras(path: Path, file: Any, values: dict[str, np.ndarray]) -> None:
    """Compares what ALOHA declares of its cameras with what is there.

    Raises:
      SourceError: pictures that are declared as files and are none; or files of another length than declared.
    """
    if not file.attrs.get(_COMPRESSED, False):
        return
    lengths = np.asarray(file[_LENGTHS]) if _LENGTHS in file else None
    for name, frames in values.items():
        if frames.dtype == np.uint8 and frames.ndim == 2:
            raise SourceError(
                f"{path}: declares {_COMPRESSED}, so {name!r} must hold JPEG or PNG files, found bytes that begin with "
                f"{frames[:1].tobytes()[:8]!r}"
            )
        if lengths is None or frames.dtype != object or not isinstance(frames[:1].tolist()[0], bytes):
            continue
        if lengths.ndim != 2 or lengths.shape[1] != len(frames):
            raise SourceError(
                f"{path}: {_LENGTHS!r} must have a length for each of {len(frames)} steps of {name!r}, found shape "
                f"{list(lengths.shape)}"
            )
        for step, frame in enumerate(frames):
            if len(frame) not in lengths[:, step]:
                raise SourceError(
                    f"{path}: {_LENGTHS!r} declares {lengths[:, step].astype(int).tolist()} bytes for the pictures of "
                    f"step {step}, {name!r} has {len(frame)}"
                )
