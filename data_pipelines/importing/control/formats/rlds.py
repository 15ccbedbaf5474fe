"""Prepared RLDS data sets on disk (TFDS directories), whatever their observations are. Imports TensorFlow."""

import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.control.episodes import Layout, RawEpisode, SourceSpec
from data_pipelines.importing.control.formats import recipes
from data_pipelines.importing.control.formats.flat import NAMES, under
from data_pipelines.importing.control.options import ControlOptions

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
        self._builders = [tfds.builder_from_directory(directory) for directory in directories]
        self._split = options.split
        first = self._builders[0]
        # A part of a task may hold no episode of a split.
        self._builders = [builder for builder in self._builders if self._split in builder.info.splits]
        if not self._builders:
            raise SourceError(f"{directories[0]}: no split {self._split!r}, found {sorted(first.info.splits)}")
        self.splits = tuple(first.info.splits)
        if "steps" not in first.info.features:
            raise SourceError(
                f"{directories[0]}: expected RLDS episodes with 'steps', found {sorted(first.info.features)}"
            )
        steps = first.info.features["steps"].feature
        self._features, self._paths = steps, _flatten(steps)
        self.columns = tuple(self._paths)
        self._id = next((name for name in _IDS if name in first.info.features), None)
        self.stamp: Mapping[str, Any] = {
            "name": first.info.full_name,
            "split": self._split,
            "directories": len(directories),
            "examples": len(self),
            "bytes": sum(builder.info.splits[self._split].num_bytes for builder in self._builders),
        }
        self.spec = SourceSpec()
        instruction = next((name for name in NAMES["instruction"] if name in self.columns), None)
        layout = Layout(
            observation=under(["observation"], self.columns)
            | ({"instruction": instruction} if instruction is not None else {}),
            action=tuple(under(["action"], self.columns).values()),
            reward="reward" if "reward" in self.columns else None,
            is_last="is_last" if "is_last" in self.columns else None,
            is_terminal="is_terminal" if "is_terminal" in self.columns else None,
        )
        recipe = recipes.find(first.info.name, options.recipe)
        self.layout, self.notes = recipes.apply(recipe, layout, self.columns) if recipe else (layout, ())

    def __len__(self) -> int:
        return sum(builder.info.splits[self._split].num_examples for builder in self._builders)

    def episodes(self, start: int, columns: frozenset[str]) -> Iterator[RawEpisode]:
        config = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)
        decoders = {"steps": tfds.decode.SkipDecoding()}
        number = 0
        for builder in self._builders:
            size = builder.info.splits[self._split].num_examples
            if start >= number + size:
                number += size
                continue
            dataset = builder.as_dataset(
                split=self._split, shuffle_files=False, read_config=config, decoders=decoders
            ).skip(max(0, start - number))
            number = max(start, number)
            for example in dataset.as_numpy_iterator():
                leaves = {name: self._values(example["steps"], name) for name in columns}
                yield RawEpisode(self._name(example, number), leaves)
                number += 1

    def _values(self, steps: Any, name: str) -> np.ndarray:
        tree, feature = steps, self._features
        for key in self._paths[name]:
            tree, feature = tree[key], feature[key]
        values, encoding = np.asarray(tree), getattr(feature, "_encoding", tfds.features.Encoding.NONE)
        if encoding is tfds.features.Encoding.NONE or values.dtype != object:
            return values
        # Tensors that TFDS stores as bytes (mt_opt's poses), an entry for each step.
        unpack = zlib.decompress if encoding is tfds.features.Encoding.ZLIB else bytes
        flat = [np.frombuffer(unpack(value), feature.np_dtype) for value in values]
        return np.stack(flat).reshape(len(values), *(-1 if size is None else size for size in feature.shape))

    def _name(self, example: Mapping[str, Any], number: int) -> str:
        if self._id is None:
            return str(number)
        value = example[self._id]
        # Ids of RL Unplugged's Atari repeat in each checkpoint, so the number stays a part.
        return f"{number}:{value.decode() if isinstance(value, bytes) else value}"


def _find(source: Path) -> list[Path]:
    found = [source] if (source / "dataset_info.json").is_file() else []
    found = found or sorted(path.parent for path in source.rglob("dataset_info.json"))
    # A task as recording and importing leave it is one data set in several directories.
    if not found or (len(found) > 1 and not (source / "spec.json").is_file()):
        names = [str(path.relative_to(source)) for path in found][:8]
        raise SourceError(f"{source}: expected one prepared TFDS data set (dataset_info.json), found {names}; name one")
    return found


def _flatten(features: Any, path: tuple[str, ...] = ()) -> dict[str, tuple[str, ...]]:
    """Name -> path of every leaf of a step."""
    if isinstance(features, tfds.features.FeaturesDict):
        found: dict[str, tuple[str, ...]] = {}
        for key, feature in features.items():
            found |= _flatten(feature, (*path, key))
        return found
    return {"/".join(path): path}
