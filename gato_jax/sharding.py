"""Meshes and sharding rules: the only file that builds a mesh or names a mesh axis.

Two tables say where arrays live. `AT_REST` is how parameters and optimizer state are stored; `COMPUTE` is how
parameters and activations are laid out while a layer runs. Where they differ (the `fsdp` axis), the compiler gathers
a layer's weights before use and scatters their gradients after.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import jax
import numpy as np
from flax import nnx
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

T = TypeVar("T", bound=nnx.Module)

MESH_AXES = ("data", "fsdp", "tensor")
BATCH_AXES = ("data", "fsdp")

LOGICAL_AXES = "logical_axes"
"""Name of the metadata entry in which every `nnx.Param` carries its logical axis names."""

Rules = Mapping[str, str | tuple[str, ...] | None]

AT_REST: Rules = {
    "layers": None,
    "vocab": "tensor",
    "embed": "fsdp",
    "heads": "tensor",
    "mlp": "tensor",
    "places": None,
    "patch": None,
    "batch": BATCH_AXES,
}
"""Logical axis -> mesh axis, for parameters and optimizer state between steps, and for batches."""

COMPUTE: Rules = {
    "layers": None,
    "vocab": "tensor",
    "embed": None,
    "heads": "tensor",
    "mlp": "tensor",
    "places": None,
    "patch": None,
    "batch": BATCH_AXES,
    "tokens": BATCH_AXES,
    "length": None,
}
"""Logical axis -> mesh axis, inside a layer. "tokens" is batch and length folded together."""


@dataclasses.dataclass(frozen=True)
class MeshConfig:
    """Devices per mesh axis.

    Args:
      data: copies of the model, each with its own rows; -1 = all devices that the other axes leave.
      fsdp: devices that share one copy of the parameters at rest; they also split the batch.
      tensor: devices that share the heads and the feed-forward width of one layer.
    """

    data: int = -1
    fsdp: int = 1
    tensor: int = 1

    def __post_init__(self):
        for name in ("fsdp", "tensor"):
            if getattr(self, name) < 1:
                raise ValueError(f"mesh.{name} must be positive, found {getattr(self, name)}")
        if self.data < 1 and self.data != -1:
            raise ValueError(f"mesh.data must be positive, or -1 for the rest, found {self.data}")


def make_mesh(config: MeshConfig, *, devices: Sequence[jax.Device] | None = None) -> Mesh:
    """The mesh of axes `MESH_AXES`, all of type Auto.

    Axis types are spelled because `jax.make_mesh` and `Mesh` disagree on their default.

    Raises:
      ValueError: the axes do not multiply to the number of devices.
    """
    devices = jax.devices() if devices is None else list(devices)
    rest = config.fsdp * config.tensor
    data = len(devices) // rest if config.data == -1 else config.data
    if data * rest != len(devices) or data < 1:
        raise ValueError(
            f"mesh data={config.data} x fsdp={config.fsdp} x tensor={config.tensor} does not cover "
            f"{len(devices)} devices exactly"
        )
    return jax.make_mesh(
        (data, config.fsdp, config.tensor), MESH_AXES, axis_types=(AxisType.Auto,) * 3, devices=devices
    )


def partition_spec(
    axes: Sequence[str | None], rules: Rules, *, shape: Sequence[int] = (), mesh: Any = None, name: str = ""
) -> PartitionSpec:
    """Logical axis names -> a `PartitionSpec`.

    Raises:
      KeyError: an axis without a rule.
      ValueError: two dimensions want one mesh axis, or a dimension does not divide over its mesh axes.
    """
    used: dict[str, str | None] = {}
    spec = []
    for dimension, axis in enumerate(axes):
        if axis is not None and axis not in rules:
            raise KeyError(f"{name or 'array'}: no sharding rule for logical axis {axis!r}, rules are {sorted(rules)}")
        target = None if axis is None else rules[axis]
        parts = (target,) if isinstance(target, str) else tuple(target or ())
        for part in parts:
            if part in used:
                raise ValueError(
                    f"{name or 'array'}: logical axes {used[part]!r} and {axis!r} both map to mesh axis {part!r}"
                )
            used[part] = axis
        if mesh is not None and shape and parts:
            devices = int(np.prod([mesh.shape[part] for part in parts]))
            if shape[dimension] % devices:
                raise ValueError(
                    f"{name or 'array'}: axis {axis!r} of size {shape[dimension]} is not divisible by the "
                    f"{devices} devices of mesh axes {parts}"
                )
        spec.append(target)
    return PartitionSpec(*spec)


def constrain(x: jax.Array, *axes: str | None, rules: Rules = COMPUTE) -> jax.Array:
    """Lays `x` out by the logical names of its axes on the mesh in context; without a mesh, `x` itself.

    On Auto axes this is `with_sharding_constraint`; on Explicit axes, where that is an assertion, `reshard`.
    """
    mesh = jax.sharding.get_abstract_mesh()
    if mesh.empty or mesh.size == 1:
        return x
    spec = partition_spec(axes, rules, shape=x.shape, mesh=mesh)
    if any(kind == AxisType.Explicit for kind in mesh.axis_types):
        return jax.sharding.reshard(x, spec)
    return jax.lax.with_sharding_constraint(x, spec)


def logical_axes(variable: nnx.Variable) -> tuple[str | None, ...]:
    """Axis names of one parameter, with "layers" in front where a scanned stack added an axis."""
    axes = tuple(variable.get_metadata(LOGICAL_AXES))
    extra = variable.get_value().ndim - len(axes)
    if extra not in (0, 1):
        raise ValueError(f"parameter of shape {variable.get_value().shape} has logical axes {axes}")
    return ("layers",) * extra + axes


def for_compute(module: T) -> T:
    """The module with its parameters laid out by `COMPUTE`: under FSDP, gathered here and nowhere else."""
    mesh = jax.sharding.get_abstract_mesh()
    if mesh.empty or mesh.size == 1:
        return module
    graph, state = nnx.split(module)
    state = jax.tree.map(
        lambda variable: variable.replace(constrain(variable.get_value(), *logical_axes(variable))),
        state,
        is_leaf=lambda node: isinstance(node, nnx.Variable),
    )
    return nnx.merge(graph, state)


def parameter_shardings(abstract: Any, mesh: Mesh) -> Any:
    """Pure dict of `NamedSharding` by `AT_REST`, one per parameter of an abstract NNX state.

    Raises:
      ValueError: a parameter that the rules cannot place on this mesh; the message names it.
    """

    def one(path: tuple[Any, ...], variable: nnx.Variable) -> NamedSharding:
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        spec = partition_spec(
            logical_axes(variable), AT_REST, shape=variable.get_value().shape, mesh=mesh, name=f"parameter {name}"
        )
        return NamedSharding(mesh, spec)

    shardings = jax.tree_util.tree_map_with_path(one, abstract, is_leaf=lambda node: isinstance(node, nnx.Variable))
    return nnx.to_pure_dict(shardings) if isinstance(shardings, nnx.State) else shardings


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """Rows split over all devices of the batch axes."""
    return NamedSharding(mesh, PartitionSpec(BATCH_AXES))


def replicated(mesh: Mesh) -> NamedSharding:
    """A whole copy on every device."""
    return NamedSharding(mesh, PartitionSpec())


def batch_devices() -> int:
    """Devices that split the rows on the mesh in context; 1 without one."""
    mesh = jax.sharding.get_abstract_mesh()
    return 1 if mesh.empty else int(np.prod([mesh.shape[axis] for axis in BATCH_AXES]))


def check_rows(rows: Mapping[str, int], mesh: Mesh) -> None:
    """Raises `ValueError` where a group's rows per step do not divide over the devices that split them."""
    devices = int(np.prod([mesh.shape[axis] for axis in BATCH_AXES]))
    for group, count in rows.items():
        if count % devices:
            raise ValueError(
                f"row group {group!r}: {count} rows per step are not divisible by the {devices} devices of mesh axes "
                f"{BATCH_AXES} ({dict(mesh.shape)}); change the mixture's rows or the mesh"
            )
