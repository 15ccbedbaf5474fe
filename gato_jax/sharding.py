"""Meshes and sharding rules: the only file that builds a mesh or names a mesh axis.

Two tables say where arrays live. `AT_REST` is how parameters and optimizer state are stored; `COMPUTE` is how
parameters and activations are laid out while a layer runs. Where they differ (the `fsdp` axis), a layer's weights are
gathered before use and their gradients scattered after.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import jax
import numpy as np
from flax import nnx
from jax.experimental import mesh_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from gato_jax.config import MeshConfig

T = TypeVar("T", bound=nnx.Module)

MESH_AXES = ("replica", "data", "fsdp", "tensor")
BATCH_AXES = ("replica", "data", "fsdp")

LOGICAL_AXES = "logical_axes"
"""Name of the metadata entry in which every `nnx.Param` carries its logical axis names."""

Rules = Mapping[str, str | tuple[str, ...] | None]

AT_REST: Rules = {
    "layers": None,
    "vocab": ("tensor", "fsdp"),
    "embed": "fsdp",
    "embed_whole": None,
    "norm": None,
    "heads_in": ("tensor", "fsdp"),
    "mlp_in": ("tensor", "fsdp"),
    "heads": "tensor",
    "mlp": "tensor",
    "places": None,
    "patch": None,
    "batch": BATCH_AXES,
}
"""Logical axis -> mesh axis, for parameters and optimizer state between steps, and for batches.

A matrix is split over fsdp by its first axis, so "heads_in" and "mlp_in" are those of matrices back to the width: by a
last one, the compiler for TPUs all-reduces a gradient instead of scattering it.
"""

COMPUTE: Rules = {
    "layers": None,
    "vocab": "tensor",
    "embed": None,
    "embed_whole": None,
    "norm": None,
    "heads_in": "tensor",
    "mlp_in": "tensor",
    "heads": "tensor",
    "mlp": "tensor",
    "places": None,
    "patch": None,
    "batch": BATCH_AXES,
    "tokens": BATCH_AXES,
    "split_tokens": (*BATCH_AXES, "tensor"),
    "length": None,
}
"""Logical axis -> mesh axis, inside a layer. "tokens" is batch and length folded together, "split_tokens" the same
between the matrices of a layer under sequence parallelism."""


def make_mesh(config: MeshConfig, *, devices: Sequence[jax.Device] | None = None) -> Mesh:
    """The mesh of axes `MESH_AXES`, all of type Auto.

    Axis types are spelled because `jax.make_mesh` and `Mesh` disagree on their default.

    The devices of several slices differ in `slice_index`; the replica axis runs over them, so that only gradients
    cross the data-centre network.

    Raises:
      ValueError: the axes do not multiply to the number of devices, or replicas do not divide over the slices.
    """
    devices = jax.devices() if devices is None else list(devices)
    slices = len({getattr(device, "slice_index", 0) for device in devices})
    replica = slices if config.replica == -1 else config.replica
    if replica % slices:
        raise ValueError(f"mesh.replica {replica} is not divisible by the {slices} slices of the devices")
    rest = replica * config.fsdp * config.tensor
    data = len(devices) // rest if config.data == -1 else config.data
    if data * rest != len(devices) or data < 1:
        copies = f"replica={replica} x " if replica > 1 else ""
        raise ValueError(
            f"mesh {copies}data={config.data} x fsdp={config.fsdp} x tensor={config.tensor} does not cover "
            f"{len(devices)} devices exactly"
        )
    shape, kinds = (replica, data, config.fsdp, config.tensor), (AxisType.Auto,) * len(MESH_AXES)
    # An axis may have to take a part of a side of the torus: 64 = 16 x 4 of 16x16. `jax.make_mesh` refuses that.
    if slices == 1:
        placed = mesh_utils.create_device_mesh(shape, devices, allow_split_physical_axes=True)
    else:
        inside, across = (replica // slices, *shape[1:]), (slices, 1, 1, 1)
        placed = mesh_utils.create_hybrid_device_mesh(inside, across, devices, allow_split_physical_axes=True)
    return Mesh(placed, MESH_AXES, axis_types=kinds)


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


def _without_mesh() -> bool:
    mesh = jax.sharding.get_abstract_mesh()
    return mesh.empty or mesh.size == 1


Axes = tuple[str | None, ...]


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def _gather(x: jax.Array, axes: Axes, scatter: bool) -> jax.Array:
    """`x` laid out by COMPUTE; its cotangent by AT_REST, which makes its reduction a reduce-scatter.

    A plain constraint transposes to itself: the whole gradient would be all-reduced. Without `scatter` it is.
    """
    return constrain(x, *axes)


_gather.defvjp(
    lambda x, axes, scatter: (constrain(x, *axes), None),
    lambda axes, scatter, _, cotangent: (_to_rest(cotangent, axes, scatter),),
)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _reuse(x: jax.Array, whole: jax.Array, axes: Axes, scatter: bool) -> jax.Array:
    """`whole`, gathered before; the gradient goes to `x` as in `_gather`."""
    return whole


_reuse.defvjp(
    lambda x, whole, axes, scatter: (whole, None),
    lambda axes, scatter, _, cotangent: (_to_rest(cotangent, axes, scatter), None),
)


def _to_rest(cotangent: jax.Array, axes: Axes, scatter: bool) -> jax.Array:
    return constrain(cotangent if scatter else constrain(cotangent, *axes), *axes, rules=AT_REST)


def for_compute(module: T, whole: T | None = None, *, scatter: bool = True) -> T:
    """The module with its parameters laid out by `COMPUTE`: under FSDP, gathered here and nowhere else.

    Args:
      whole: the same module with parameters from `gather_once`; then nothing travels but the gradients.
      scatter: whether gradients are scattered to where parameters rest, or summed whole on every device before.
    """
    if _without_mesh():
        return module
    graph, state = nnx.split(module)
    is_variable = lambda node: isinstance(node, nnx.Variable)  # noqa: E731
    if whole is None:
        state = jax.tree.map(
            lambda variable: variable.replace(_gather(variable.get_value(), logical_axes(variable), scatter)),
            state,
            is_leaf=is_variable,
        )
    else:
        state = jax.tree.map(
            lambda variable, whole_variable: variable.replace(
                _reuse(variable.get_value(), whole_variable.get_value(), logical_axes(variable), scatter)
            ),
            state,
            nnx.state(whole),
            is_leaf=is_variable,
        )
    return nnx.merge(graph, state)


def gather_once(abstract: Any, parameters: Any) -> Any:
    """A pure dict of parameters, laid out by `COMPUTE`. No gradient: that goes through `for_compute`."""
    axes = jax.tree.map(logical_axes, abstract, is_leaf=lambda node: isinstance(node, nnx.Variable))
    return jax.tree.map(
        lambda leaf, names: jax.lax.stop_gradient(constrain(leaf, *names)), parameters, nnx.to_pure_dict(axes)
    )


def per_device(
    function: Callable[..., jax.Array], arguments: Sequence[jax.Array], *, axes: Sequence[Axes], out: Axes
) -> jax.Array:
    """`function` of each device's own part of the arguments, for kernels that the compiler cannot split."""
    mesh = jax.sharding.get_abstract_mesh()
    if _without_mesh():
        return function(*arguments)
    specs = tuple(
        partition_spec(names, COMPUTE, shape=x.shape, mesh=mesh) for names, x in zip(axes, arguments, strict=True)
    )
    mapped = jax.shard_map(function, in_specs=specs, out_specs=partition_spec(out, COMPUTE), check_vma=False)
    return mapped(*arguments)


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


