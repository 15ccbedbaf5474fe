"""What a caller of `get_dataset` may ask for, checked before anything is read."""

from collections.abc import Sequence
from typing import Any

import seqio
import tensorflow as tf

LARGEST_SEED = 2**60


def unrewritten(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The dataset, whose graph tf.data leaves as it is: rewriting it takes longer than the first rows do."""
    options = tf.data.Options()
    options.experimental_optimization.apply_default_optimizations = False
    return dataset.with_options(options)


def shard(info: seqio.ShardInfo | None) -> tuple[int, int]:
    """(index, number of shards). Raises `ValueError` for an index that there is not."""
    if info is None:
        return 0, 1
    index, shards = int(info.index), int(info.num_shards)
    if not 0 <= index < shards:
        raise ValueError(f"shard_info: expected an index in [0, num_shards), found {index} of {shards}")
    return index, shards


def seed_value(seed: Any) -> int | None:
    """The seed as a number. Raises `ValueError` for one that has no value yet, or another than the seeds here have."""
    if seed is None:
        return None
    if tf.is_tensor(seed) and not tf.executing_eagerly():
        raise ValueError("seed: expected a number or an eager tensor, as plans are made in NumPy; found a symbolic one")
    if not 0 <= int(seed) < LARGEST_SEED:
        raise ValueError(f"seed: expected a number in [0, 2**60), found {int(seed)}")
    return int(seed)


def check_split(name: str, split: str, splits: Sequence[str]) -> None:
    """Raises `ValueError` for a split that `name` does not have."""
    if split not in splits:
        raise ValueError(
            f"{name}: expected a split of {sorted(splits)}, found {split!r}; parts of splits are not supported"
        )


def check_epochs(epochs: int | None) -> None:
    """Raises `ValueError` for no epoch at all."""
    if epochs is not None and epochs < 1:
        raise ValueError(f"num_epochs: expected None (for ever) or a number of at least 1, found {epochs}")


def check_unsupported(name: str, options: dict[str, Any]) -> None:
    """Raises `ValueError` for an option of SeqIO that is set and has no meaning here."""
    if given := sorted(option for option, value in options.items() if value):
        raise ValueError(f"{name}: options {given} have no meaning for rows of tokens and pictures")
