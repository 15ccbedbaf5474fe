"""Whether an episode is what its task's spec says, before it is written."""

import numpy as np

from data_pipelines.errors import Origin
from data_pipelines.recording.episodes import Episode
from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.tokenizers import checks
from data_pipelines.tokenizers.discrete import DiscreteCodec


def check_episode(spec: TaskSpec, episode: Episode) -> None:
    """Checks shapes, dtypes and values of all observations, and those of executed actions and labels.

    Raises:
      TimestepError: names task, seed, timestep, key, what was expected and found.
    """
    name = f"of seed {episode.seed}"
    for item in spec.observation:
        values = []
        for index, timestep in enumerate(episode.timesteps):
            origin = Origin(name, index)
            value = np.asarray(checks.find(spec.name, timestep.observation, item, origin=origin))
            checks.check_item(spec.name, item, value.shape, value.dtype, origin=origin)
            values.append(value)
        _check_values(spec, item, values, name, is_action=False)
    for actions in (episode.executed, episode.labels):
        _check_values(spec, spec.action, list(actions), name, is_action=True)


def _check_values(spec: TaskSpec, item: ItemSpec, values: list[np.ndarray], name: str, *, is_action: bool) -> None:
    """Values of one item at all timesteps."""
    if not values or item.kind not in (Kind.DISCRETE, Kind.CONTINUOUS):
        return
    rows = np.stack(values).reshape(len(values), -1)
    if item.kind is Kind.DISCRETE:
        limits = DiscreteCodec.limits(item).ravel()
        check = checks.is_in_range(rows.astype(np.int64), limits, checks.integer_columns(item))
    elif is_action:
        check = checks.is_between(rows.astype(np.float32), item.low, item.high, checks.action_columns(item))
    else:
        check = checks.is_finite(rows.astype(np.float32), checks.finite_columns(item))
    checks.raise_first(spec.name, [check], Origin(name))
