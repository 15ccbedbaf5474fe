"""How much of the rows is filled, task by task, beside what whole timesteps allow."""

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np

from data_pipelines.config import DataConfig
from data_pipelines.schema import Batch
from data_pipelines.storage.recorded_tasks import RecordedTask
from data_pipelines.tokenizers.layout import TimestepLayout
from data_pipelines.vocabulary import TokenType


@dataclasses.dataclass(frozen=True)
class Utilisation:
    """Filled places of a task's windows.

    Args:
      share: places up to the last used one of each window, as a share of all, in [0, 1]. Unused places of a textual
        observation count as filled, as they are a part of their timestep.
      bound: the most that whole timesteps can fill, floor(S / length) * length / S; 1 for text and pictures.
      segments: windows counted.
    """

    share: float
    bound: float
    segments: int

    @property
    def of_bound(self) -> float:
        return self.share / self.bound


def bounds(config: DataConfig, recorded: Mapping[str, RecordedTask]) -> dict[str, float]:
    """`Utilisation.bound` of each task."""
    result = {}
    for name, task in recorded.items():
        length = config.mixture.groups[config.mixture.group_of(name)].window_length
        step = 1 if task.spec is None else TimestepLayout.build(task.spec, config.tokens).length
        result[name] = length // step * step / length
    return result


def utilisation(
    config: DataConfig, recorded: Mapping[str, RecordedTask], batches: Iterable[Mapping[str, Batch]]
) -> dict[str, Utilisation]:
    """Measured over batches of the stream, {group: batch}; tasks that none of them holds are left out."""
    names = config.mixture.task_names
    filled: dict[int, float] = {}
    counted: dict[int, int] = {}
    for batch in batches:
        for name, rows in batch.items():
            group = config.mixture.groups[name]
            used = rows["token_type"].reshape(-1, group.windows, group.window_length) != int(TokenType.PADDING)
            last = np.where(used.any(axis=2), group.window_length - used[:, :, ::-1].argmax(axis=2), 0)
            for task, share in zip(rows["task_id"], last.mean(axis=1) / group.window_length, strict=True):
                filled[task] = filled.get(task, 0.0) + float(share)
                counted[task] = counted.get(task, 0) + 1
    most = bounds(config, recorded)
    return {
        names[task]: Utilisation(
            filled[task] / count,
            most[names[task]],
            count * config.mixture.groups[config.mixture.group_of(names[task])].windows,
        )
        for task, count in sorted(counted.items())
    }
