"""Discrete values: taken as they are, row-major (Gato, section 2.1), or with the digits of a cell packed into one."""

import dataclasses

import numpy as np
from jaxtyping import Int, Int32

from data_pipelines.spec import ItemSpec
from data_pipelines.vocabulary import BINS


@dataclasses.dataclass(frozen=True)
class DiscreteCodec:
    """How one discrete item becomes values in [0, limit).

    Args:
      key: the item's key, for messages.
      size: number of tokens.
      limit: values lie in [0, limit).
      place_values: with packing, the weight of each digit of the last axis, such as (18, 3, 1) for radix (11, 6, 3).
      radix: with packing, the number of values of each digit.
    """

    key: str
    size: int
    limit: int
    place_values: tuple[int, ...] = ()
    radix: tuple[int, ...] = ()

    @classmethod
    def build(cls, item: ItemSpec, *, pack: bool) -> "DiscreteCodec":
        """Raises `ValueError` when radix and shape disagree, or values do not fit the 1024 ids they may take."""
        if item.radix and (not item.shape or item.shape[-1] != len(item.radix)):
            raise ValueError(
                f"{item.key!r}: radix {item.radix} needs a last axis of {len(item.radix)}, found shape {item.shape}"
            )
        if pack and item.radix:
            limit = int(np.prod(item.radix))
            weights = tuple(int(np.prod(item.radix[i + 1 :])) for i in range(len(item.radix)))
            codec = cls(item.key, item.size // len(item.radix), limit, weights, item.radix)
        else:
            codec = cls(item.key, item.size, max(item.radix) if item.radix else item.num_values)
        if not 0 < codec.limit <= BINS:
            raise ValueError(f"{item.key!r}: discrete values must lie in [0, {BINS}), found {codec.limit} values")
        return codec

    @staticmethod
    def limits(item: ItemSpec) -> Int32[np.ndarray, "..."]:
        """For each value of the item the number of values it may take, in the item's shape."""
        return np.broadcast_to(np.asarray(item.radix or item.num_values, np.int32), item.shape)

    def encode(self, values: Int[np.ndarray, "steps ..."]) -> Int32[np.ndarray, "steps size"]:
        """Values of one item with a leading axis; they lie in the range (`checks.is_in_range`)."""
        values = np.asarray(values).astype(np.int32)
        if self.place_values:
            values = (values * np.asarray(self.place_values, np.int32)).sum(-1, dtype=np.int32)
        return values.reshape(len(values), self.size)
