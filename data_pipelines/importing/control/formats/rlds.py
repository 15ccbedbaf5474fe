"""Prepared RLDS data sets on disk (TFDS directories), whatever their observations are. Imports TensorFlow."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from data_pipelines.importing.common import tfds_directories
from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.common.rules import check_split
from data_pipelines.importing.common.source_files import SourceStamp
from data_pipelines.importing.control.episodes import Layout, RawEpisode, SourceSpec
from data_pipelines.importing.control.formats import recipes
from data_pipelines.importing.control.formats.flat import NAMES, under
from data_pipelines.importing.control.formats.rlds_columns import Column, find_columns, num_values
from data_pipelines.importing.control.options import ControlOptions

_AGENT = "agent"
"""Feature of an episode that imports write where the source names agents."""

_IDS = ("episode_id", "seed", "file_path", "uuid")


class RldsDirectory:
    """Episodes with nested `steps`: a prepared TFDS directory, or a recorded task with several of them.

    The last step of an episode is a placeholder where `is_last` says so. A recipe of the data set's name
    (`recipes.RECIPES`) says which of its observations to take, unless the options do.

    Args:
      source: folder with dataset_info.json, or one above it.
      options: `split`, `recipe`.

    Raises:
      SourceError: no data set, several, no such split, or no `steps`.
    """

    def __init__(self, source: Path, options: ControlOptions):
        directories = _find(source)
        builders = [tfds_directories.open_directory(directory) for directory in directories]
        first = builders[0]
        # A part of a task may hold no episode of a split.
        self._parts = [
            _Part(directory, builder, options.split)
            for directory, builder in zip(directories, builders, strict=True)
            if options.split in builder.info.splits
        ]
        self.splits = tuple(first.info.splits)
        if not self._parts:
            check_split(str(directories[0]), options.split, self.splits)
        if "steps" not in first.info.features:
            raise SourceError(
                f"{directories[0]}: expected RLDS episodes with 'steps', found {sorted(first.info.features)}"
            )
        part_columns = [find_columns(part.builder.info.features["steps"].feature) for part in self._parts]
        self._columns = part_columns[0]
        for part, columns in zip(self._parts, part_columns, strict=True):
            if differing := sorted(set(columns) ^ set(self._columns)):
                raise SourceError(f"{part.directory}: its steps and those of {directories[0]} differ in {differing}")
        # An agent belongs to the episode, not to its steps.
        of_episode = tuple(name for name in _of_episode(first.info.features) if name not in self._columns)
        self.columns = (*self._columns, *of_episode)
        self._id = next((name for name in _IDS if name in first.info.features), None)
        facts = {
            "name": first.info.full_name,
            "split": options.split,
            "directories": len(directories),
            "examples": len(self),
            "bytes": sum(part.info.num_bytes for part in self._parts),
        }
        files = [file.path for part in self._parts for file in part.shards]
        self.stamp = SourceStamp(facts, {str(path.relative_to(source)): path for path in files})
        instruction = next((name for name in NAMES["instruction"] if name in self._columns), None)
        layout = Layout(
            observation=under(["observation"], tuple(self._columns))
            | ({"instruction": instruction} if instruction is not None else {}),
            action=tuple(under(["action"], tuple(self._columns)).values()),
            reward="reward" if "reward" in self._columns else None,
            is_last="is_last" if "is_last" in self._columns else None,
            is_terminal="is_terminal" if "is_terminal" in self._columns else None,
            agent=_AGENT if _AGENT in of_episode else None,
        )
        recipe = recipes.find(first.info.name, options.recipe)
        self.layout, notes = recipes.apply(recipe, layout, self.columns) if recipe else (layout, ())
        self.notes = (*notes, *_stacked(self._columns))
        self.spec = SourceSpec(num_values=_labels(self._columns, self.layout))

    def __len__(self) -> int:
        return sum(part.info.num_examples for part in self._parts)

    def episodes(self, start: int, columns: frozenset[str]) -> Iterator[RawEpisode]:
        number = 0
        for part in self._parts:
            size = part.info.num_examples
            if start >= number + size:
                number += size
                continue
            with tfds_directories.reading(part.directory, part.shards):
                for example in part.dataset(max(0, start - number)).as_numpy_iterator():
                    number = max(start, number)
                    yield self._episode(part, example, number, columns)
                    number += 1

    def _episode(self, part: "_Part", example: Mapping[str, Any], number: int, columns: frozenset[str]) -> RawEpisode:
        name = self._name(example, number)
        try:
            named = {column: self._columns[column] for column in columns if column in self._columns}
            values = {name: column.values(example["steps"]) for name, column in named.items()}
        except SourceError as error:
            raise SourceError(f"{part.directory}, episode {name!r}: {error}") from error
        steps = max(map(len, values.values()), default=0)
        for column, column_values in values.items():
            if len(column_values) != steps:
                raise SourceError(
                    f"{part.directory}, episode {name!r}: features.json declares {column!r}, expected in each of "
                    f"{steps} steps, found in {len(column_values)}"
                )
        whole = {column: np.asarray([_leaf(example, column)]) for column in columns - values.keys()}
        return RawEpisode(name, {**values, **whole})

    def _name(self, example: Mapping[str, Any], number: int) -> str:
        if self._id is None:
            return str(number)
        value = example[self._id]
        # Ids of RL Unplugged's Atari repeat in each checkpoint, so the number stays a part.
        return f"{number}:{value.decode() if isinstance(value, bytes) else value}"


class _Part:
    """One TFDS directory of the data set, with the files of a split."""

    def __init__(self, directory: Path, builder: Any, split: str):
        self.directory, self.builder, self.info = directory, builder, builder.info.splits[split]
        self.shards = tfds_directories.split_files(builder, split, directory)

    def dataset(self, start: int) -> Any:
        """Examples from number `start` on, with their steps parsed and not decoded."""
        return self.builder.as_dataset(
            split=self.info.name,
            shuffle_files=False,
            read_config=tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False),
            decoders={"steps": tfds.decode.SkipDecoding()},
        ).skip(start)


def _find(source: Path) -> list[Path]:
    directories = tfds_directories.find_directories(source)
    # A task as recording and importing leave it is one data set in several directories.
    if not directories or (len(directories) > 1 and not (source / "spec.json").is_file()):
        names = [str(path.relative_to(source)) for path in directories][:8]
        raise SourceError(f"{source}: expected one prepared TFDS data set (dataset_info.json), found {names}; name one")
    return directories


def _of_episode(features: Any, path: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Names ("a/b") of an episode's own values, which no step has a name of."""
    names: list[str] = []
    for key, feature in features.items():
        if isinstance(feature, tfds.features.FeaturesDict):
            names += _of_episode(feature, (*path, key))
        elif feature.shape == () and key != "steps":
            names.append("/".join((*path, key)))
    return tuple(names)


def _leaf(tree: Any, name: str) -> Any:
    for key in name.split("/"):
        tree = tree[key]
    return tree


def _stacked(columns: Mapping[str, Column]) -> Iterator[str]:
    """What is said of steps that hold several pictures under one name."""
    for column in columns.values():
        if column.picture == 0:
            name, last = "/".join(column.path), (column.length or 0) - 1
            yield f"{name}: {column.length} pictures in each step, read as {name}/0 to {name}/{last}"


def _labels(columns: Mapping[str, Column], layout: Layout) -> dict[str, int]:
    """Key of ours, or "action" -> number of values, where the features declare class labels."""
    named = dict(layout.observation) | ({"action": layout.action[0]} if len(layout.action) == 1 else {})
    counts = {key: num_values(columns[name]) for key, name in named.items()}
    return {key: count for key, count in counts.items() if count}
