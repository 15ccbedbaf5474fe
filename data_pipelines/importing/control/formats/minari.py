"""What Minari declares of its episodes: spaces, counts. Since 0.5 in metadata.json beside the data, before in the file.

No TensorFlow, and not Minari itself: it is two numbers and two spaces in JSON.
"""

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.control.episodes import SourceSpec
from data_pipelines.vocabulary import BINS

METADATA = "metadata.json"

Space = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Declared:
    """Numbers and spaces that a data set declares; None and empty where it does not.

    Args:
      where: the file that says so.
      episodes, steps: how many there are.
      spaces: column ("actions", "observations/a") -> its space.
    """

    where: str
    episodes: int | None = None
    steps: int | None = None
    spaces: Mapping[str, Space] = dataclasses.field(default_factory=dict)

    def spec(self, observation: Mapping[str, str], action: Sequence[str]) -> tuple[SourceSpec, tuple[str, ...]]:
        """Ranges and numbers of values, and notes of what one range for all dimensions cannot say.

        Args:
          observation: key of ours -> column.
          action: columns of the action.
        """
        named = {key: self.spaces[column] for key, column in observation.items() if column in self.spaces}
        bounded = ((key, _range(space)) for key, space in named.items())
        ranges = {key: pair for key, pair in bounded if pair is not None and any(map(math.isfinite, pair))}
        counted = ((key, _count(space)) for key, space in named.items())
        counts = {key: count for key, count in counted if count is not None}
        spaces = [self.spaces[column] for column in action if column in self.spaces]
        bounds = [pair for space in spaces if (pair := _range(space)) is not None]
        taken: tuple[float, float] | None = None
        notes: tuple[str, ...] = ()
        if len(spaces) == 1 and (values := _count(spaces[0])) is not None:
            counts["action"] = values
        elif spaces and len(bounds) == len(action) and all(math.isfinite(value) for pair in bounds for value in pair):
            taken = min(low for low, _ in bounds), max(high for _, high in bounds)
            if len(bounds) > 1 or not _one_range(spaces[0]):
                notes = (
                    f"{self.where} declares a range for each dimension of the action; the one that holds them all, "
                    f"[{taken[0]:.6g}, {taken[1]:.6g}], is taken",
                )
        return SourceSpec(action_range=taken, num_values=counts, observation_ranges=ranges), notes

    def check_shapes(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Raises `SourceError` where a column's shape, without time, is not the declared one; pictures are encoded."""
        for column, space in self.spaces.items():
            expected = _shape(space)
            if expected is None or column not in shapes or is_picture(space):
                continue
            if shapes[column] != expected:
                raise SourceError(f"{self.where}: declares shape {expected} of {column!r}, found {shapes[column]}")


def read_declared(file: Path, attributes: Mapping[str, Any]) -> Declared:
    """What metadata.json beside an HDF5 file says, else what its attributes say.

    Raises:
      SourceError: metadata.json is broken.
    """
    beside, where, metadata = file.parent / METADATA, str(file), dict(attributes)
    if beside.is_file():
        where = str(beside)
        try:
            metadata = json.loads(beside.read_text())
            if not isinstance(metadata, dict):
                raise TypeError(f"a {type(metadata).__name__}")
        except (OSError, ValueError, TypeError) as error:
            raise SourceError(f"{beside}: expected Minari's description of the data set, found: {error}") from error
    try:
        counts = {name: int(metadata[name]) for name in ("total_episodes", "total_steps") if name in metadata}
        spaces = {
            column: leaf
            for name in ("action", "observation")
            for column, leaf in _leaves(_space(metadata.get(f"{name}_space")), f"{name}s")
        }
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise SourceError(f"{where}: expected Minari's counts and spaces, found: {error!r}") from error
    return Declared(where, counts.get("total_episodes"), counts.get("total_steps"), spaces)


def refuse_other_storages(source: Path) -> None:
    """Refuses Minari's Arrow and parquet files, whose last row of each episode is padding that looks like a step.

    Raises:
      SourceError: it is such a folder; with the way to an HDF5 file.
    """
    for path in (source / METADATA, source / "data" / METADATA):
        if not path.is_file():
            continue
        try:
            storage = json.loads(path.read_text()).get("data_format", "hdf5")
        except (OSError, ValueError, AttributeError):
            continue  # Not Minari's.
        if storage != "hdf5":
            raise SourceError(
                f"{path.parent}: Minari stored it as {storage}; store it as HDF5: "
                "old = MinariStorage.read(folder); MinariStorage.new(other_folder, old.observation_space, "
                "old.action_space, data_format='hdf5').update_from_storage(old) (from minari.dataset.minari_storage)"
            )


def is_picture(space: Space) -> bool:
    """Whether Minari takes a space for pictures, which it stores as JPEG files."""
    shape = space.get("shape", ())
    return space["type"] == "Box" and space["dtype"] == "uint8" and len(shape) in (2, 3) and min(shape[:2]) >= 32


def _space(text: Any) -> Space | None:
    return json.loads(text) if isinstance(text, str | bytes) else None


def _leaves(space: Space | None, path: str) -> Iterator[tuple[str, Space]]:
    """(column, space) of all that hold values; Minari names the parts of a tuple "_index_0" and so on."""
    if space is None:
        return
    if space["type"] == "Dict":
        for key, inner in space["subspaces"].items():
            yield from _leaves(inner, f"{path}/{key}")
    elif space["type"] == "Tuple":
        for number, inner in enumerate(space["subspaces"]):
            yield from _leaves(inner, f"{path}/_index_{number}")
    else:
        yield path, space


def _shape(space: Space) -> tuple[int, ...] | None:
    match space["type"]:
        case "Box":
            return tuple(space["shape"])
        case "MultiDiscrete":
            return np.shape(space["nvec"])
        case "MultiBinary":
            return tuple(np.atleast_1d(space["n"]).tolist())
        case "Discrete":
            return ()
    return None


def _range(space: Space) -> tuple[float, float] | None:
    """Least and greatest of a continuous space, over all dimensions."""
    if space["type"] != "Box" or not space["dtype"].startswith("float"):
        return None
    return float(np.min(space["low"])), float(np.max(space["high"]))


def _one_range(space: Space) -> bool:
    return np.unique(space["low"]).size == np.unique(space["high"]).size == 1


def _count(space: Space) -> int | None:
    """How many values a discrete space takes, from zero on; None where it is none, or where it begins below zero."""
    match space["type"]:
        case "Discrete":
            low, high = int(space.get("start", 0)), int(space.get("start", 0)) + int(space["n"]) - 1
        case "MultiDiscrete":
            start = np.asarray(space.get("start", 0))
            low, high = int(start.min()), int((start + np.asarray(space["nvec"])).max()) - 1
        case "MultiBinary":
            low, high = 0, 1
        case "Box" if "int" in space["dtype"] and not is_picture(space) and np.max(space["high"]) < BINS:
            low, high = int(np.min(space["low"])), int(np.max(space["high"]))
        case _:
            return None
    return high + 1 if low >= 0 else None
