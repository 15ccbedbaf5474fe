"""A foreign environment as an `Environment` whose every timestep is checked against its spec."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import dm_env
import numpy as np
from jaxtyping import UInt8
from PIL import Image

from data_pipelines.errors import Origin, TimestepError, describe
from data_pipelines.spec import ItemSpec, Kind, TaskSpec, World
from data_pipelines.suites.base.environment import Environment, nest
from data_pipelines.suites.base.timesteps import after
from data_pipelines.suites.outside.leaves import Leaf
from data_pipelines.suites.outside.objects import WorldError
from data_pipelines.tokenizers import checks
from data_pipelines.tokenizers.discrete import DiscreteCodec

LONGEST = 10_000
"""Steps after which an episode is cut where a world says no limit of its own."""

RENDER_MODE = {"render_mode": "rgb_array"}
"""With what an environment of gymnasium is made that is to be drawn."""


class OutsideEnvironment(Environment):
    """A foreign world: one from outside this package, or the simulator of one of our suites.

    Subclasses implement `_start`, `_advance` and `_frame` of the foreign world, and say what its arrays are.

    Args:
      spec: the task; with its world, if that is outside this package. An episode longer than its `max_episode_steps`
        is truncated here.
      observation: the world's arrays, sorted by key; none where it shows our items itself.
      action: the action's.
    """

    def __init__(self, spec: TaskSpec, observation: Sequence[Leaf], action: Leaf):
        _check_keys(spec.observation)
        self._spec = spec
        self._observation, self._action = tuple(observation), action
        self._seed, self._steps = 0, 0
        self._success: bool | None = None
        self._seen: Any = None

    @property
    def unwrapped(self) -> Any:
        """The foreign environment."""
        raise NotImplementedError

    @property
    def seen(self) -> Any:
        """The latest observation as the world itself gives it."""
        return self._seen

    @property
    def start(self) -> Any:
        """What the world's discrete actions begin at."""
        return self._action.start

    @property
    def success(self) -> bool | None:
        return self._success

    def cut_after(self, steps: int) -> None:
        """Truncates episodes after so many steps."""
        self._spec = dataclasses.replace(self._spec, max_episode_steps=steps)

    def adopt(self, spec: TaskSpec) -> None:
        """Takes the spec of recorded data: its dtypes, and the length at which episodes are cut."""
        self._spec = spec

    def reset_to(self, seed: int) -> dm_env.TimeStep:
        self._seed, self._steps, self._success = seed, 0, None
        self._seen, success = self._start(seed)
        self._heed(success)
        return dm_env.restart(self._read(self._seen))

    def step(self, action: np.ndarray) -> dm_env.TimeStep:
        self._seen, reward, discount, over, success = self._advance(self._action.give(action))
        self._steps += 1
        self._heed(success)
        observation = self._read(self._seen)
        reward = self._number(reward)
        ended = over and discount == 0.0
        cut = over or self._steps >= self._spec.max_episode_steps
        return after(reward, observation, ended=ended, cut=cut, discount=discount)

    def render(self, size: int) -> UInt8[np.ndarray, "size size 3"]:
        return square(self._frame(size), size)

    def random_action(self, rng: np.random.Generator) -> np.ndarray:
        return self._action.random(rng)

    def action_of(self, foreign: Any) -> np.ndarray:
        """An action of the world's own (as an expert for it gives it) as ours.

        Raises:
          TimestepError: another shape or dtype than the action spec's, or out of its range.
        """
        value = self._action.read(np.asarray(foreign).reshape(self._action.shape) if _is_scalar(foreign) else foreign)
        return _checked(self._spec, self._spec.action, np.asarray(value), self._origin())

    def _start(self, seed: int) -> tuple[Any, bool | None]:
        """Observation, and success where the world says so."""
        raise NotImplementedError

    def _advance(self, action: Any) -> tuple[Any, Any, float, bool, bool | None]:
        """Observation, reward, discount (0 = terminated), whether the episode is over, and success."""
        raise NotImplementedError

    def _frame(self, size: int) -> Any:
        """A picture of the current state."""
        raise NotImplementedError

    def _heed(self, success: bool | None) -> None:
        if success is not None:
            self._success = bool(success)

    def _origin(self) -> Origin:
        return Origin(f"of seed {self._seed}", self._steps)

    def _read(self, foreign: Any) -> dict[str, Any]:
        origin = self._origin()
        values: dict[tuple[str, ...], Any] = {}
        for leaf in self._observation:
            node = foreign
            for part in leaf.path:
                try:
                    node = node[part]
                except (KeyError, IndexError, TypeError) as error:
                    there = sorted(map(str, node)) if isinstance(node, Mapping) else f"a {type(node).__name__}"
                    text = describe(
                        self._spec.name, leaf.item.key, "a value", f"none: {part!r} is not in {there}", **origin.at(0)
                    )
                    raise TimestepError(text) from error
            values[leaf.item.path] = leaf.read(node)
        return checked_observation(self._spec, nest(values), origin)

    def _number(self, reward: Any) -> float:
        try:
            value = float(np.asarray(reward).reshape(()))
        except (TypeError, ValueError):
            value = float("nan")
        if not np.isfinite(value):
            where = self._origin().at(0)
            raise TimestepError(describe(self._spec.name, "reward", "a finite number", repr(reward), **where))
        return value


