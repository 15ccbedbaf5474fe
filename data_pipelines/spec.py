"""What a task's observations and actions are: enough to tokenise them without the simulator at hand.

A `TaskSpec` is written beside every recording (`spec.json`), so the data layer and the agent agree on it.
"""

import dataclasses
import enum
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from data_pipelines.config_json import decode, encode


class Kind(enum.Enum):
    """Modality of one array. The declaration order is the canonical order inside a timestep.

    Examples:
      >>> from data_pipelines import Kind
      >>> [kind.value for kind in Kind]
      ['text', 'image', 'discrete', 'continuous']
    """

    TEXT = "text"
    IMAGE = "image"
    DISCRETE = "discrete"
    CONTINUOUS = "continuous"


@dataclasses.dataclass(frozen=True)
class ItemSpec:
    """One array of an observation, or the action.

    Args:
      key: path in the nested observation, joined by "/", such as "walker/joints_pos"; "action" for the action.
      kind: modality.
      shape: array shape without time; () for text and scalars; (height, width, 3), or 1
        channel for gray, for images.
      dtype: NumPy dtype name as recorded.
      radix: for discrete items whose last axis is a tuple of small digits, the number of values each digit takes, such
        as (11, 6, 3) for a BabyAI cell. Lets a layout pack the digits of a cell into one token, without loss.
      num_values: for discrete items, which must have it (or a radix): values lie in [0, num_values).
      low: for continuous actions, the least legal value, one number for all dimensions.
      high: the greatest; both are legal themselves.

    Raises:
      ValueError: a discrete item without a range, or an empty range.

    Examples:
      >>> from data_pipelines import ItemSpec, Kind
      >>> ItemSpec("arm/joints", Kind.CONTINUOUS, (7,)).path
      ('arm', 'joints')
    """

    key: str
    kind: Kind
    shape: tuple[int, ...] = ()
    dtype: str = "float32"
    radix: tuple[int, ...] = ()
    num_values: int = 0
    low: float = -1.0
    high: float = 1.0

    def __post_init__(self):
        if self.kind is Kind.DISCRETE and min(self.radix or (self.num_values,)) < 1:
            raise ValueError(
                f"item {self.key!r}: expected num_values of at least 1, as discrete values lie in [0, num_values), "
                f"found num_values = {self.num_values}, radix = {self.radix}"
            )
        if not self.low < self.high:
            raise ValueError(f"item {self.key!r}: expected low < high, found [{self.low}, {self.high}]")

    @property
    def size(self) -> int:
        """Number of values, 1 for a scalar."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(self.key.split("/"))


GYMNASIUM = "gymnasium"
_NAME = r"[^\W\d]\w*(\.[^\W\d]\w*)*"


@dataclasses.dataclass(frozen=True)
class World:
    """An environment from outside this package. Whoever opens it runs its code.

    Args:
      task: "package.module:factory", or "gymnasium:ID" with a registered id such as Pendulum-v1.
      kwargs: keyword arguments of the factory, or of `gymnasium.make`; JSON.
      version: what the factory's module says in `__version__`, "" where it says nothing; gymnasium's ids have theirs.

    Raises:
      ValueError: a name or arguments of another kind.

    Examples:
      >>> from data_pipelines import World
      >>> World("gymnasium:CartPole-v1").to_json()
      '{"kwargs": {}, "task": "gymnasium:CartPole-v1", "version": ""}'
    """

    task: str
    kwargs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    version: str = ""

    def __post_init__(self):
        where, _, rest = self.task.partition(":")
        if not (where == GYMNASIUM and rest.strip()) and not re.fullmatch(f"{_NAME}:{_NAME}", self.task):
            raise ValueError(
                f"a world is named package.module:factory, or gymnasium:ID such as gymnasium:Pendulum-v1, found "
                f"{self.task!r}"
            )
        try:
            json.dumps(self.kwargs, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(f"world {self.task}: kwargs must be JSON, found {self.kwargs!r}: {error}") from error

    def __hash__(self):
        return hash(self.to_json())

    @property
    def is_gymnasium(self) -> bool:
        """Whether gymnasium's registry makes it."""
        return self.task.startswith(f"{GYMNASIUM}:")

    @property
    def code(self) -> str:
        """The module that is imported: of gymnasium:my_pkg:My-v0, which imports my_pkg first, my_pkg."""
        parts = self.task.split(":")
        return parts[1] if self.is_gymnasium and len(parts) > 2 else parts[0]

    def to_json(self) -> str:
        """One line."""
        return json.dumps(encode(self), sort_keys=True)


@dataclasses.dataclass(frozen=True)
class TaskSpec:
    """Observations (sorted by key path) and the action of one control task.

    Args:
      name: the task's name, such as "metaworld.drawer_close": domain, dot, task.
      observation: items sorted by key path.
      action: one item, continuous in [low, high] or discrete.
      max_episode_steps: longest episode in steps, used to bound evaluation.
      world: where it is played, if that is outside this package; None = by its name.

    Examples:
      >>> import pathlib
      >>> from data_pipelines import TaskSpec
      >>> spec = TaskSpec.from_json(pathlib.Path("data/metaworld.drawer_close/spec.json").read_text())
      >>> spec.domain, spec.action.shape
      ('metaworld', (4,))
    """

    name: str
    observation: tuple[ItemSpec, ...]
    action: ItemSpec
    max_episode_steps: int
    world: World | None = None

    def __post_init__(self):
        keys = [item.path for item in self.observation]
        if keys != sorted(keys):
            raise ValueError(f"task {self.name!r}: observation items must be sorted by key, found {keys}")

    @property
    def domain(self) -> str:
        return self.name.partition(".")[0]

    def to_json(self) -> str:
        fields = encode(self)
        if self.world is None:
            del fields["world"]  # As tasks of this package were always written.
        return json.dumps(fields, indent=2)

    @classmethod
    def from_json(cls, text: str) -> "TaskSpec":
        return cls.from_dict(json.loads(text))

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "TaskSpec":
        """As `from_json`, from what `json.loads` gives."""
        data = dict(data)
        data["observation"] = tuple(_item_from_dict(item) for item in data["observation"])
        data["action"] = _item_from_dict(data["action"])
        if data.get("world") is not None:
            data["world"] = decode(World, data["world"], path="world")
        return cls(**data)


def _item_from_dict(data: dict[str, Any]) -> ItemSpec:
    return ItemSpec(
        **{**data, "kind": Kind(data["kind"]), "shape": tuple(data["shape"]), "radix": tuple(data["radix"])}
    )


def lookup(tree: Any, path: Sequence[str]) -> Any:
    """The leaf of a nested dict at `path`; a `KeyError` names the whole path and the keys that are there."""
    node = tree
    for depth, part in enumerate(path):
        # TFDS's nested features have keys, but are no dictionaries.
        if not hasattr(node, "keys") or part not in node:
            actual = sorted(node.keys()) if hasattr(node, "keys") else type(node).__name__
            raise KeyError(f"observation key {'/'.join(path)!r}: no {part!r} at depth {depth}, found {actual}")
        node = node[part]
    return node
