"""The training example: names, dtypes, shapes and meaning of every field.

A row is K windows of S places, L = K * S; K = 1, S = 1024 is the paper's. A row carries at most P image
patches. All rows of one row group share (K, S, P); a batch of the whole mixture is `{group: Batch}`.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from data_pipelines.config_json import old_names_work

PATCH_SIDE = 16
PATCH_VALUES = PATCH_SIDE * PATCH_SIDE * 3
INTERVAL_STEPS = 128
"""Patch intervals are given in this many parts of the image's height and width (Gato, section 2.2)."""

LONGEST = 2**24
"""Places or windows of a row, at most."""

Batch = Mapping[str, np.ndarray]
"""One group's rows: field name -> array with a leading batch axis."""


@dataclasses.dataclass(frozen=True)
class Field:
    """One field of the training example. `axes` uses L (places), P (patches); "" is a scalar."""

    dtype: type
    axes: str
    meaning: str
    width: int = 0
    """Size of a trailing fixed axis, 0 for none."""


FIELDS: Mapping[str, Field] = {
    "tokens": Field(np.int32, "L", "id of each place; 0 where a patch or padding stands"),
    "targets": Field(np.int32, "L", "id this place should have held: the expert's label where the action was noisy"),
    "loss_mask": Field(np.float32, "L", "weight of this place as a target: 1 on text and actions, else 0"),
    "observation_position": Field(np.int32, "L", "place inside the timestep's observation; 0 where it has none"),
    "token_type": Field(np.int32, "L", "`vocabulary.TokenType`"),
    "segment_ids": Field(np.int32, "L", "1, 2, ... for each independent sequence of the row; 0 is padding"),
    "positions": Field(np.int32, "L", "place inside its sequence, from 0"),
    "patches": Field(np.uint8, "P", "16x16 RGB patches in raster order", PATCH_VALUES),
    "patch_slot": Field(np.int32, "P", "which of the L places the patch fills; L = unused"),
    "patch_interval": Field(np.int32, "P", "row low, row high, column low, column high in 128ths of the image", 4),
    "task_id": Field(np.int32, "", "index of the row's task in the mixture's sorted task names"),
}


@old_names_work
@dataclasses.dataclass(frozen=True)
class RowGroup:
    """Shape and budgets that all rows of a group share.

    Args:
      tasks: names of the tasks whose rows have this shape.
      windows: K, independent windows per row.
      window_length: S, places per window, which sequences of one task may share.
      patches: P, image patches per row. Rows that need more are an error, never trimmed.
      targets: places of a window that may carry loss, a budget that bounds the logits computed. None = all.
        Windows that need more are an error, never trimmed.
      loss_weight: this group's share in the loss; None = the share of the mixture's rows it is dealt.

    Examples:
      >>> from data_pipelines import RowGroup
      >>> RowGroup(("mine.walk",), windows=4, window_length=256).length
      1024
    """

    tasks: tuple[str, ...]
    windows: int = 1
    window_length: int = 1024
    patches: int = 0
    targets: int | None = None
    loss_weight: float | None = None

    def __post_init__(self):
        for name, least in {"windows": 1, "window_length": 1, "targets": 1, "patches": 0}.items():
            value, allowed = getattr(self, name), "be positive" if least else "not be negative"
            if value is not None and not least <= value <= LONGEST:
                allowed = allowed if value < least else f"be at most {LONGEST:,}"
                raise ValueError(f"row group {self.tasks}: {name} must {allowed}, found {value}")
        if self.loss_weight is not None and not 0 <= self.loss_weight <= 1e38:  # NaN is neither.
            raise ValueError(
                f"row group {self.tasks}: loss_weight must be a finite number and not negative, or None, found "
                f"{self.loss_weight}"
            )
        if not self.tasks:
            raise ValueError("a row group needs at least one task, found none")

    @property
    def length(self) -> int:
        """L = K * S."""
        return self.windows * self.window_length

    @property
    def target_budget(self) -> int:
        return self.window_length if self.targets is None else self.targets

    def field_shape(self, name: str) -> tuple[int, ...]:
        """Shape of one field of one row, without the batch axis."""
        field = FIELDS[name]
        sizes = {"L": self.length, "P": self.patches}
        shape = tuple(sizes[axis] for axis in field.axes)
        return (*shape, field.width) if field.width else shape

    def zeros(self, batch_size: int) -> dict[str, np.ndarray]:
        """An empty batch of the right shapes and dtypes: all padding, all patches unused."""
        batch: dict[str, np.ndarray] = {
            name: np.zeros((batch_size, *self.field_shape(name)), FIELDS[name].dtype) for name in FIELDS
        }
        batch["patch_slot"][...] = self.length
        return batch
