"""The links between the chips of a slice, and how long a group of devices takes to exchange something over them.

A slice is a grid of chips; along a side that the slice fills, the grid may close to a ring. A group of devices is a
smaller grid inside it. The compiler lays one ring through the group, over which the bytes travel both ways, or several
at once that begin with different sides; its program says which. No ring gets more than the links that are there.
"""

import dataclasses
import itertools
import math
from collections.abc import Sequence

import numpy as np

from gato_jax.planning.hlo.collectives import Collective
from gato_jax.planning.slices import Slice

PASSES = {"all-reduce": 2.0, "all-to-all": 0.5}
"""How often the bytes cross the links of each chip, where it is not once: a reduction is a scatter and a gather."""


@dataclasses.dataclass(frozen=True)
class Network:
    """Links of a slice, without latency and without other traffic.

    Args:
      where: the slice.
      places: coordinates of each device's chip, in mesh order.
    """

    where: Slice
    places: tuple[tuple[int, ...], ...]

    @classmethod
    def in_order(cls, where: Slice) -> "Network":
        """Devices in the order of their coordinates, those of a chip behind each other."""
        chips = np.ndindex(*where.shape)
        return cls(where, tuple(place for place in chips for _ in range(where.chip.devices_per_chip)))

    def seconds(self, one: Collective) -> float:
        """Of one collective; 0 where the links' rate is not known."""
        chip = self.where.chip
        if one.group <= 1 or not chip.link_rate:
            return 0.0
        passes = PASSES.get(one.kind, 1.0)
        if not one.members:  # A permutation: each device sends everything, half of it each way round.
            return passes * one.bytes / (2 * chip.link_rate)
        chips, links = self._links(one.members)
        if chips == 1:
            return passes * (1 - 1 / one.group) * one.bytes / chip.memory_rate
        rate = min(2.0 * one.rings, links) * chip.link_rate
        return passes * (1 - 1 / chips) * one.bytes / rate

    def _links(self, members: tuple[int, ...]) -> tuple[int, float]:
        """How many chips the members are on, and how many links each of them has to the others."""
        places = np.array([self.places[member] for member in members])
        chips = len(np.unique(places, axis=0))
        links = sum(
            side_links(places[:, side], length, wraps=wraps)
            for side, (length, wraps) in enumerate(zip(self.where.shape, self.where.wraps, strict=True))
        )
        # Devices of one chip that are in different groups share its links.
        sharing = self.where.chip.devices_per_chip * chips / len(members)
        return chips, links / sharing


def side_links(places: Sequence[int] | np.ndarray, length: int, *, wraps: bool) -> float:
    """Links that each member of a group has along one side of the torus: the one with the fewest decides.

    A ring hears from both directions. At the end of a line, everything comes from one. Places that are not neighbours
    leave room for other groups between them, which use the same links.

    Args:
      places: coordinates of the members along that side.
      length: chips along it.
      wraps: whether it closes to a ring.
    """
    unique_places = sorted({int(place) for place in places})
    if len(unique_places) == 1:
        return 0.0
    stride = math.gcd(*(right - left for left, right in itertools.pairwise(unique_places)))
    is_ring = wraps and len(unique_places) * stride == length
    return (2.0 if is_ring else 1.0) / stride
