"""Devices per mesh axis."""

import dataclasses
from typing import Annotated

from data_pipelines.ranges import LARGEST_INT, Count, Range, check_fields

Axis = Annotated[int, Range(-1, LARGEST_INT)]


@dataclasses.dataclass(frozen=True)
class MeshConfig:
    """Devices per mesh axis.

    Args:
      replica: copies of the model over slices, joined by the data-centre network; -1 = one for each slice.
      data: copies of the model inside a slice, each with its own rows; -1 = all devices that the other axes leave.
      fsdp: devices that share one copy of the parameters at rest; they also split the batch.
      tensor: devices that share the heads and the feed-forward width of one layer.

    Examples:
      >>> import gato_jax
      >>> gato_jax.MeshConfig(fsdp=4).fsdp
      4
    """

    data: Axis = -1
    fsdp: Count = 1
    tensor: Count = 1
    replica: Axis = -1

    def __post_init__(self):
        check_fields(self, "mesh")
        if self.data < 1 and self.data != -1:
            raise ValueError(f"mesh.data must be positive, or -1 for the rest, found {self.data}")
        if self.replica < 1 and self.replica != -1:
            raise ValueError(f"mesh.replica must be positive, or -1 for one a slice, found {self.replica}")
