"""Prepared TFDS directories: any with a text feature, or with pictures and texts. Imports TensorFlow.

`coco_captions`, `c4`, `wiki40b`, `lm1b`, `wikipedia`, `pg19` and the like, as `tfds build` leaves them on disk.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from data_pipelines.importing.common import tfds_directories
from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.vision_language.columns import Columns, Holds
from data_pipelines.importing.vision_language.items import Item, Text
from data_pipelines.importing.vision_language.readers import SourceOptions

_WIKI40B = {"_START_ARTICLE_": "", "_START_SECTION_": "\n", "_START_PARAGRAPH_": "", "_NEWLINE_": "\n"}
"""Structure marks of `wiki40b`, which stand on lines of their own or, the last, inside of them."""


class TfdsDirectory:
    """Examples of one split of a prepared TFDS data set, in the order of its files.

    Args:
      source: the folder with dataset_info.json, or one above it that holds a single data set.
      options: `split` of the data set; `columns` names features (`a/b` for nested ones) that have no usual names.

    Raises:
      SourceError: no data set, several, no such split, no such features, or files that are not as declared.
    """

    def __init__(self, source: Path, options: SourceOptions):
        self._directory = directory = _find(source)
        self._builder = tfds_directories.open_directory(directory)
        splits = self._builder.info.splits
        if options.split not in splits:
            raise SourceError(f"{directory}: no split {options.split!r}, found {sorted(splits)}")
        self._split = splits[options.split]
        self._shards = tfds_directories.split_files(self._builder, options.split, directory)
        self._names = _flatten(self._builder.info.features)
        self._columns = Columns.find(list(self._names), options, directory)
        self._columns.check(_leaves(self._builder.info.features), _holds, directory)
        self.kind = self._columns.kind
        self.stamp: Mapping[str, Any] = {
            "name": self._builder.info.full_name,
            "split": options.split,
            "files": len(self._split.shard_lengths),
            "bytes": self._split.num_bytes,
        }

    def __len__(self) -> int:
        return self._split.num_examples

    def items(self, start: int) -> Iterator[Item]:
        names, image = list(self._columns.names.values()), self._columns.names.get("image")
        config = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)
        dataset = self._builder.as_dataset(
            split=self._split.name,
            shuffle_files=False,
            read_config=config,
            decoders=None if image is None else _nest(self._names[image], tfds.decode.SkipDecoding()),
        )
        with tfds_directories.reading(self._directory, self._shards):
            for example in dataset.skip(start).as_numpy_iterator():
                item = self._columns.item({name: _value(example, self._names[name]) for name in names}.__getitem__)
                yield _without_marks(item) if self._builder.name == "wiki40b" and isinstance(item, Text) else item


def _find(source: Path) -> Path:
    directories = tfds_directories.find_directories(source)
    if len(directories) != 1:
        names = [str(path.relative_to(source)) for path in directories][:8]
        raise SourceError(f"{source}: expected one prepared TFDS data set (dataset_info.json), found {names}; name one")
    return directories[0]


def _flatten(features: Any, path: tuple[str, ...] = ()) -> dict[str, tuple[str, ...]]:
    """Name -> path of every leaf; a sequence counts as what it repeats."""
    inner = features.feature if isinstance(features, tfds.features.Sequence) else features
    if not isinstance(inner, tfds.features.FeaturesDict):
        return {"/".join(path): path}
    paths: dict[str, tuple[str, ...]] = {}
    for key, feature in inner.items():
        paths |= _flatten(feature, (*path, key))
    return paths


def _leaves(features: Any) -> dict[str, Any]:
    """Name -> feature of every leaf, by the names of `_flatten`; a feature inside of a sequence is a sequence."""
    leaves: dict[str, Any] = {}
    for name, path in _flatten(features).items():
        feature, repeated = features, False
        for key in path:
            inner = feature.feature if isinstance(feature, tfds.features.Sequence) else feature
            repeated, feature = repeated or inner is not feature, inner[key]
        leaves[name] = tfds.features.Sequence(feature) if repeated else feature
    return leaves


def _holds(feature: Any, content: Holds) -> bool:
    """Whether values of a feature are what a role wants."""
    repeated = isinstance(feature, tfds.features.Sequence)
    inner = feature.feature if repeated else feature
    is_text = (
        not isinstance(inner, tfds.features.FeaturesDict | tfds.features.Sequence)
        and np.dtype(inner.np_dtype) == object
    )
    match content:
        case Holds.TEXT:
            return is_text and not repeated
        case Holds.TEXTS:
            return is_text
        case Holds.LIST_OF_TEXTS:
            return is_text and repeated
        case Holds.PICTURE:
            return not repeated and (is_text or isinstance(inner, tfds.features.Image))
        case Holds.LIST_OF_PICTURES:
            return repeated and (is_text or isinstance(inner, tfds.features.Image))


def _value(example: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = example
    for key in path:
        value = value[key]
    return value


def _nest(path: tuple[str, ...], leaf: Any) -> Any:
    for key in reversed(path):
        leaf = {key: leaf}
    return leaf


def _without_marks(item: Text) -> Text:
    text = item.text
    for mark, meaning in _WIKI40B.items():
        text = text.replace(f"\n{mark}\n", f"\n{meaning}").replace(mark, meaning)
    return Text(item.id, text)
