"""The training state: its shapes, its shardings, its birth."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Int, UInt

from data_pipelines.schema import FIELDS
from gato_jax import sharding
from gato_jax.model.gato import abstract_model, init_parameters
from gato_jax.training.step.optimizer import make_optimizer
from gato_jax.training.step.spec import Batches, StepSpec, group_fields

State = dict[str, Any]
"""{"step": int32, "parameters": nested dict, "optimizer": optax state}."""


class Course(NamedTuple):
    """What a step knows of its run. An argument, so that runs of one shape share one compiled step.

    Attributes:
      steps: length of the run; a wall-clock budget becomes steps after compiling.
      seed: of the step's randomness.
    """

    steps: Int[Array, ""]
    seed: UInt[Array, ""]


def abstract_batches(spec: StepSpec, mesh: Mesh) -> Batches:
    """Shapes, dtypes and shardings of the batches of one step."""
    rows = sharding.batch_sharding(mesh)
    return {
        name: {
            field: jax.ShapeDtypeStruct(
                (spec.rows[name], *group.field_shape(field)), FIELDS[field].dtype, sharding=rows
            )
            for field in group_fields(group)
        }
        for name, group in spec.groups.items()
    }


def abstract_state(spec: StepSpec, mesh: Mesh) -> State:
    """Shapes, dtypes and shardings of the training state; allocates nothing."""
    shardings = sharding.parameter_shardings(abstract_model(spec.model, spec.vocabulary)[1], mesh)
    shapes = jax.eval_shape(lambda: _create(spec, jax.random.key(0)))
    whole = sharding.replicated(mesh)
    # A moment lies where its parameter does: its path ends with the parameter's. (`optax.tree.map_params` would make
    # an array on a device of the mesh in context, which the devices of a topology description cannot hold.)
    by_path = {path: place for path, place in jax.tree_util.tree_flatten_with_path(shardings)[0]}
    optimizer = jax.tree_util.tree_map_with_path(
        lambda path, _: next((by_path[path[i:]] for i in range(len(path)) if path[i:] in by_path), whole),
        shapes["optimizer"],
    )
    places = {"step": whole, "parameters": shardings, "optimizer": optimizer}
    return jax.tree.map(
        lambda leaf, place: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place), shapes, places
    )


def course(mesh: Mesh, *, steps: int, seed: int = 0) -> Course:
    """A `Course` on the devices."""
    whole = sharding.replicated(mesh)
    return Course(jax.device_put(np.int32(steps), whole), jax.device_put(np.uint32(seed), whole))


def abstract_course(mesh: Mesh) -> Any:
    """Shapes, dtypes and shardings of a `Course`."""
    whole = sharding.replicated(mesh)
    abstract: Any = Course
    return abstract(*(jax.ShapeDtypeStruct((), dtype, sharding=whole) for dtype in (np.int32, np.uint32)))


def make_init(spec: StepSpec, mesh: Mesh) -> Callable[[Course], State]:
    """A jitted function that makes fresh state, born sharded: no host or device ever holds more than its share."""
    places = jax.tree.map(lambda leaf: leaf.sharding, abstract_state(spec, mesh))
    # It runs once: on a CPU, optimising its many random draws would take longer than the first steps of training.
    quick = {"xla_backend_optimization_level": 0} if mesh.devices.flat[0].platform == "cpu" else None
    create = lambda course: _create(spec, jax.random.key(course.seed))  # noqa: E731
    return jax.jit(create, out_shardings=places, compiler_options=quick)


def init_state(spec: StepSpec, mesh: Mesh, *, seed: int = 0) -> State:
    """`make_init`, once."""
    with jax.set_mesh(mesh):
        return make_init(spec, mesh)(course(mesh, steps=0, seed=seed))


def _create(spec: StepSpec, key: Array) -> State:
    parameters = init_parameters(spec.model, spec.vocabulary, key=key)
    optimizer = make_optimizer(spec.optimizer).init(parameters)
    return {"step": jnp.zeros((), jnp.int32), "parameters": parameters, "optimizer": optimizer}