def batch_devices(mesh: Any = None) -> int:
    """Devices that split the rows on this mesh, or the mesh in context; 1 without one."""
    mesh = jax.sharding.get_abstract_mesh() if mesh is None else mesh
    return 1 if mesh.empty else int(np.prod([mesh.shape[axis] for axis in BATCH_AXES]))


def microbatches(x: jax.Array, count: int) -> jax.Array:
    """[rows, ...] -> [count, rows / count, ...], each device's rows dealt to all parts: nothing travels."""
    devices = batch_devices()
    parts = x.reshape(devices, count, -1, *x.shape[1:]).swapaxes(0, 1).reshape(count, -1, *x.shape[1:])
    return constrain(parts, None, "batch", *(None,) * (x.ndim - 1))


def device_kind(mesh: Mesh) -> tuple[str, str]:
    """Platform ("cpu", "gpu", "tpu") and kind ("TPU v5 lite") of the devices that the mesh is made of.

    Asked of the mesh and not of the process: a TPU program is compiled on machines that have none.
    """
    device = mesh.devices.flat[0]
    return device.platform, device.device_kind


def context_platform() -> str:
    """Platform of the devices of the mesh in context; of the process without one."""
    device = jax.sharding.get_abstract_mesh().abstract_device
    return jax.default_backend() if device is None else device.platform


def check_rows(rows: Mapping[str, int], mesh: Mesh, *, microbatches: int = 1) -> None:
    """Raises `ValueError` where a group's rows per step do not divide over the devices that split them."""
    devices = batch_devices(mesh)
    for group, count in rows.items():
        if count % devices:
            raise ValueError(
                f"row group {group!r}: {count} rows per step are not divisible by the {devices} devices of mesh axes "
                f"{BATCH_AXES} ({dict(mesh.shape)}); change the mixture's rows or the mesh"
            )
        if count % (devices * microbatches):
            raise ValueError(
                f"row group {group!r}: {count} rows per step are not divisible by {devices} devices x "
                f"{microbatches} microbatches (step.microbatches); change the mixture's rows or step.microbatches"
            )
