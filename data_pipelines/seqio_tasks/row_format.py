"""What all rows of a row group share, and where a converter finds it."""

import dataclasses
from collections.abc import Mapping, Sequence

import seqio

from data_pipelines.schema import RowGroup
from data_pipelines.tokenizers.images import ImageFit, ImageSize


@dataclasses.dataclass(frozen=True)
class RowFormat:
    """Rows of one group, as its tasks emit them.

    Args:
      group_name: the group's name, for messages.
      group: the rows' shape and budgets.
      frames: F, encoded images that a window carries.
      frame_patches: patches of the group's largest image.
      task_names: name of each task_id, for messages.
      image_sizes: task_id -> sizes of its images, in turn; None = they differ.
      image_fit: how image sides that are no multiple of 16 are fitted.
    """

    group_name: str
    group: RowGroup
    frames: int
    frame_patches: int
    task_names: Sequence[str]
    image_sizes: Mapping[int, Sequence[ImageSize | None]]
    image_fit: ImageFit

    @classmethod
    def of(cls, rows: "RowFormat | str | seqio.Task | seqio.Mixture") -> "RowFormat":
        """The format of a registered mixture or task, given itself or by name.

        Raises:
          ValueError: no such name; rows that `data_pipelines.register` did not register, or of several shapes.
        """
        if isinstance(rows, RowFormat):
            return rows
        provider = seqio.dataset_providers.maybe_get_mixture_or_task(rows)
        tasks = seqio.get_subtasks(provider)
        formats = {task.name: task.row_format for task in tasks if hasattr(task, "row_format")}
        if foreign := sorted({task.name for task in tasks} - set(formats)):
            raise ValueError(
                f"{provider.name!r}: expected tasks that data_pipelines.register registered, found others: {foreign}"
            )
        first, *others = formats.values()
        if any(other != first for other in others):
            shapes = {name: rows.group_name for name, rows in formats.items()}
            raise ValueError(f"{provider.name!r}: expected tasks of one row group, found {shapes}")
        return first

    @property
    def feature_lengths(self) -> dict[str, int]:
        """SeqIO's `task_feature_lengths`: places S, frames F and windows K of a row."""
        return {"places": self.group.window_length, "frames": self.frames, "task_id": self.group.windows}

    def check_lengths(self, lengths: Mapping[str, int | None] | None) -> None:
        """Raises `ValueError` unless these are the rows' own lengths: rows are never trimmed, nor padded to others."""
        for name, length in (lengths or {}).items():
            if name not in self.feature_lengths:
                raise ValueError(
                    f"feature lengths: expected {self.feature_lengths}, found the unknown feature {name!r}; use "
                    "GatoFeatureConverter(...).task_feature_lengths"
                )
            if length not in (None, self.feature_lengths[name]):
                raise ValueError(
                    f"feature lengths: expected {self.feature_lengths[name]} for {name!r}, the rows of group "
                    f"{self.group_name!r}, found {length}. Rows are neither trimmed nor padded to another length: "
                    "register a DataConfig whose row group has the shape that you want"
                )
