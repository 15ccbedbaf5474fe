"""1-NN play: the recorded expert's action at the nearest recorded observation. The floor that an agent should beat.

It learns nothing and needs only a k-d tree. Continuous values are compared after mu-law companding, as the agent's
tokens have them; discrete ones count as different or equal; only timesteps with the same texts are compared, where any
has been recorded.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.spatial import KDTree

from data_pipelines.errors import Failures, Origin, TimestepError, describe
from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.tokenizers import checks
from data_pipelines.tokenizers.continuous import mu_law
from data_pipelines.tokenizers.discrete import DiscreteCodec
from data_pipelines.tokenizers.timestep import stack
from gato_jax.evaluation.demonstrations import Demonstrations

NAME = "1-NN"
TIMESTEPS, VALUES = 200_000, 25_000_000
"""Recorded timesteps of a task that are searched, and numbers that describe them, at most: 200 MB."""

ONE_HOT = 64
"""Discrete values of more possibilities are compared as numbers."""


def most_timesteps(spec: TaskSpec) -> int:
    """How many recorded timesteps of a task are searched."""
    items = [item for item in spec.observation if item.kind not in (Kind.TEXT, Kind.IMAGE)]
    zeros = [np.zeros((1, item.size), np.int64) for item in items]
    return min(TIMESTEPS, VALUES // max(1, _points(items, zeros, 1).shape[1]))


def why_not(spec: TaskSpec) -> str:
    """Why the baseline says nothing about a task; "" where it does."""
    pictures = [item.key for item in spec.observation if item.kind is Kind.IMAGE]
    return f"observations are pictures ({', '.join(pictures)})" if pictures else ""


class NearestNeighbour:
    """Acts as the expert did at the nearest observation.

    Args:
      spec: the task, without pictures.
      shown: recorded episodes.

    Raises:
      ValueError: the task has pictures.
    """

    manner = NAME

    def __init__(self, spec: TaskSpec, shown: Demonstrations):
        if reason := why_not(spec):
            raise ValueError(f"task {spec.name!r}: no nearest neighbours, {reason}")
        self.spec = spec
        self.failures = Failures(0)
        self._episodes: list[str] = []
        self._timestep = 0
        self._texts = [item for item in spec.observation if item.kind is Kind.TEXT]
        self._values = [item for item in spec.observation if item.kind is not Kind.TEXT]
        self._labels = shown.labels.astype(spec.action.dtype)
        points = _points(self._values, [shown.observations[item.key] for item in self._values], len(shown.actions))
        texts = [shown.observations[item.key] for item in self._texts]
        self._episodes_shown, self._recorded = len(shown.lengths), shown.recorded
        self._all = np.arange(len(points))
        groups: dict[tuple[str, ...], list[int]] = {}
        for place, key in enumerate(zip(*texts, strict=True) if texts else ()):
            groups.setdefault(tuple(map(str, key)), []).append(place)
        self._places = {key: np.asarray(places) for key, places in groups.items()}
        self._points = points
        self._trees: dict[tuple[str, ...] | None, KDTree] = {}

    @property
    def notes(self) -> dict[str, Any]:
        """How much was searched: timesteps of so many episodes, of those that are recorded."""
        return {"timesteps": len(self._points), "episodes": self._episodes_shown, "recorded": self._recorded}

    def reset(self, seeds: Sequence[int]) -> None:
        """Starts new episodes."""
        self._episodes, self._timestep = [f"of seed {int(seed)}" for seed in seeds], 0
        self.failures = Failures(len(seeds))

    def act(self, observations: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """An action for each environment; one whose observation is not finite has failed.

        Raises:
          TimestepError: no environment is left.
        """
        origin = Origin(self._episodes, self._timestep)
        self._timestep += 1
        tree = stack(self.failures.stand_in(observations), self.spec, origin)
        points = _points(self._values, [_leaf(tree, item) for item in self._values], len(observations))
        for row in np.flatnonzero(~np.isfinite(points).all(axis=1)):
            message = describe(self.spec.name, "observation", checks.FINITE, "nan or inf", **origin.at(int(row)))
            self.failures.setdefault(int(row), TimestepError(message))
        self.failures.check()
        texts = [_leaf(tree, item) for item in self._texts]
        return np.stack([self._action(points[row], tuple(str(t[row]) for t in texts)) for row in range(len(points))])

    def _action(self, point: np.ndarray, texts: tuple[str, ...]) -> np.ndarray:
        key = texts if texts in self._places else None
        places = self._all if key is None else self._places[key]
        if key not in self._trees:
            self._trees[key] = KDTree(self._points[places])
        _, nearest = self._trees[key].query(np.nan_to_num(point))
        return self._labels[places[nearest]]


def _leaf(tree: Mapping[str, Any], item: ItemSpec) -> np.ndarray:
    node: Any = tree
    for part in item.path:
        node = node[part]
    return node


def _points(items: Sequence[ItemSpec], values: Sequence[np.ndarray], count: int) -> np.ndarray:
    """Observations as points [n, dimensions]; one different digit is as far as the whole companded range is wide."""
    columns = [np.zeros((count, 0))]
    for item, array in zip(items, values, strict=True):
        flat = np.asarray(array).reshape(count, -1)
        if item.kind is Kind.CONTINUOUS:
            columns.append(mu_law(flat))
            continue
        for column, limit in zip(flat.T, DiscreteCodec.limits(item).ravel().tolist(), strict=True):
            if limit > ONE_HOT:
                columns.append(column[:, None] / (limit - 1) * 2 - 1)
            else:
                columns.append((column[:, None] == np.arange(limit)) * np.sqrt(2.0))
    return np.concatenate(columns, axis=1)