def spec_of(
    name: str, world: World | None, observation: Sequence[Leaf], action: Leaf, *, max_episode_steps: int = LONGEST
) -> TaskSpec:
    """The task that a world with these arrays is; `world` is None for a task of our suites."""
    return TaskSpec(name, tuple(leaf.item for leaf in observation), action.item, max_episode_steps, world)


def checked_observation(spec: TaskSpec, observation: Mapping[str, Any], origin: Origin) -> dict[str, Any]:
    """Exactly the items of the spec, in its dtypes.

    Raises:
      TimestepError: an item is missing, has another shape or dtype, is not finite, or is out of its range.
    """
    return nest(
        {
            item.path: _checked(
                spec, item, np.asarray(checks.find(spec.name, observation, item, origin=origin)), origin
            )
            for item in spec.observation
        }
    )


def _checked(spec: TaskSpec, item: ItemSpec, value: np.ndarray, origin: Origin) -> Any:
    checks.check_item(spec.name, item, value.shape, value.dtype, origin=origin)
    if item.kind is Kind.TEXT:
        return str(value)
    row = value.reshape(1, -1)
    if item.kind is Kind.DISCRETE:
        limits = DiscreteCodec.limits(item).ravel()
        check = checks.is_in_range(row.astype(np.int64), limits, checks.integer_columns(item))
    elif item.kind is Kind.CONTINUOUS and item.key == spec.action.key:
        check = checks.is_between(row.astype(np.float32), item.low, item.high, checks.action_columns(item))
    elif item.kind is Kind.CONTINUOUS:
        check = checks.is_finite(row.astype(np.float32), checks.finite_columns(item))
    else:
        return value
    checks.raise_first(spec.name, [check], origin)
    return value.astype(item.dtype)


def _is_scalar(value: Any) -> bool:
    return np.asarray(value).size == 1


def _check_keys(items: Sequence[ItemSpec]) -> None:
    paths = [item.path for item in items]
    if not paths:
        raise WorldError("observation: expected at least one array, found none")
    twice = sorted({"/".join(path) for path in paths if paths.count(path) > 1})
    if twice:
        raise WorldError(f"observation: expected each key once, found {twice} twice")


def square(picture: Any, size: int) -> UInt8[np.ndarray, "size size 3"]:
    """A picture scaled to fit, in the middle of a black square. Raises `WorldError` for anything else."""
    array = np.asarray(picture)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or not array.size:
        found = f"{array.dtype} {array.shape}" if array.dtype.kind != "O" else f"a {type(picture).__name__}"
        raise WorldError(f"render: expected a picture, uint8 [height, width, 3], found {found}")
    height, width = array.shape[:2]
    scale = size / max(height, width)
    scaled = Image.fromarray(array).resize((max(1, round(width * scale)), max(1, round(height * scale))))
    canvas = Image.new("RGB", (size, size))
    canvas.paste(scaled, ((size - scaled.width) // 2, (size - scaled.height) // 2))
    return np.asarray(canvas)
